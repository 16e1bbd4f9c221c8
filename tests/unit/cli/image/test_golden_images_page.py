"""`docs/golden-images.md` is held to the workflow's own refusals, and to the rules of channels."""

import re
from pathlib import Path

import pytest
from temporalio.exceptions import ApplicationError

from steadfleet_activities.image.packer.rules import OPTIONAL, REQUIRED
from steadfleet_cli.main import image
from steadfleet_core.campaign.lifecycle import Request
from steadfleet_core.image.channel import RULES
from steadfleet_core.image.order import Platform
from steadfleet_core.image.report import ImageState
from steadfleet_workflows.image_shown import _UNDONE, ImageShown

PAGE = Path("docs/golden-images.md").read_text()
IN_RELEASE = "halted in its release"
REQUEST = Request(by="ann")


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


def build(state: str) -> ImageShown:
    """Return a build in this state, without the workflow around it."""
    shown = ImageShown.__new__(ImageShown)
    shown.state = ImageState.HALTED if state == IN_RELEASE else ImageState(state)
    shown.releasing = state in {IN_RELEASE, ImageState.RELEASING}
    shown.retrying, shown.aborted = False, ""
    return shown


def refusal(shown: ImageShown, verb: str) -> str | None:
    validate = {"retry": shown._may_retry, "abort": shown._may_abort}[verb]
    try:
        validate(REQUEST)
    except ApplicationError as error:
        return error.message
    return None


def test_the_page_answers_both_verbs_in_every_state() -> None:
    states = {*map(str, ImageState), IN_RELEASE}

    assert set(TABLE) == {(verb, state) for verb in ("retry", "abort") for state in states}


@pytest.mark.parametrize(("verb", "state"), TABLE)
def test_the_build_does_what_the_page_promises(verb: str, state: str) -> None:
    promised = TABLE[verb, state]
    refused = refusal(build(state), verb)

    if not promised.startswith("refused: "):
        assert refused is None
        assert verb == "retry" or promised == _UNDONE
    elif state in {each.value for each in ImageState if each.closed}:
        assert refused, "a verb that came a moment before the end is refused by the build itself"
        assert promised == "refused: a closed build takes no verbs"
    else:
        assert refused is not None
        assert promised.removeprefix("refused: ") in refused


@pytest.mark.parametrize("verb", ["retry", "abort"])
def test_an_abort_under_way_refuses_further_verbs(verb: str) -> None:
    shown = build("halted")
    shown.aborted = "aborted by bob"

    assert refusal(shown, verb)


def test_the_page_tells_what_each_channel_demands() -> None:
    rows = re.findall(r"^\| `(dev|staging|prod)` \| (.+) \| (\d+) \|$", PAGE, re.MULTILINE)

    assert {name: (demands, int(approvals)) for name, demands, approvals in rows} == {
        channel.value: (", ".join(rule.demands) or "nothing beyond the worker's own policy", rule.approvals)
        for channel, rule in RULES.items()
    }


def test_the_page_tells_what_each_template_is_given() -> None:
    rows = re.findall(
        r"^\| `([a-z_]+)` \| (required|if declared|) ?\| (required|if declared|) ?\|", PAGE, re.MULTILINE
    )
    told = {name: told for name, *told in rows}
    words = {"required": REQUIRED, "if declared": OPTIONAL}

    for column, platform in enumerate((Platform.AWS, Platform.DOCKER)):
        for word, variables in words.items():
            assert {name for name in told if told[name][column] == word} == set(variables[platform])


def test_each_command_that_the_page_names_exists() -> None:
    named = set(re.findall(r"steadfleet image ([a-z]+)", PAGE))

    assert named <= set(image.table)
    assert {"build", "show", "promote", "rollback", "verify", "test", "sign"} <= named
