"""Judge a wave by what was measured of it. Missing data is never healthy."""

from datetime import timedelta
from enum import StrEnum

from steadfleet_core.model import Model

MISSED_SAMPLES = 3
"""Samples in a row with hosts of which nothing is known, before a person is asked."""

MOST_SAMPLES = 200
DENSE_SAMPLES = 20


class Verdict(StrEnum):
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
    INCONCLUSIVE = "inconclusive"


class Sample(Model):
    """One look at the changed hosts of a wave: indexes of the ill, and of those that could not be seen."""

    healthy: int
    unhealthy: tuple[int, ...] = ()
    unknown: tuple[int, ...] = ()
    reasons: dict[int, str] = {}


def sample_pause(bake: timedelta, interval: timedelta, taken: int) -> timedelta:
    """Return how long to wait before the next sample.

    Most bad releases show early, so the first samples are `interval` apart; later ones are
    spaced so that a bake is over after 200 samples, however long it is, if each tells something.
    """
    if taken < DENSE_SAMPLES:
        return interval
    rest = bake - DENSE_SAMPLES * interval
    return max(interval, -(-rest // (MOST_SAMPLES - DENSE_SAMPLES)))  # rounded up: a remainder is a sample
