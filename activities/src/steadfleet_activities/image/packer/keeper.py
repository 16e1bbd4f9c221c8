"""
Keep one command and all that it starts, and see all of it end: also when the worker is killed.

Standard library only, one thread: "die with my parent" is bound to the parent's *thread* on Linux,
and a fork is safe here. It is told of the command by one JSON argument, and reports on stdout:

    {"began": PID}    the command begins, as the leader of its own session and process group
    {"refused": "…"}  it could not be started after all
    {"exited": STATUS}    its exit status, or -N if signal N ended it
    {"gone": true, "forced": false}    nothing of it is left; forced: something had to be killed

A line on stdin asks it to end the command: SIGTERM to the group, the grace, then SIGKILL to every
descendant. The end of stdin without a line is what a SIGKILL of the worker looks like from here:
then nobody will read the log or remove the run's folder, so that is done here too. If this process
is itself killed, the kernel sends the command a SIGTERM.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import selectors
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Any

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_LAST_TIME = 5.0
"""For what a command that has ended by itself has left running, in seconds."""
_KILL_POLL_TIME = 0.02
_CHUNK = 1 << 16


class Keeper:
    def __init__(self, order: dict[str, Any]) -> None:
        self._order = order
        self._selector = selectors.DefaultSelector()
        self._leader = 0
        self._leader_exited = False
        self._orphaned = False
        self._deadline: float | None = None
        self._forced = False

    def run(self) -> None:
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)
        for fd in (*self._order["reads"], *self._order["writes"]):
            os.set_inheritable(fd, False)  # noqa: FBT003 - positional only
        # As long as this runs the folder is held, for others remove what nobody holds: `scratch.py`.
        fcntl.flock(os.open(self._order["folder"], os.O_RDONLY), fcntl.LOCK_SH)
        self._listen()
        self._leader = self._start()
        if self._leader:
            while self._any_left():
                self._wait()
                self._kill_late()
            os.waitpid(self._leader, 0)
        self._tidy()
        _report(gone=True, forced=self._forced)

    def _listen(self) -> None:
        wake, waker = os.pipe()
        os.set_blocking(wake, False)
        os.set_blocking(waker, False)
        signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
            signal.signal(ignored, signal.SIG_IGN)  # the worker decides when the command ends
        self._selector.register(wake, selectors.EVENT_READ, self._drain)
        self._selector.register(0, selectors.EVENT_READ, self._hear)

    def _start(self) -> int:
        """Start the command; return its process id, or 0 if there is no such command."""
        here, failure, fail = os.getpid(), *os.pipe()
        pid = os.fork()
        if not pid:
            _become(self._order, here, fail)
        os.close(fail)
        for end in self._order["writes"]:
            os.close(end)
        with os.fdopen(failure) as said:
            if reason := said.read():
                _report(refused=reason)
                os.waitpid(pid, 0)
                return 0
        return pid

    def _any_left(self) -> bool:
        """Collect who has ended; return whether anybody is left."""
        if not self._leader_exited:
            self._note_exit()
        while True:
            ended = [os.waitpid(pid, os.WNOHANG)[0] for pid in _children() if pid != self._leader]
            if not any(ended):  # or else its children may have become ours since we looked
                return bool(ended) or not self._leader_exited

    def _note_exit(self) -> None:
        # It is left a zombie: so nobody else gets its number, which is also the group's.
        end = os.waitid(os.P_PID, self._leader, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if end is None:
            return
        self._leader_exited = True
        killed = end.si_code != os.CLD_EXITED
        _report(exited=-end.si_status if killed else end.si_status)
        # Killed, it leaves processes behind that may yet clean up; ended, it has done so.
        self._end(self._order["grace"] if killed else _LAST_TIME)

    def _wait(self) -> None:
        left = None if self._deadline is None else max(0.0, self._deadline - time.monotonic())
        for key, _ in self._selector.select(left):
            key.data(key.fd)

    def _hear(self, fd: int) -> None:
        if not os.read(fd, _CHUNK):
            self._selector.unregister(fd)
            self._orphaned = True
            # Nobody else reads now, and a command that cannot write cannot clean up.
            for end in self._order["reads"]:
                os.set_blocking(end, False)
                self._selector.register(end, selectors.EVENT_READ, self._drain)
        if self._deadline is None:  # a second SIGTERM would cut the cleaning up short
            self._end(self._order["grace"])

    def _drain(self, fd: int) -> None:
        with contextlib.suppress(BlockingIOError):
            if not os.read(fd, _CHUNK):
                self._selector.unregister(fd)

    def _end(self, grace: float) -> None:
        deadline = time.monotonic() + grace
        self._deadline = deadline if self._deadline is None else min(self._deadline, deadline)
        self._signal(signal.SIGTERM)

    def _kill_late(self) -> None:
        if self._deadline is None or time.monotonic() < self._deadline:
            return
        self._forced = True
        self._deadline = time.monotonic() + _KILL_POLL_TIME
        self._signal(signal.SIGKILL)

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._leader, number)
        # Who left the group is still a descendant: an orphan becomes our child, and is met here.
        for pid in _children():
            if pid != self._leader:  # it has heard; a second SIGTERM would cut its cleaning up short
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)

    def _tidy(self) -> None:
        shutil.rmtree(self._order["scratch"], ignore_errors=True)
        if self._orphaned:
            shutil.rmtree(self._order["folder"], ignore_errors=True)


def _become(order: dict[str, Any], parent: int, fail: int) -> None:
    try:
        os.setsid()
        _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(1)
        # Told before it can do anything: whoever outlives a killed keeper must know whom to end.
        _report(began=os.getpid())
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)  # what is ignored stays so in a new program
        signal.set_wakeup_fd(-1)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for wanted, fd in enumerate((nothing, *order["writes"])):
            os.dup2(fd, wanted)
        os.chdir(order["cwd"])
        os.execvp(order["argv"][0], order["argv"])  # noqa: S606 - no shell is wanted
    except OSError as error:
        os.write(fail, str(error).encode())
    finally:
        os._exit(127)


def _children() -> list[int]:
    me = os.getpid()
    return [
        int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit() and _parent(entry) == me
    ]


def _parent(process: Path) -> int:
    try:
        status = (process / "stat").read_text(errors="replace")
    except OSError:  # it has just ended
        return 0
    return int(status.rpartition(")")[2].split()[1])


def _prctl(option: int, value: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


def _report(**message: object) -> None:
    with contextlib.suppress(BrokenPipeError):  # the worker is gone
        os.write(1, json.dumps(message).encode() + b"\n")


if __name__ == "__main__":
    Keeper(json.loads(sys.argv[1])).run()
