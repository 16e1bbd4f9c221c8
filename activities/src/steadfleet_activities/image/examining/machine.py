"""A fresh machine to try an image on: what checks may ask of it, whatever kind it is."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from steadfleet_activities.image.platforms import Say
from steadfleet_ports.image import ImageExamination

PURPOSE = "steadfleet:purpose"
EXAMINE = "examine"
MOST_OUTPUT = 64 * 1024
"""Bytes that are kept of each stream of one check."""


def name_of(run: str) -> str:
    """Name what is made to try the image of a run."""
    return f"{run}-{EXAMINE}"


class NotBootedError(Exception):
    """The machine did not come to let anybody in: a finding about the image, not about us."""


class UnreachableError(Exception):
    """A command could not be carried out: nothing is known of what it asked."""


class Captured:
    """The beginning of what was written, and how much that was in all."""

    def __init__(self, most: int = MOST_OUTPUT) -> None:
        self._most = most
        self._kept = bytearray()
        self.total = 0

    def feed(self, more: bytes) -> None:
        self.total += len(more)
        self._kept += more[: self._most - len(self._kept)]

    @property
    def content(self) -> bytes:
        return bytes(self._kept)

    @property
    def cut(self) -> bool:
        return self.total > len(self._kept)

    def drop_line(self) -> bytes | None:
        """Take the first line away and return it; None while it is not whole."""
        line, end, rest = bytes(self._kept).partition(b"\n")
        if not end:
            return None
        self._kept[:] = rest
        self.total -= len(line) + 1
        return line

    def __str__(self) -> str:
        return self.content.decode(errors="replace")


@dataclass(frozen=True)
class Ran:
    """How a command ended; `exit_status` is None where its time limit ended it."""

    exit_status: int | None
    stdout: Captured = field(default_factory=Captured)
    stderr: Captured = field(default_factory=Captured)


@dataclass(frozen=True)
class TestHost:
    """How pytest-testinfra reaches the machine: its options, and what its environment must have."""

    __test__ = False

    options: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)


class Machine(ABC):
    """A booted machine. `id` is the platform's; `address` is private."""

    id: str
    address: str

    @abstractmethod
    async def run(self, script: str, limit: timedelta, most: int = MOST_OUTPUT) -> Ran:
        """
        Run a script by the machine's own shell, as the user that the order names.

        At the limit, or when cancelled, it is killed with all that it started. Raises
        `UnreachableError`.
        """

    @abstractmethod
    def test_host(self, folder: Path) -> TestHost:
        """Say how tests reach it; what they need to do so is written into the folder."""


class FreshMachines(ABC):
    """Machines of one platform, for one examination each."""

    @abstractmethod
    def booted(self, examination: ImageExamination, say: Say) -> AbstractAsyncContextManager[Machine]:
        """
        Boot one and take it down again, whatever happens in between.

        What an earlier try left is taken down first. Raises `NotBootedError` on entering.
        """

    @abstractmethod
    async def discard(self, examination: ImageExamination, say: Say) -> None:
        """Take down whatever there is, by tags and names alone; safe when there is nothing."""
