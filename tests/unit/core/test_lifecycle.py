"""Every verb in every state has an answer, and the page for operators gives it."""

import re
from pathlib import Path

import pytest
from temporalio import workflow

from fakes.verb_table import PAGE, Cell, read_table
from steadfleet_core.campaign.lifecycle import EFFECTS, Request, State, Verb, effect_of, refusal
from steadfleet_workflows.verbs import Verbs

TABLE = read_table()
CELLS = [(verb, state) for verb in Verb for state in State]
TEXT = PAGE.read_text()
SIGNALS = {Verb.PAUSE, Verb.RESUME, Verb.ABORT}


def of_verb(verb: Verb) -> str:
    """Return the page's paragraph on a verb."""
    match = re.search(rf"^\*\*{verb}\*\* .*?\n\n", TEXT, re.MULTILINE | re.DOTALL)
    assert match, f"docs/verbs.md has no paragraph on {verb}"
    return match[0]


def test_the_page_has_every_verb_in_every_state() -> None:
    assert sorted(TABLE) == sorted(CELLS)
    assert len(TABLE) == 8 * 12


@pytest.mark.parametrize(("verb", "state"), CELLS)
def test_a_cell_of_the_page_says_what_the_code_does(verb: Verb, state: State) -> None:
    effect = effect_of(verb, state)
    prefix = f"cannot {verb} while {state}: "
    expected = Cell(accepted=effect is not None, text=effect or refusal(verb, state)[len(prefix) :])

    assert TABLE[verb, state] == expected
    assert refusal(verb, state).startswith(prefix)


@pytest.mark.parametrize("state", State)
def test_a_refusal_names_every_verb_that_is_possible(state: State) -> None:
    advice = refusal(Verb.APPROVE, state)
    possible = [verb for verb in EFFECTS.get(state, {}) if not EFFECTS[state][verb].startswith("already")]

    words = {Verb.ROLL_BACK: ("rollback", "roll back"), Verb.PAUSE: ("pause", "paused")}
    missing = [verb for verb in possible if not any(word in advice for word in words.get(verb, (verb,)))]
    assert not missing


def test_a_closed_campaign_takes_no_verb() -> None:
    closed = {state for state in State if state.closed}

    assert closed == {State.SUCCEEDED, State.ROLLED_BACK, State.ABORTED, State.FAILED}
    assert not closed & EFFECTS.keys()


def test_every_open_state_can_be_left_by_a_person_or_paused() -> None:
    for state in State:
        ways = EFFECTS.get(state, {}).keys()
        assert state.closed or Verb.ABORT in ways or Verb.PAUSE in ways


@pytest.mark.parametrize("verb", Verb)
def test_the_page_names_the_command_and_the_update_of_every_verb(verb: Verb) -> None:
    paragraph = of_verb(verb)

    assert f"Command: `campaign {verb} NAME" in paragraph
    assert ("Update and plain signal: " if verb in SIGNALS else "Update: ") + f"`{verb}`" in paragraph


def test_the_updates_and_plain_signals_are_those_that_the_page_names() -> None:
    members = [getattr(Verbs, name) for name in dir(Verbs)]
    updates = {member._defn.name for member in members if isinstance(member, workflow.UpdateMethodMultiParam)}
    signals = {
        definition.name
        for member in members
        if (definition := getattr(member, "__temporal_signal_definition", None))
    }

    assert updates == set(Verb)
    assert signals == SIGNALS


def test_a_signal_needs_no_words() -> None:
    assert Request().by == "unnamed (signal)"


def test_the_page_warns_of_the_other_pause() -> None:
    assert "**Send a Signal**" in TEXT
    assert "*Pause* button is not this verb" in TEXT


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("| `advance` | the rest", "| `skip` | the rest", "'skip' is not a valid Verb"),
        ("### While halted", "### While stopped", "'stopped' is not a valid State"),
        ("### While halted", "### While paused", "approve while paused is written twice"),
    ],
)
def test_a_page_that_makes_no_sense_is_not_read(tmp_path: Path, old: str, new: str, problem: str) -> None:
    page = tmp_path / "verbs.md"
    page.write_text(TEXT.replace(old, new))

    with pytest.raises(ValueError, match=problem):
        read_table(page)


def test_a_cell_that_is_left_out_is_missed(tmp_path: Path) -> None:
    page = tmp_path / "verbs.md"
    page.write_text(TEXT.replace("| `pause` | already paused |\n", ""))

    assert set(CELLS) - read_table(page).keys() == {(Verb.PAUSE, State.PAUSED)}
