"""Processes that outlive the command which started them, known by more than their number."""

import json
import os
import select
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

_KILLED_WITHIN = timedelta(seconds=10)
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_START_TIME = 19
"""Where /proc/<pid>/stat holds the start time, counted behind the closing bracket of the name."""


@dataclass(frozen=True)
class Process:
    """A started process. Numbers come round: `birth` tells it from a later owner of its number."""

    name: str
    pid: int
    birth: str

    @property
    def alive(self) -> bool:
        return not self.exited_within(timedelta(0))

    def exited_within(self, time: timedelta) -> bool:
        """Wait for the end of the process, for at most `time`; whether it has ended."""
        descriptor = self._open()
        if descriptor is None:
            return True
        try:
            return _ended(descriptor, time)
        finally:
            os.close(descriptor)

    def stop(self, grace: timedelta) -> bool:
        """Ask it to end, and kill it when the grace is over; whether it ended by itself."""
        ended = self._signal(signal.SIGTERM, grace)
        if not ended:
            self._signal(signal.SIGKILL, _KILLED_WITHIN)
        self.exit_status()  # or, as a child of ours, it would stay a zombie
        return ended

    def kill(self) -> None:
        """End it at once, without a chance to put anything in order."""
        self._signal(signal.SIGKILL, _KILLED_WITHIN)
        self.exit_status()

    def exit_status(self) -> int | None:
        """Return how it ended, negative for a signal; None if it runs, or is not this command's child."""
        with suppress(ChildProcessError):
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)
        return None

    def _signal(self, number: signal.Signals, wait: timedelta) -> bool:
        descriptor = self._open()
        if descriptor is None:
            return True
        try:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(descriptor, number)
            return _ended(descriptor, wait)
        finally:
            os.close(descriptor)

    def _open(self) -> int | None:
        """Return a descriptor that stays with this very process, or None if it is gone."""
        try:
            descriptor = os.pidfd_open(self.pid)
        except OSError:
            return None
        # Only now: whoever had the number before the descriptor was opened has another birth.
        if birth_of(self.pid) != self.birth:
            os.close(descriptor)
            return None
        return descriptor


class Processes:
    """The processes of one folder: each has its log and its pid file there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def start(self, name: str, argv: Sequence[str], env: Mapping[str, str]) -> Process:
        """Start a process in a session of its own, so that Ctrl-C here does not reach it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        log = self.log(name)
        if log.exists():
            log.replace(log.with_suffix(".previous.log"))
        pid = os.posix_spawn(argv[0], list(argv), dict(env), setsid=True, file_actions=_redirected(log))
        process = Process(name, pid, birth_of(pid))
        self._write(process)
        return process

    def find(self, name: str) -> Process | None:
        """Return the process of that name if it still runs."""
        try:
            said = json.loads(self._pid_file(name).read_text())
            process = Process(name, int(said["pid"]), str(said["birth"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return process if process.alive else None

    def forget(self, name: str) -> None:
        self._pid_file(name).unlink(missing_ok=True)

    def log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def last_lines(self, name: str, count: int = 12) -> list[str]:
        with suppress(OSError):
            return self.log(name).read_text(errors="replace").splitlines()[-count:]
        return []

    def _write(self, process: Process) -> None:
        # In one step: a half-written file would leave a process that nobody may stop.
        draft = self._pid_file(process.name).with_suffix(".draft")
        draft.write_text(json.dumps({"pid": process.pid, "birth": process.birth}) + "\n")
        draft.replace(self._pid_file(process.name))

    def _pid_file(self, name: str) -> Path:
        return self.folder / f"{name}.pid"


def birth_of(pid: int) -> str:
    """Return when the process started, in a form that no other process shares; empty if there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    return f"{_BOOT.read_text().strip()}/{stat.rpartition(')')[2].split()[_START_TIME]}"


def _redirected(log: Path) -> list[tuple[int, int, str, int, int] | tuple[int, int, int]]:
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    return [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(log), flags, 0o644),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]


def _ended(descriptor: int, within: timedelta) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(within.total_seconds() * 1000))
