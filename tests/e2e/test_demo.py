"""The demo keeps its promise, and leaves nothing behind however it ends."""

import os
import re
import shutil
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from steadfleet_local_cloud.ownership import OWNER_LABEL, Owner

REPOSITORY = Path(__file__).resolve().parents[2]
WITHIN = 480
RECEIPT = "changed 24 · failed 1 · restored 1 · touched twice 0 · left behind 0"
PROCESSES = "--processes"


def hear_interrupts() -> None:
    """Undo that a shell lets what it starts in the background ignore SIGINT: it is inherited."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextmanager
def demo(*words: str, script: str = "examples/demo.py") -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """Run a demo with a mark in its environment, which all that it starts inherits."""
    mark = uuid.uuid4().hex
    with subprocess.Popen(
        [sys.executable, script, *words],
        cwd=REPOSITORY,
        env=os.environ | {"PYTHONUNBUFFERED": "1", "MARK_OF_A_TEST": mark},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=hear_interrupts,  # noqa: PLW1509  # this process starts no threads
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


def missing_for_images() -> str:
    """Say what an image cannot be built without; in CI everything is there, or the test fails."""
    missing = [name for name in ("docker", "packer", "mmdebstrap") if shutil.which(name) is None]
    if not missing and subprocess.run(("docker", "info"), capture_output=True, check=False).returncode:
        missing = ["a Docker engine that answers"]
    return "" if os.environ.get("CI") else ", ".join(missing)


def orphans() -> set[str]:
    """Return the containers whose local cloud is dead: those of other tests' clouds come and go."""
    form = f'{{{{.ID}}}} {{{{.Label "{OWNER_LABEL}"}}}}'
    listed = subprocess.run(
        ("docker", "ps", "-a", "--format", form), capture_output=True, text=True, check=True
    )
    owners = {line.split()[0]: Owner.read(line.split()[-1]) for line in listed.stdout.splitlines()}
    return {container for container, owner in owners.items() if owner and owner.dead}


@pytest.mark.slow
@pytest.mark.timeout(WITHIN + 60)
@pytest.mark.skipif(bool(missing_for_images()), reason=f"missing: {missing_for_images()}")
def test_with_an_engine_it_begins_with_the_template() -> None:
    before = orphans()
    with demo() as (process, mark):
        said, _ = process.communicate(timeout=WITHIN)

    assert process.returncode == 0, said
    assert "image web 2.0.0: published" in said
    assert "may not be used: signature: not proven" in said
    assert RECEIPT in said
    assert left_behind(mark) == []
    assert orphans() <= before


@pytest.mark.slow
@pytest.mark.timeout(WITHIN + 60)
def test_the_receipt_is_as_it_must_be() -> None:
    with demo(PROCESSES) as (process, mark):
        said, _ = process.communicate(timeout=WITHIN)

    assert process.returncode == 0, said
    assert RECEIPT in said
    assert re.search(r"as it must be, in \d+ s", said)
    assert left_behind(mark) == []
    assert not (REPOSITORY / ".run" / f"demo-{process.pid}").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_demo_that_is_ended_early_stops_all_that_it_started(number: signal.Signals) -> None:
    with demo(PROCESSES) as (process, mark):
        assert process.stdout is not None
        assert any("A fleet of 24" in line for line in process.stdout)
        assert left_behind(mark)
        process.send_signal(number)
        said, _ = process.communicate(timeout=WITHIN)

    assert process.returncode == 128 + number, said
    assert left_behind(mark) == []
