"""Run a program of the worker's own, in a group of its own, with a time limit that is kept."""

import asyncio
import os
import signal
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from steadfleet_activities.image.examining.machine import MOST_OUTPUT, Captured, Ran

_CHUNK = 65536
# What outlives the program may hold its pipes open for ever.
_LAST_WORDS = 1.0


async def run_process(
    argv: Sequence[str],
    limit: timedelta,
    *,
    most: int = MOST_OUTPUT,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Ran:
    """Run it to its end or to the limit; no process of its group is left, whatever happens."""
    process = await asyncio.create_subprocess_exec(
        *argv, stdin=DEVNULL, stdout=PIPE, stderr=PIPE, env=env, cwd=cwd, start_new_session=True
    )
    out, err = Captured(most), Captured(most)
    reading = asyncio.gather(_read(process.stdout, out), _read(process.stderr, err))
    status: int | None = None
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(limit.total_seconds()):
                status = await process.wait()
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await asyncio.wait([reading], timeout=_LAST_WORDS)
        reading.cancel()
        await process.wait()
    return Ran(status, out, err)


async def _read(stream: asyncio.StreamReader | None, captured: Captured) -> None:
    while stream is not None and (more := await stream.read(_CHUNK)):
        captured.feed(more)
