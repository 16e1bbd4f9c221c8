"""A cancel of the workflow aborts its work, and waits for the end of it: undoing is not interrupted."""

import asyncio
from collections.abc import Callable

from temporalio import workflow


async def outlast_cancels(
    work: asyncio.Task[None], abort: Callable[[str], None]
) -> asyncio.CancelledError | None:
    """Wait for the work; return the workflow's own cancel, if there was one."""
    cancelled = None
    while not work.done():
        try:
            await workflow.wait_condition(work.done)
        except asyncio.CancelledError as error:
            cancelled = error
            abort("the workflow was cancelled")
    return cancelled
