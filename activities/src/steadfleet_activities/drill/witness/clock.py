"""The one clock of a drill."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta


def _passed() -> float:
    # Where it is known, the time that the machine slept counts.
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class WitnessClock:
    """UTC as of the process's start, and from then on what has passed: it never jumps, nor goes back."""

    def __init__(
        self,
        wall: Callable[[], datetime] = lambda: datetime.now(UTC),
        passed: Callable[[], float] = _passed,
    ) -> None:
        self._passed = passed
        self._started = passed()
        self._at = wall()

    def now(self) -> datetime:
        return self._at + timedelta(seconds=self._passed() - self._started)
