"""Hosts by what became of them."""

from typing import Self

from steadfleet_core.fleet import HostState
from steadfleet_core.model import Model


class Counts(Model):
    """`failed` counts every host that failed, whatever became of it since.

    The others add up to `total`, less the hosts that stand failed: neither restored nor lost.
    """

    total: int = 0
    untouched: int = 0
    in_flight: int = 0
    changed: int = 0
    failed: int = 0
    restored: int = 0
    lost: int = 0
    gone: int = 0

    def __add__(self, other: Self) -> Self:
        mine, theirs = self.model_dump(), other.model_dump()
        return type(self)(**{name: mine[name] + theirs[name] for name in mine})


def tally(states: tuple[str, ...] | list[str], *, failed: int) -> Counts:
    """Count hosts by their letters (see `HostState`)."""
    letters = "".join(states)
    return Counts(
        total=len(letters),
        untouched=letters.count(HostState.UNTOUCHED),
        in_flight=letters.count(HostState.IN_FLIGHT),
        changed=letters.count(HostState.CHANGED),
        failed=failed,
        restored=letters.count(HostState.RESTORED),
        lost=letters.count(HostState.LOST),
        gone=letters.count(HostState.GONE),
    )
