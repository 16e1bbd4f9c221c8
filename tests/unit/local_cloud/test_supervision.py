import os
import queue
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from steadfleet_local_cloud.errors import MachineError
from steadfleet_local_cloud.supervision import Supervision

Exits = queue.SimpleQueue[tuple[int, int]]
SOON = timedelta(seconds=10)


@pytest.fixture
def exits() -> Exits:
    return queue.SimpleQueue()


@pytest.fixture
def supervision(exits: Exits) -> Iterator[Supervision]:
    supervision = Supervision(lambda pid, status: exits.put((pid, status)))
    yield supervision
    supervision.close()


def shell(supervision: Supervision, script: str, folder: Path, machine: str = "i-1") -> int:
    output = folder / "output"
    environment = {"PATH": os.defpath, "INSTANCE_ID": machine}
    return supervision.spawn(
        machine, ["/bin/sh", "-c", script], folder, environment, stdout=output, stderr=output
    )


def test_an_exit_is_told_with_its_status(supervision: Supervision, exits: Exits, tmp_path: Path) -> None:
    pid = shell(supervision, "echo said; exit 5", tmp_path)

    assert supervision.wait(pid, SOON) == 5
    assert exits.get(timeout=10) == (pid, 5)
    assert (tmp_path / "output").read_text() == "said\n"


def test_a_program_that_cannot_be_run_exits_with_127(supervision: Supervision, tmp_path: Path) -> None:
    log = tmp_path / "log"
    pid = supervision.spawn("i-1", ["/no/such/program"], tmp_path, {}, stdout=log, stderr=log)

    assert supervision.wait(pid, SOON) == 127
    assert "No such file" in log.read_text()


def test_ending_a_machine_leaves_the_others(supervision: Supervision, tmp_path: Path) -> None:
    ended, kept = (shell(supervision, "sleep 600", tmp_path, machine) for machine in ("i-1", "i-2"))

    supervision.end("i-1")

    assert supervision.wait(ended, SOON) == -9
    assert supervision.wait(kept, timedelta(0)) is None


def test_a_daemon_that_left_its_group_ends_too(supervision: Supervision, tmp_path: Path) -> None:
    pid = shell(supervision, "setsid sleep 600 & echo $!", tmp_path)
    supervision.wait(pid, SOON)
    daemon = int((tmp_path / "output").read_text())
    assert Path(f"/proc/{daemon}").exists()

    supervision.end("i-1")

    assert not Path(f"/proc/{daemon}").exists()


def test_closing_ends_everything_even_without_a_mark(tmp_path: Path) -> None:
    supervision = Supervision(lambda _pid, _status: None)
    pid = shell(supervision, "env -i setsid sleep 600 & echo $!", tmp_path)
    supervision.wait(pid, SOON)
    daemon = int((tmp_path / "output").read_text())
    assert Path(f"/proc/{daemon}").exists()

    supervision.close()

    assert not Path(f"/proc/{daemon}").exists()


def test_after_closing_nothing_can_be_started(tmp_path: Path) -> None:
    supervision = Supervision(lambda _pid, _status: None)
    supervision.close()

    with pytest.raises(MachineError, match="gone"):
        shell(supervision, "true", tmp_path)
