"""Keys that a person presses while a screen is shown."""

import asyncio
import os
import sys
import termios
import tty
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import TypeVar

_Look = TypeVar("_Look")


async def either(looks: AsyncIterator[_Look], keys: "asyncio.Queue[str]") -> AsyncIterator[_Look | str]:
    """Yield what comes first, looks or keys, until there are no more looks."""
    look, key = asyncio.ensure_future(anext(looks)), asyncio.ensure_future(keys.get())
    try:
        while True:
            await asyncio.wait({look, key}, return_when=asyncio.FIRST_COMPLETED)
            if key.done():
                yield key.result()
                key = asyncio.ensure_future(keys.get())
            if look.done():
                yield look.result()
                look = asyncio.ensure_future(anext(looks))
    except StopAsyncIteration:
        return
    finally:
        key.cancel()
        look.cancel()


@contextmanager
def pressed_keys() -> Iterator["asyncio.Queue[str]"]:
    """Give each key as it is pressed; Ctrl-C stays what it is."""
    descriptor, loop = sys.stdin.fileno(), asyncio.get_running_loop()
    pressed: asyncio.Queue[str] = asyncio.Queue()
    before = termios.tcgetattr(descriptor)
    tty.setcbreak(descriptor)

    def read() -> None:
        for key in os.read(descriptor, 64).decode(errors="replace"):
            pressed.put_nowait(key)

    loop.add_reader(descriptor, read)
    try:
        yield pressed
    finally:
        loop.remove_reader(descriptor)
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
