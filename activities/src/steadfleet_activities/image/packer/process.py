"""Run packer so that all of it ends: with its time, with a cancellation, and with the worker itself.

>>> result = await run_packer(argv, cwd, env, on_event, time_limit, grace, folder=folder)
>>> result.end, result.exit_status, result.outcome.amis
(<End.ENDED: 'ended'>, 0, {'eu-west-1': 'ami-0abc'})

Between us and packer stands a small process (`keeper.py`), for packer is a wrapper, an inner process
and one for each plugin: a signal to the first alone leaves the others, and a SIGKILL of the worker
leaves them all.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any

from steadfleet_activities.image.packer.log import Log
from steadfleet_activities.image.packer.output import Event, Other, Outcome, Parser, Summary, Ui
from steadfleet_activities.image.packer.surroundings import make_scratch, surroundings
from steadfleet_core.errors import RefusedError
from steadfleet_core.model import Model

LOG_NAME = "packer.log"
_KEEPER = Path(__file__).with_name("keeper.py")
_STREAMS = ("output", "aside", "reports")
_MOST_ASIDE = 4_000


class End(StrEnum):
    """Why a run is over: packer ended by itself, at our wish, or by somebody else's signal."""

    ENDED = "ended"
    TIMED_OUT = "timed out"
    CANCELLED = "cancelled"
    KILLED = "killed"


class Result(Model):
    """
    `exit_status` is -N if signal N ended packer, `aside` the end of what it wrote to stderr.

    `forced` means that something of it had to be killed: it may not have finished cleaning up.
    """

    end: End
    exit_status: int
    outcome: Outcome
    log: Path
    aside: str = ""
    forced: bool = False


async def run_packer(  # noqa: PLR0917 - the first five are what every run of a process has
    argv: Sequence[str],
    cwd: Path,
    env: Mapping[str, str],
    on_event: Callable[[Event], None],
    time_limit: timedelta,
    grace: timedelta,
    *,
    folder: Path,
) -> Result:
    """
    Run packer, tell `on_event` of all that it says, and return when nothing of it is left.

    It sees of our environment only PATH; `env` is what it gets besides (AWS_*, DOCKER_*). The grace is
    for its own cleaning up after a SIGTERM: on AWS, minutes. `folder` belongs to this run alone: the
    log `packer.log` is left there, and if this process is killed, the folder goes when packer has gone.

    A cancellation is raised only when nothing of packer is left; the log's last line then says so.
    Raises `RefusedError` if packer cannot be started here.
    """
    scratch = make_scratch(folder)
    run = _Run(folder / LOG_NAME, on_event, grace)
    try:
        order = {"argv": list(argv), "cwd": str(cwd), "scratch": str(scratch), "folder": str(scratch.parent)}
        await run.begin(order, surroundings(scratch, env))
        await run.over(time_limit)
    finally:
        run.close()
    if run.end is End.CANCELLED:
        raise asyncio.CancelledError
    return run.result()


class _Run:
    """One run, in callbacks of the event loop: so no cancellation can cut its beginning or end in two."""

    def __init__(self, log: Path, on_event: Callable[[Event], None], grace: timedelta) -> None:
        self.end = End.ENDED
        self._log_path = log
        self._log = Log(log)
        self._on_event = on_event
        self._grace = grace
        self._parser, self._summary = Parser(), Summary()
        self._aside = self._reports = b""
        self._reported: dict[str, Any] = {}
        self._failure: Exception | None = None
        self._open = set(_STREAMS)
        self._all_closed = asyncio.get_running_loop().create_future()
        self._kept = ExitStack()
        self._keeper: subprocess.Popen[bytes] | None = None
        self._ask = -1

    async def begin(self, order: dict[str, Any], env: dict[str, str]) -> None:
        with ExitStack() as handed_over:
            ends = {name: _pipe(handed_over) for name in _STREAMS}
            heard, self._ask = os.pipe()
            handed_over.callback(os.close, heard)
            self._kept.callback(os.close, self._ask)
            await self._listen({name: read for name, (read, _) in ends.items()})
            fds = {
                "reads": [ends["output"][0], ends["aside"][0]],
                "writes": [ends["output"][1], ends["aside"][1]],
            }
            words = json.dumps({**order, **fds, "grace": self._grace.total_seconds()})
            # It blocks for a few milliseconds, so that nothing can come between it and our knowing it.
            self._keeper = subprocess.Popen(  # noqa: ASYNC220, S603 - our own file, our own interpreter
                [sys.executable, "-I", "-S", str(_KEEPER), words],
                stdin=heard,
                stdout=ends["reports"][1],
                pass_fds=[*fds["reads"], *fds["writes"]],
                start_new_session=True,
                env=env,
            )

    async def over(self, time_limit: timedelta) -> None:
        """Wait until nothing is left of it. A cancellation asks it to end, and is not raised here."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + time_limit.total_seconds()
        while not self._all_closed.done():
            left = max(0.0, deadline - clock()) if self.end is End.ENDED else None
            try:
                done, _ = await asyncio.wait([self._all_closed], timeout=left)
            except asyncio.CancelledError:
                self._ask_to_end(End.CANCELLED)
            else:
                if not done:
                    self._ask_to_end(End.TIMED_OUT)

    def close(self) -> None:
        self._kept.close()
        if self._keeper is not None:
            self._keeper.wait()
        if self.end is not End.ENDED:
            self._note(f"steadfleet: packer was {self.end}")
        self._log.close()

    def result(self) -> Result:
        if self._failure is not None:
            raise self._failure
        if "refused" in self._reported:
            raise RefusedError(f"packer cannot be started: {self._reported['refused']}")
        lost = "gone" not in self._reported  # the keeper itself was killed
        status = int(self._reported.get("exited", -signal.SIGKILL))
        return Result(
            end=End.KILLED if self.end is End.ENDED and status < 0 else self.end,
            exit_status=status,
            outcome=self._summary.outcome(),
            log=self._log_path,
            aside=self._aside.decode("utf-8", "replace"),
            forced=lost or self._reported["forced"],
        )

    async def _listen(self, reads: Mapping[str, int]) -> None:
        hearers = {"output": self._hear, "aside": self._hear_aside, "reports": self._hear_report}
        for name, fd in reads.items():
            # A descriptor of our own: the keeper needs the other, should nobody else read any more.
            file = os.fdopen(os.dup(fd), "rb", buffering=0)
            stream = partial(_Stream, self._guarded(hearers[name]), partial(self._closed, name))
            transport, _ = await asyncio.get_running_loop().connect_read_pipe(stream, file)
            self._kept.callback(transport.close)

    def _guarded(self, hear: Callable[..., None]) -> Callable[..., None]:
        def guarded(*heard: bytes) -> None:
            try:
                hear(*heard)
            except Exception as error:  # noqa: BLE001 - the caller's `on_event`, or a full disk: raised at the end
                self._failure = self._failure or error
                self._ask_to_end(self.end)

        return guarded

    def _hear(self, data: bytes) -> None:
        self._take(self._parser.feed(data))

    def _hear_aside(self, data: bytes) -> None:
        self._aside = (self._aside + data)[-_MOST_ASIDE:]
        self._note(data.decode("utf-8", "replace").rstrip("\n"))

    def _hear_report(self, data: bytes) -> None:
        *lines, self._reports = (self._reports + data).split(b"\n")
        for line in lines:
            self._reported |= json.loads(line)

    def _take(self, events: list[Event]) -> None:
        for event in events:
            self._summary.note(event)
            match event:
                case Ui(text=text):
                    self._note(text)
                case Other(type="", data=[text, *_]):
                    self._note(text)
                case _:
                    pass
            self._on_event(event)

    def _note(self, text: str) -> None:
        self._log.write(f"{datetime.now(UTC):%H:%M:%S} {text}")

    def _closed(self, name: str) -> None:
        self._open.discard(name)
        if name == "output":
            self._guarded(lambda: self._take(self._parser.close()))()
        if name == "reports" and "gone" not in self._reported:
            self._end_without_keeper()
        if not self._open and not self._all_closed.done():
            self._all_closed.set_result(None)

    def _ask_to_end(self, why: End) -> None:
        if self.end is not End.CANCELLED:
            self.end = why
        with suppress(BrokenPipeError):  # it has just ended, and all with it
            os.write(self._ask, b"end\n")

    def _end_without_keeper(self) -> None:
        """See to it that packer ends: the kernel has told it to."""

        def kill() -> None:
            with suppress(ProcessLookupError):
                os.killpg(self._reported["began"], signal.SIGKILL)

        if "began" in self._reported:
            asyncio.get_running_loop().call_later(self._grace.total_seconds(), kill)


class _Stream(asyncio.Protocol):
    def __init__(self, hear: Callable[[bytes], None], closed: Callable[[], None]) -> None:
        self._hear, self._on_closed = hear, closed

    def data_received(self, data: bytes) -> None:
        self._hear(data)

    def connection_lost(self, _error: Exception | None) -> None:
        self._on_closed()


def _pipe(stack: ExitStack) -> tuple[int, int]:
    """Make a pipe; both ends are closed with the stack."""
    ends = os.pipe()
    for end in ends:
        stack.callback(os.close, end)
    return ends
