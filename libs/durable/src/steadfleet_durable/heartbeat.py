"""Show how far a long activity is, notice that it lives, and let an abort reach it."""

import asyncio
import contextvars
import functools
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from typing import Any, ParamSpec, Self, TypeVar

from temporalio import activity

_Model = TypeVar("_Model")
_Result = TypeVar("_Result")
_P = ParamSpec("_P")

# An abort reaches the activity with the answer to a beat. The SDK sends fewer than it is given:
# one in `max_heartbeat_throttle_interval`.
_LONGEST_INTERVAL = timedelta(seconds=1)
# Threads are made when needed; how many calls run at once is bounded by the worker's slots.
_threads = ThreadPoolExecutor(max_workers=1000, thread_name_prefix="unbroken")


class Heartbeat:
    """
    Beat in the background while an activity runs, saying the step it is in.

        async with Heartbeat() as beat:
            progress = beat.resume(Progress) or Progress()
            beat.step("drain", progress)
            await drain(host)
    """

    def __init__(self) -> None:
        # Without them the first beat of this attempt would wipe what the last attempt had left.
        self._details: tuple[Any, ...] = tuple(activity.info().heartbeat_details)
        self._ticking: asyncio.Task[None] | None = None

    def step(self, name: str, progress: object = None) -> None:
        """Name the current step, and replace the progress that a later attempt resumes from, if given."""
        kept = self._details[1:] if progress is None else (progress,)
        self._details = (name, *kept)
        activity.heartbeat(*self._details)

    @staticmethod
    def resume(model: type[_Model]) -> _Model | None:
        """Return the progress that the attempt before reported last."""
        details = activity.info().heartbeat_details
        if len(details) < 2:  # noqa: PLR2004  # (step, progress)
            return None
        converter = activity.payload_converter()
        resumed: _Model = converter.from_payload(converter.to_payload(details[1]), model)
        return resumed

    async def __aenter__(self) -> Self:
        self._ticking = asyncio.create_task(self._tick())
        return self

    async def __aexit__(self, *_error: object) -> None:
        if self._ticking is not None:
            self._ticking.cancel()
            with suppress(asyncio.CancelledError):
                await self._ticking

    async def _tick(self) -> None:
        timeout = activity.info().heartbeat_timeout
        interval = min(timeout / 3, _LONGEST_INTERVAL) if timeout else _LONGEST_INTERVAL
        while True:
            activity.heartbeat(*self._details)
            await asyncio.sleep(interval.total_seconds())


async def unbroken(fn: Callable[_P, _Result], *args: _P.args, **kwargs: _P.kwargs) -> _Result:
    """
    Run a blocking call in a thread; if cancelled meanwhile, raise only when the call has ended.

    So nothing is undone while it is still being done. The call itself cannot be interrupted:
    give it its own time limit.
    """
    return await unbroken_in(_threads, fn, *args, **kwargs)


async def unbroken_in(
    executor: Executor, fn: Callable[_P, _Result], *args: _P.args, **kwargs: _P.kwargs
) -> _Result:
    """Do as `unbroken`, on threads of your own."""
    in_context = functools.partial(contextvars.copy_context().run, functools.partial(fn, *args, **kwargs))
    call = asyncio.get_running_loop().run_in_executor(executor, in_context)
    cancelled: asyncio.CancelledError | None = None
    while not call.done():
        try:
            await asyncio.wait([call])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled from call.exception()
    return call.result()
