"""A blocking call ends before its cancellation is raised."""

import asyncio
import contextvars
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from steadfleet_durable import unbroken, unbroken_in

campaign = contextvars.ContextVar("campaign", default="none")


class Blocking:
    """A call that says when it has begun, and ends when it is told to."""

    def __init__(self, error: Exception | None = None) -> None:
        self.begun = threading.Event()
        self.go_on = threading.Event()
        self.ended = False
        self.error = error

    def call(self) -> str:
        self.begun.set()
        self.go_on.wait(10)
        self.ended = True
        if self.error:
            raise self.error
        return "done"


async def _cancelled_amid(blocking: Blocking) -> "asyncio.Task[str]":
    task = asyncio.create_task(unbroken(blocking.call))
    await asyncio.to_thread(blocking.begun.wait, 10)
    for _ in range(3):  # a cancel, and further ones
        task.cancel()
        _, pending = await asyncio.wait([task], timeout=0.02)
        assert pending
    assert not blocking.ended
    blocking.go_on.set()
    return task


async def test_the_result_comes_back() -> None:
    assert await unbroken("{}-{last}".format, "first", last="last") == "first-last"


async def test_an_error_comes_back() -> None:
    with pytest.raises(ZeroDivisionError):
        await unbroken(divmod, 1, 0)


async def test_a_cancel_is_raised_only_when_the_call_has_ended() -> None:
    blocking = Blocking()
    task = await _cancelled_amid(blocking)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert blocking.ended


async def test_a_cancel_tells_how_the_call_failed() -> None:
    task = await _cancelled_amid(Blocking(OSError("lost")))
    with pytest.raises(asyncio.CancelledError) as cancelled:
        await task
    assert str(cancelled.value.__cause__) == "lost"


async def test_the_call_sees_the_context_of_its_caller() -> None:
    campaign.set("spring")
    assert await unbroken(campaign.get) == "spring"


async def test_threads_of_one_s_own() -> None:
    with ThreadPoolExecutor(1, thread_name_prefix="packer") as threads:
        name = await unbroken_in(threads, lambda: threading.current_thread().name)
    assert name.startswith("packer")


async def test_many_calls_run_side_by_side() -> None:
    """More than the loop's own pool has threads: a full fleet of slots must not wait for threads."""
    barrier = threading.Barrier(100, timeout=10)
    await asyncio.gather(*(unbroken(barrier.wait) for _ in range(100)))
