"""The demo keeps its promise, and leaves nothing behind however it ends."""

import os
import re
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
WITHIN = 240


def _hear_interrupts() -> None:
    """Undo that a shell lets what it starts in the background ignore SIGINT: it is inherited."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextmanager
def demo() -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """Run the demo with a mark in its environment, which all that it starts inherits."""
    mark = uuid.uuid4().hex
    with subprocess.Popen(
        [sys.executable, "examples/demo.py"],
        cwd=REPOSITORY,
        env=os.environ | {"PYTHONUNBUFFERED": "1", "MARK_OF_A_TEST": mark},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=_hear_interrupts,  # noqa: PLW1509  # this process starts no threads
    ) as process:
        try:
            yield process, mark
        finally:
            process.send_signal(signal.SIGINT)


def left_behind(mark: str) -> list[str]:
    """Every living process that carries the mark."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if f"MARK_OF_A_TEST={mark}" in (process / "environ").read_text():
                found.append((process / "cmdline").read_text().replace("\0", " "))
        except (OSError, UnicodeDecodeError):
            continue
    return found


@pytest.mark.slow
def test_the_receipt_is_as_it_must_be() -> None:
    with demo() as (process, mark):
        said, _ = process.communicate(timeout=WITHIN)

    assert process.returncode == 0, said
    assert "changed 24 · failed 1 · restored 1 · touched twice 0 · left behind 0" in said
    assert re.search(r"as it must be, in \d+ s", said)
    assert left_behind(mark) == []
    assert not (REPOSITORY / ".run" / f"demo-{process.pid}").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_demo_that_is_ended_early_stops_all_that_it_started(number: signal.Signals) -> None:
    with demo() as (process, mark):
        assert process.stdout is not None
        assert any("Act 1" in line for line in process.stdout)
        assert left_behind(mark)
        process.send_signal(number)
        said, _ = process.communicate(timeout=WITHIN)

    assert process.returncode == 128 + number, said
    assert left_behind(mark) == []
