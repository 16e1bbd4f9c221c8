"""
The one process that starts machines' processes and ends them all when the server goes, however it goes.

Standard library only, one thread: fork is safe and quick here, which it is not in the server,
and "die with my parent" is bound to the parent's *thread* on Linux. It reads requests from
stdin and answers on stdout, one JSON object a line. The end of stdin, which is also what a
SIGKILL of the server looks like from here, ends every machine.

    {"do": "spawn", "ticket": 1, "machine": "i-1", "argv": […], "cwd": "…", "env": {…},
     "stdout": "…", "stderr": "…"}
    {"do": "signal", "ticket": 2, "machine": "i-1", "signal": 19}
    {"do": "kill", "ticket": 3, "pid": 4711}
    {"do": "end", "ticket": 4, "machine": "i-1"}

Run by the server as a script: `python -S -E supervisor.py`.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import selectors
import signal
import time
from typing import Any

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_END_POLL_TIME = 0.002
_Request = dict[str, Any]

_processes: dict[int, str] = {}  # the process group's leader and the machine it belongs to


def main() -> None:
    """Serve requests until stdin ends."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    wake, waker = os.pipe()
    os.set_blocking(waker, False)
    signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)  # the server decides when machines end
    try:
        _serve(wake)
    finally:
        _end_everything()


def _serve(wake: int) -> None:
    selector = selectors.DefaultSelector()
    selector.register(0, selectors.EVENT_READ)
    selector.register(wake, selectors.EVENT_READ)
    buffered = b""
    while True:
        for key, _ in selector.select():
            data = os.read(key.fd, 1 << 16)
            if key.fd == wake:
                _reap()
                continue
            if not data:
                return
            *lines, buffered = (buffered + data).split(b"\n")
            for line in lines:
                _answer(json.loads(line))


def _answer(request: _Request) -> None:
    answer: _Request = {"ticket": request["ticket"]}
    try:
        match request["do"]:
            case "spawn":
                answer["pid"] = _spawn(request)
            case "signal":
                _signal_machine(request["machine"], request["signal"])
            case "kill":
                _signal_group(request["pid"], signal.SIGKILL)
            case "end":
                _end(request["machine"])
    except OSError as error:
        answer["error"] = str(error)
    _tell(answer)


def _tell(message: _Request) -> None:
    with contextlib.suppress(BrokenPipeError):  # the server is gone: the end of stdin follows
        os.write(1, json.dumps(message).encode() + b"\n")


def _spawn(request: _Request) -> int:
    supervisor = os.getpid()
    pid = os.fork()
    if pid == 0:
        try:
            _become(request, supervisor)
        except BaseException as error:  # noqa: BLE001 - nothing may return into the supervisor's loop
            os.write(2, f"{request['argv'][0]}: {error}\n".encode())
        finally:
            os._exit(127)
    _processes[pid] = request["machine"]
    return pid


def _become(request: _Request, supervisor: int) -> None:
    os.setsid()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for target, name in ((1, "stdout"), (2, "stderr")):
        os.dup2(os.open(request[name], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644), target)
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != supervisor:
        os._exit(127)  # it died before the line above took hold
    os.chdir(request["cwd"])
    os.execvpe(request["argv"][0], request["argv"], request["env"])  # noqa: S606 - running the image's program is the point


def _reap() -> None:
    """Collect every ended child; adopted orphans among them are nobody's news."""
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            if _processes.pop(pid, None) is not None:
                _tell({"exited": pid, "status": os.waitstatus_to_exitcode(status)})


def _signal_group(leader: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader, number)


def _signal_machine(machine: str, number: int) -> None:
    for leader, owner in list(_processes.items()):
        if owner == machine:
            _signal_group(leader, number)
    for pid in _escaped(machine):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _escaped(machine: str) -> list[int]:
    """Every process that carries the machine's id: a daemon left the group that it was started in."""
    mark = f"INSTANCE_ID={machine}".encode()
    found = []
    for name in os.listdir("/proc"):  # noqa: PTH208 - pathlib doubles the start-up time
        if name.isdigit():
            with contextlib.suppress(OSError), open(f"/proc/{name}/environ", "rb") as environ:  # noqa: PTH123 - as above
                if mark in environ.read().split(b"\0"):
                    found.append(int(name))
    return found


def _end(machine: str) -> None:
    """Kill until nothing of the machine is left: its address may be given away after this."""
    dying: set[int] = set()
    while True:
        # one that is dying shows no mark any more, and may hold its address still
        dying = {pid for pid in dying.union(_escaped(machine)) if os.path.exists(f"/proc/{pid}")}  # noqa: PTH110 - as above
        if not dying and machine not in _processes.values():
            return
        _signal_machine(machine, signal.SIGKILL)
        time.sleep(_END_POLL_TIME)
        _reap()


def _end_everything() -> None:
    """Kill every descendant; as the subreaper we inherit, and kill, what they leave behind."""
    while children := _children():
        for pid in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(_END_POLL_TIME)
        _reap()


def _children() -> list[int]:
    with open(f"/proc/self/task/{os.getpid()}/children") as children:  # noqa: PTH123 - as above
        return [int(pid) for pid in children.read().split()]


def _prctl(option: int, value: int) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl failed")


if __name__ == "__main__":
    main()
