"""Look again until something holds, more and more slowly."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import ParamSpec, TypeVar

from steadfleet_durable import unbroken

_FIRST_PAUSE = 0.2
_LONGEST_PAUSE = 5.0
_GROWTH = 1.5

_Seen = TypeVar("_Seen")
_P = ParamSpec("_P")


class Pace:
    """Pauses that grow: what is quick is seen at once, and what is slow does not flood the platform."""

    def __init__(self) -> None:
        self._pause = _FIRST_PAUSE

    async def rest(self) -> None:
        await asyncio.sleep(self._pause)
        self._pause = min(self._pause * _GROWTH, _LONGEST_PAUSE)


async def looked(
    done: Callable[[_Seen], bool],
    limit: timedelta | None,
    look: Callable[_P, _Seen],
    *args: _P.args,
    **kwargs: _P.kwargs,
) -> _Seen:
    """Look until it is done or the limit has passed; what was seen last says which."""
    loop = asyncio.get_running_loop()
    end = loop.time() + limit.total_seconds() if limit is not None else float("inf")
    pace = Pace()
    while True:
        seen = await unbroken(look, *args, **kwargs)
        if done(seen) or loop.time() > end:
            return seen
        await pace.rest()
