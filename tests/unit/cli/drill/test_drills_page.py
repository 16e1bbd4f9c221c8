"""`docs/drills.md` is held to the workflow's own refusals."""

import re
from pathlib import Path

import pytest
from temporalio.exceptions import ApplicationError

from steadfleet_core.campaign.lifecycle import Request
from steadfleet_core.drill.report import DrillState
from steadfleet_core.drill.steps import Step, StepKind, StepProgress, StepState
from steadfleet_workflows.drill_shown import DrillShown, StepRequested

PAGE = Path("docs/drills.md").read_text()
VERBS = ("retry", "skip", "abort")


def table() -> dict[tuple[str, str], str]:
    """Return what the page promises of each verb in each state."""
    _, *sections = re.split(r"^### While (.+)$", PAGE, flags=re.MULTILINE)
    promised: dict[tuple[str, str], str] = {}
    for states, section in zip(sections[::2], sections[1::2], strict=True):
        body = section.partition("\n## ")[0]
        for state in re.split(r", | or ", states):
            for verb, text in re.findall(r"^\| `([a-z]+)` \| (.+) \|$", body, re.MULTILINE):
                assert (verb, state) not in promised, f"{verb} while {state} is written twice"
                promised[verb, state] = text
    return promised


TABLE = table()


def drill(state: str) -> DrillShown:
    """Return a drill in this state, without the workflow around it; halted means that a step failed."""
    shown = DrillShown.__new__(DrillShown)
    shown.state, shown.aborted, shown.decisions = DrillState(state), "", {}
    failed = StepState.FAILED if shown.state is DrillState.HALTED else StepState.DONE
    shown.steps = {"isolate": StepProgress(step=Step(kind=StepKind.ISOLATE), state=failed)}
    return shown


def refusal(shown: DrillShown, verb: str, reason: str = "it is known") -> str | None:
    try:
        if verb == "abort":
            shown._may_abort(Request(by="ann", reason=reason))
        else:
            validate = {"retry": shown._may_retry, "skip": shown._may_skip}[verb]
            validate(StepRequested(by="ann", reason=reason))
    except ApplicationError as error:
        return error.message
    return None


def test_the_page_answers_every_verb_in_every_state() -> None:
    assert set(TABLE) == {(verb, state) for verb in VERBS for state in map(str, DrillState)}


@pytest.mark.parametrize(("verb", "state"), TABLE)
def test_the_drill_does_what_the_page_promises(verb: str, state: str) -> None:
    promised, refused = TABLE[verb, state], refusal(drill(state), verb)

    if promised.startswith("refused: "):
        assert refused is not None
        assert promised.removeprefix("refused: ") in refused
    else:
        assert refused is None


def test_a_step_is_skipped_only_with_a_reason() -> None:
    assert "expected a reason" in (refusal(drill("halted"), "skip", reason=" ") or "")
