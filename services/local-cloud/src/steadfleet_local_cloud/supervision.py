"""The server's end of the pipe to the supervisor process."""

from __future__ import annotations

import itertools
import json
import logging
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from datetime import timedelta
from pathlib import Path
from typing import IO, Any, cast

from steadfleet_local_cloud.errors import MachineError

_log = logging.getLogger(__name__)
_SUPERVISOR = Path(__file__).with_name("supervisor.py")
_ANSWER_TIME = 30.0
_CLOSE_TIME = 10.0
_GONE = "the supervisor of the machines is gone, and they with it"


class Supervision:
    """Start, signal and end processes through the supervisor; `exited` is told of each that ends."""

    def __init__(self, exited: Callable[[int, int], None]) -> None:
        self._exited = exited
        self._lock = threading.Lock()
        self._tickets = itertools.count(1)
        self._answers: dict[int, Future[dict[str, Any]]] = {}
        self._ends: dict[int, Future[int]] = {}
        self._closing = False
        self._process = subprocess.Popen(  # noqa: S603 - our own file, our own interpreter
            [sys.executable, "-S", "-E", str(_SUPERVISOR)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # a Ctrl-C at the server's terminal is for the server alone
        )
        self._stdin = cast("IO[bytes]", self._process.stdin)
        self._stdout = cast("IO[bytes]", self._process.stdout)
        self._exits: queue.SimpleQueue[tuple[int, int] | None] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=work, name="supervision", daemon=True)
            for work in (self._read, self._report)
        ]
        for thread in self._threads:
            thread.start()

    def spawn(
        self, machine: str, argv: list[str], cwd: Path, env: dict[str, str], *, stdout: Path, stderr: Path
    ) -> int:
        answer = self._ask(
            do="spawn",
            machine=machine,
            argv=argv,
            cwd=str(cwd),
            env=env,
            stdout=str(stdout),
            stderr=str(stderr),
        )
        return int(answer["pid"])

    def signal(self, machine: str, number: int) -> None:
        """Signal everything that runs on the machine."""
        self._ask(do="signal", machine=machine, signal=int(number))

    def kill(self, pid: int) -> None:
        self._ask(do="kill", pid=pid)

    def end(self, machine: str) -> None:
        """Kill everything that runs on the machine, and return when it is gone."""
        self._ask(do="end", machine=machine)

    def wait(self, pid: int, time_limit: timedelta) -> int | None:
        """Return the exit status of a spawned process, or None if it still runs when the time is up."""
        with self._lock:
            end = self._ends[pid]
        try:
            return end.result(time_limit.total_seconds())
        except TimeoutError:
            return None

    def close(self) -> None:
        """End every process and the supervisor itself."""
        if self._closing:
            return
        self._closing = True
        self._stdin.close()
        try:
            self._process.wait(_CLOSE_TIME)
        except subprocess.TimeoutExpired:
            _log.exception("the supervisor did not end: killing it")
            self._process.kill()
            self._process.wait()
        for thread in self._threads:
            thread.join()
        self._stdout.close()

    def _ask(self, **request: object) -> dict[str, Any]:
        answer: Future[dict[str, Any]] = Future()
        with self._lock:
            ticket = next(self._tickets)
            self._answers[ticket] = answer
            self._send({**request, "ticket": ticket})
        got = answer.result(_ANSWER_TIME)
        if "error" in got:
            raise MachineError(f"the supervisor could not {request['do']}: {got['error']}")
        return got

    def _send(self, request: dict[str, object]) -> None:
        try:
            self._stdin.write(json.dumps(request).encode() + b"\n")
            self._stdin.flush()
        except (OSError, ValueError) as error:
            raise MachineError(_GONE) from error

    def _read(self) -> None:
        for line in self._stdout:
            message = json.loads(line)
            if "exited" in message:
                self._ended(message["exited"], message["status"])
            else:
                self._answered(message)
        if not self._closing:
            _log.error("the supervisor of the machines ended: all machines are gone")
        self._give_up()

    def _answered(self, message: dict[str, Any]) -> None:
        with self._lock:
            if "pid" in message:
                self._ends[message["pid"]] = Future()  # of an earlier process, perhaps: ids come round
            answer = self._answers.pop(message["ticket"])
        answer.set_result(message)

    def _ended(self, pid: int, status: int) -> None:
        with self._lock:
            end = self._ends[pid]
        end.set_result(status)
        self._exits.put((pid, status))

    def _give_up(self) -> None:
        """Say what the supervisor cannot say any more: nothing outlives it."""
        with self._lock:
            answers = list(self._answers.values())
            running = [pid for pid, end in self._ends.items() if not end.done()]
        for answer in answers:
            answer.set_exception(MachineError(_GONE))
        for pid in running:
            self._ended(pid, -signal.SIGKILL)
        self._exits.put(None)

    def _report(self) -> None:
        # Apart from the reader: whoever is told may hold a lock that awaits an answer.
        while (end := self._exits.get()) is not None:
            self._exited(*end)
