"""Processes are known by more than their number, and end when told."""

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from steadfleet_cli.processes import Process, Processes, birth_of

SOON = timedelta(seconds=20)
RUN = "import signal, sys; print('up', flush=True); signal.pause()"
DEAF = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {RUN}"


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    processes = Processes(tmp_path / "run")
    yield processes
    for name in ("one", "two"):
        if process := processes.find(name):
            process.kill()


def start(processes: Processes, program: str, name: str = "one") -> Process:
    return processes.start(name, [sys.executable, "-c", program], os.environ)


def await_line(processes: Processes, text: str) -> None:
    """Wait for the program to say something, by watching its log with a deadline."""
    process = processes.find("one")
    assert process is not None
    for _ in range(200):
        if text in "\n".join(processes.last_lines("one")):
            return
        assert not process.exited_within(timedelta(seconds=0.1)), processes.last_lines("one")
    pytest.fail(f"no {text!r} in {processes.log('one')}")


def test_a_started_process_is_found_until_it_is_stopped(processes: Processes) -> None:
    process = start(processes, RUN)

    assert processes.find("one") == process
    assert process.stop(SOON)
    assert processes.find("one") is None


def test_it_has_a_session_of_its_own(processes: Processes) -> None:
    process = start(processes, RUN)

    assert os.getsid(process.pid) == process.pid != os.getsid(0)


def test_a_process_that_ignores_sigterm_is_killed(processes: Processes) -> None:
    process = start(processes, DEAF)
    await_line(processes, "up")

    assert not process.stop(timedelta(seconds=0.2))
    assert processes.find("one") is None


def test_a_recycled_number_is_never_signalled(processes: Processes, tmp_path: Path) -> None:
    other = subprocess.Popen([sys.executable, "-c", RUN], stdout=subprocess.PIPE)
    try:
        pid_file = processes.folder / "one.pid"
        pid_file.parent.mkdir()
        pid_file.write_text(json.dumps({"pid": other.pid, "birth": "an earlier one"}))
        impostor = Process("one", other.pid, "an earlier one")

        assert processes.find("one") is None
        assert impostor.stop(SOON)
        impostor.kill()

        assert other.poll() is None
        assert birth_of(other.pid) != "an earlier one"
    finally:
        other.kill()
        other.communicate()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": "x"}', '{"pid": 1}', "4711"])
def test_a_pid_file_that_says_nothing_finds_nothing(processes: Processes, content: str) -> None:
    processes.folder.mkdir()
    (processes.folder / "one.pid").write_text(content)

    assert processes.find("one") is None


def test_how_it_ended_and_its_last_words_are_known(processes: Processes) -> None:
    process = start(processes, "import sys; print('first', flush=True); sys.exit('no such thing')")

    assert process.exited_within(SOON)
    assert process.exit_status() == 1
    assert processes.last_lines("one", 2) == ["first", "no such thing"]


def test_the_log_of_the_run_before_is_kept(processes: Processes) -> None:
    for word in ("earlier", "later"):
        assert start(processes, f"print({word!r})").exited_within(SOON)

    assert processes.log("one").read_text() == "later\n"
    assert processes.log("one").with_suffix(".previous.log").read_text() == "earlier\n"


def test_a_killed_process_says_its_signal(processes: Processes) -> None:
    process = start(processes, RUN)
    os.kill(process.pid, signal.SIGKILL)

    assert process.exited_within(SOON)
    assert process.exit_status() == -signal.SIGKILL


def test_waiting_ends_with_the_process_not_with_the_clock(processes: Processes) -> None:
    process = start(processes, RUN)
    assert not process.exited_within(timedelta(0))

    descriptor = os.pidfd_open(process.pid)
    process.kill()

    assert select.select([descriptor], [], [], 0)[0]
    os.close(descriptor)
