"""What was looked at, how it stands, and what to do about it."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Standing(StrEnum):
    OK = "ok"
    WARNING = "warning"
    """It works now, and will not always, or not for everybody."""
    MISSING = "missing"
    """Needed, and not there, or not as it must be."""
    OPTIONAL = "optional"
    """Not there, and needed for some work only."""
    UNKNOWN = "unknown"
    """Could not be looked at: something else is missing first."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; `advice` says what to do about it."""

    name: str
    standing: Standing
    found: str
    advice: str = ""

    def __str__(self) -> str:
        line = f"{self.standing:<9} {self.name:<18} {self.found}"
        return f"{line}\n{'':<28} → {self.advice}" if self.advice else line


def needed(name: str, found: str, good: bool, advice: str) -> Finding:  # noqa: FBT001  # the answer itself
    return Finding(name, Standing.OK, found) if good else Finding(name, Standing.MISSING, found, advice)


def wished(name: str, found: str, good: bool, advice: str) -> Finding:  # noqa: FBT001  # the answer itself
    return Finding(name, Standing.OK, found) if good else Finding(name, Standing.OPTIONAL, found, advice)


def unknown(names: Iterable[str], why: str, advice: str = "") -> list[Finding]:
    return [Finding(name, Standing.UNKNOWN, why, advice) for name in names]
