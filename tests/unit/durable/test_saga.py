"""A saga outside of its workflow's loop: when a worker lets go of a workflow that is still open."""

import asyncio
from collections.abc import Generator
from typing import Any

from steadfleet_durable import Saga


class Waiting:
    """Waits for ever."""

    def __await__(self) -> Generator[Any, None, None]:
        yield


async def test_an_open_workflow_that_is_let_go_of_is_closed_in_peace() -> None:
    async def step() -> None:
        async with Saga():
            await Waiting()

    coroutine = step()
    coroutine.send(None)

    coroutine.close()

    assert asyncio.current_task() is not None
