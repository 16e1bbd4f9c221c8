"""Reads what `docs/verbs.md` promises of every verb in every state."""

import re
from pathlib import Path
from typing import NamedTuple

from steadfleet_core.campaign.lifecycle import State, Verb

PAGE = Path(__file__).parents[2] / "docs/verbs.md"

_STATES = re.compile(r"^### While (.+)$", re.MULTILINE)
_CELL = re.compile(r"^\| `([a-z]+)` \| (refused: )?(.+) \|$", re.MULTILINE)


class Cell(NamedTuple):
    """`text` is what the receipt says will happen; of a refusal, what is possible instead."""

    accepted: bool
    text: str


def read_table(path: Path = PAGE) -> dict[tuple[Verb, State], Cell]:
    """Return the cell of each verb in each state; a heading may name several states.

    Raises `ValueError` for a verb or a state that does not exist, and for a cell written twice.
    """
    _, *sections = _STATES.split(path.read_text())
    table: dict[tuple[Verb, State], Cell] = {}
    for states, section in zip(sections[::2], sections[1::2], strict=True):
        for state in re.split(r", | or ", states):
            for verb, refused, text in _CELL.findall(section):
                key = Verb(verb), State(state)
                if key in table:
                    raise ValueError(f"{path}: {verb} while {state} is written twice")
                table[key] = Cell(accepted=not refused, text=text)
    return table
