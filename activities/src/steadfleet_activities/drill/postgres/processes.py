"""The processes that work in a folder, whoever started them: found by where they stand."""

import os
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from itertools import chain
from pathlib import Path

_ORDERLY_TIME = 10.0
_KILL_TIME = 10.0
_POLL_TIME = 0.02
_ROUNDS = 5


class StubbornError(Exception):
    """Processes that did not end although they were killed."""


def pids_below(folder: Path) -> frozenset[int]:
    """Return the processes whose working directory is in this folder; a server's is its data's."""
    here = str(folder.resolve())
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):  # it has just ended, or is not ours to look at
                place = str((entry / "cwd").readlink()).removesuffix(" (deleted)")
                if place == here or place.startswith(f"{here}/"):
                    found.add(int(entry.name))
    return frozenset(found - {os.getpid()})


def end_all_below(folder: Path) -> None:
    """End them: servers in the order that frees their shared memory, then whatever is left. Blocks."""
    for pid in _postmasters(folder) & pids_below(folder):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGQUIT)
    _await_none(folder, _ORDERLY_TIME if _postmasters(folder) else 0.0)
    for _ in range(_ROUNDS):  # one may be born of another meanwhile
        if not (left := pids_below(folder)):
            return
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        _await_none(folder, _KILL_TIME / _ROUNDS)
    if left := pids_below(folder):
        raise StubbornError(f"{sorted(left)} in {folder} did not end although they were killed")


def _postmasters(folder: Path) -> frozenset[int]:
    found = (folder.glob(f"{depth}data/postmaster.pid") for depth in ("", "*/"))
    return frozenset(_first_numbers(chain.from_iterable(found)))


def _first_numbers(paths: Iterable[Path]) -> Iterable[int]:
    for path in paths:
        with suppress(OSError, ValueError, IndexError):
            yield int(path.read_text().splitlines()[0])


def _await_none(folder: Path, limit: float) -> None:
    deadline = time.monotonic() + limit
    while pids_below(folder) and time.monotonic() < deadline:
        time.sleep(_POLL_TIME)
