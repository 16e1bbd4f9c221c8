"""Wait for a thing instead of for a time."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
_POLL_TIME = 0.02


def until(look: Callable[[], T], wanted: Callable[[T], object] = bool, *, seconds: float = 15.0) -> T:
    """Look until what is seen is wanted, and return it; fail with the last sight at the deadline."""
    deadline = time.monotonic() + seconds
    while not wanted(seen := look()):
        assert time.monotonic() < deadline, f"after {seconds} s still {seen!r}"
        time.sleep(_POLL_TIME)
    return seen
