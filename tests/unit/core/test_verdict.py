"""A bake is watched closely at first, and never by more than 200 samples."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steadfleet_core.campaign.policy import MAX_BAKE
from steadfleet_core.campaign.verdict import DENSE_SAMPLES, MOST_SAMPLES, sample_pause

SECOND = timedelta(seconds=1)


def pauses(bake: timedelta, interval: timedelta) -> list[timedelta]:
    """Return the pauses of a bake in which each sample tells something."""
    taken: list[timedelta] = []
    while (remaining := bake - sum(taken, timedelta(0))) > timedelta(0):
        taken.append(min(sample_pause(bake, interval, len(taken)), remaining))
    return taken


bakes = st.timedeltas(timedelta(0), MAX_BAKE)
intervals = st.timedeltas(SECOND, MAX_BAKE)


@settings(deadline=None)
@given(bakes, intervals)
def test_no_bake_takes_more_than_200_samples(bake: timedelta, interval: timedelta) -> None:
    assert len(pauses(bake, interval)) <= MOST_SAMPLES


@pytest.mark.parametrize(
    "bake", [timedelta(days=14), timedelta(hours=48), timedelta(hours=1, microseconds=7)]
)
def test_a_remainder_makes_no_further_sample(bake: timedelta) -> None:
    assert len(pauses(bake, SECOND)) <= MOST_SAMPLES


@settings(deadline=None)
@given(bakes, intervals)
def test_the_samples_cover_the_bake_to_its_end(bake: timedelta, interval: timedelta) -> None:
    assert sum(pauses(bake, interval), timedelta(0)) == bake


@settings(deadline=None)
@given(bakes, intervals)
def test_the_first_samples_come_at_the_interval_that_the_policy_asks_for(
    bake: timedelta, interval: timedelta
) -> None:
    first = pauses(bake, interval)[:DENSE_SAMPLES]

    assert set(first[:-1]) <= {interval}


@settings(deadline=None)
@given(bakes, intervals)
def test_no_pause_is_shorter_than_the_interval_but_the_last(bake: timedelta, interval: timedelta) -> None:
    assert all(pause >= interval for pause in pauses(bake, interval)[:-1])


def test_a_bake_without_time_takes_no_sample() -> None:
    assert pauses(timedelta(0), SECOND) == []


def test_a_short_bake_keeps_its_interval() -> None:
    assert pauses(timedelta(minutes=5), timedelta(seconds=30)) == [timedelta(seconds=30)] * 10


def test_a_long_bake_is_dense_at_first_and_wide_later() -> None:
    taken = pauses(timedelta(hours=48), timedelta(seconds=30))

    assert taken[: DENSE_SAMPLES + 1] == [timedelta(seconds=30)] * DENSE_SAMPLES + [
        timedelta(minutes=15, seconds=56, microseconds=666667)
    ]
    assert len(taken) == MOST_SAMPLES
