"""Probe many targets at once from one thread."""

from __future__ import annotations

import asyncio
import logging
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

_log = logging.getLogger(__name__)
_STATUS_PARTS = 2
_REQUEST = (
    "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: ELB-HealthChecker/2.0\r\nConnection: close\r\n\r\n"
)


@dataclass(frozen=True)
class Check:
    """One target group's health check, for one target; times are in seconds."""

    protocol: str
    address: str
    port: int
    path: str
    codes: str
    timeout: float
    interval: float


@dataclass(frozen=True)
class Failure:
    """Why a probe failed, in AWS's words."""

    reason: str
    description: str


_TIMEOUT = Failure("Target.Timeout", "Request timed out")
_REFUSED = Failure("Target.FailedHealthChecks", "Health checks failed")


class Prober:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="prober", daemon=True)
        self._thread.start()

    def watch(self, check: Callable[[], Check | None], note: Callable[[Failure | None], None]) -> None:
        """Probe now and at every interval, for as long as `check` says what to probe."""
        self._loop.call_soon_threadsafe(self._start, check, note)

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self._cancel(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _start(self, check: Callable[[], Check | None], note: Callable[[Failure | None], None]) -> None:
        task = self._loop.create_task(_watch(check, note))
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            _log.error("a health probe broke: its target's health stands still", exc_info=error)

    async def _cancel(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _watch(check: Callable[[], Check | None], note: Callable[[Failure | None], None]) -> None:
    loop = asyncio.get_running_loop()
    while current := check():
        began = loop.time()
        failure = await probe(current)
        if check() is None:
            return  # deregistered meanwhile
        note(failure)
        await asyncio.sleep(max(0.0, began + current.interval - loop.time()))


async def probe(check: Check) -> Failure | None:
    """Ask the target once; None if it passed."""
    try:
        async with asyncio.timeout(check.timeout):
            if check.protocol in {"TCP", "TLS"}:
                await _connect(check)
                return None
            return await _ask(check)
    except TimeoutError:
        return _TIMEOUT
    except (OSError, ValueError, asyncio.IncompleteReadError):
        return _REFUSED


async def _connect(check: Check) -> None:
    _, writer = await asyncio.open_connection(check.address, check.port)
    await _close(writer)


async def _ask(check: Check) -> Failure | None:
    reader, writer = await asyncio.open_connection(check.address, check.port, ssl=_tls(check.protocol))
    try:
        writer.write(_REQUEST.format(path=check.path, host=check.address).encode())
        status = (await reader.readline()).split(maxsplit=_STATUS_PARTS)
        if len(status) < _STATUS_PARTS:
            return _REFUSED
        code = int(status[1])
    finally:
        await _close(writer)
    if _accepts(check.codes, code):
        return None
    return Failure("Target.ResponseCodeMismatch", f"Health checks failed with these codes: [{code}]")


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()
    with suppress(OSError):
        await writer.wait_closed()


def _tls(protocol: str) -> ssl.SSLContext | None:
    if protocol != "HTTPS":
        return None
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # as a load balancer does with its targets
    return context


def _accepts(codes: str, code: int) -> bool:
    """Match `200`, `200,202` or `200-299`."""
    for part in codes.split(","):
        low, _, high = part.partition("-")
        if int(low) <= code <= int(high or low):
            return True
    return False
