"""Take down what was made, whatever happens."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from steadfleet_durable import get_logger

_log = get_logger(__name__)


@asynccontextmanager
async def always(undo: Callable[[], Awaitable[None]], what: str) -> AsyncIterator[None]:
    """
    Undo at the end of the block, to the end, however often it is cancelled meanwhile.

    An undo that fails is raised only where nothing else is: otherwise it would hide why the block
    failed. Nothing is forgotten then: the next try begins by undoing, and so does the saga.
    """
    try:
        yield
    except BaseException:
        try:
            await _to_its_end(undo)
        except Exception as error:  # noqa: BLE001 - whatever it is, it comes second
            _log.error("not taken down", what=what, error=str(error))
        raise
    await _to_its_end(undo)


async def _to_its_end(undo: Callable[[], Awaitable[None]]) -> None:
    undoing = asyncio.ensure_future(undo())
    while not undoing.done():
        with suppress(asyncio.CancelledError):
            await asyncio.wait([undoing])
    undoing.result()
