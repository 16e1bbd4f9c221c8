"""Recovery time and data loss are what the witness saw: no earlier, no later, no less."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steadfleet_core.drill.measuring import (
    MOST_STRETCHES,
    DataLoss,
    LedgerEntry,
    Observation,
    Sample,
    Stretch,
    loss_of,
    stretched,
)

DECLARED = datetime(2027, 1, 31, 4, tzinfo=UTC)
SECOND = timedelta(seconds=1)
NONE = timedelta(0)


def observed(answers: list[bool], successes: int = 3, reasons: list[str] | None = None) -> Observation:
    """Probe once a second, from a second after the declared start."""
    seen = Observation(service="web", declared_at=DECLARED, interval=SECOND, successes=successes)
    said = reasons or ["" if good else "refused" for good in answers]
    for number, (good, reason) in enumerate(zip(answers, said, strict=True), 1):
        seen = seen.seen(Sample(at=DECLARED + number * SECOND, good=good, reason=reason))
    return seen


def test_recovered_is_the_last_of_the_row_and_good_is_its_first() -> None:
    seen = observed([False, True, False, True, True, True, False])

    assert seen.first_good_at == DECLARED + 4 * SECOND
    assert seen.recovered_at == DECLARED + 6 * SECOND
    assert seen.recovery_time == 6 * SECOND
    assert seen.probes == 6


def test_a_row_that_is_one_short_is_no_recovery() -> None:
    seen = observed([True, True, False, True, True])

    assert (seen.recovered_at, seen.first_good_at, seen.recovery_time) == (None, None, None)


def test_one_success_is_enough_where_one_is_asked_for() -> None:
    assert observed([False, True], successes=1).recovery_time == 2 * SECOND


def test_what_a_good_probe_says_besides_does_not_break_the_row() -> None:
    assert observed([True, True, True], reasons=["warm", "", "cold"]).recovery_time == 3 * SECOND


def test_the_uncertainty_is_an_interval_unless_the_witness_was_blind_for_longer() -> None:
    seen = observed([False, False])
    assert seen.uncertainty == SECOND

    blind = seen.seen(Sample(at=DECLARED + 42 * SECOND, good=True))

    assert (blind.longest_gap, blind.uncertainty) == (40 * SECOND, 40 * SECOND)


def test_a_late_first_probe_is_a_gap_as_well() -> None:
    seen = Observation(service="web", declared_at=DECLARED, interval=SECOND, successes=3)

    assert seen.seen(Sample(at=DECLARED + 9 * SECOND, good=True)).longest_gap == 9 * SECOND


@settings(max_examples=200)
@given(st.lists(st.booleans(), max_size=40), st.integers(1, 4))
def test_recovery_is_the_first_row_that_is_long_enough(answers: list[bool], successes: int) -> None:
    ends = [end for end in range(successes, len(answers) + 1) if all(answers[end - successes : end])]

    seen = observed(answers, successes)

    assert seen.recovery_time == (ends[0] * SECOND if ends else None)
    if ends:
        assert seen.first_good_at == DECLARED + (ends[0] - successes + 1) * SECOND


def test_a_service_that_flaps_for_hours_still_fits_into_a_payload() -> None:
    seen = observed([number % 2 == 0 for number in range(1000)])

    assert len(seen.stretches) == MOST_STRETCHES
    assert seen.probes == 1000


@settings(max_examples=100)
@given(st.lists(st.tuples(st.booleans(), st.sampled_from(["", "refused", "500"])), max_size=40))
def test_stretches_forget_no_probe(said: list[tuple[bool, str]]) -> None:
    stretches: tuple[Stretch, ...] = ()
    for number, (good, reason) in enumerate(said):
        sample = Sample(at=DECLARED + number * SECOND, good=good, reason=reason)
        stretches = stretched(stretches, sample)

    assert [one.good for one in stretches for _ in range(one.count)] == [good for good, _ in said]


# --- data loss: entry n was acknowledged n seconds before the declared start


def lost(ages: list[int], recovered: list[int]) -> DataLoss:
    entries = [LedgerEntry(sequence=1000 - age, acknowledged_at=DECLARED - age * SECOND) for age in ages]
    return loss_of("orders", "orders", entries, [1000 - age for age in recovered], DECLARED)


def test_lost_is_what_was_acknowledged_and_is_not_there() -> None:
    loss = lost([5, 4, 3, 2, 1], [5, 4, 3])

    assert (loss.acknowledged, loss.recovered, loss.lost) == (5, 3, 2)
    assert loss.oldest_lost_age == 2 * SECOND
    assert loss.newest_recovered_at == DECLARED - 3 * SECOND
    assert loss.covered == 5 * SECOND


def test_the_oldest_lost_write_counts_also_where_newer_ones_are_there() -> None:
    loss = lost([5, 4, 3, 2, 1], [5, 3, 2, 1])

    assert (loss.lost, loss.oldest_lost_age) == (1, 4 * SECOND)


def test_rows_beyond_the_first_of_a_write_are_duplicates() -> None:
    assert lost([3, 2, 1], [3, 2, 2, 2, 1, 1]).duplicates == 3


def test_what_nobody_was_told_to_be_safe_is_no_loss_and_no_gain() -> None:
    loss = lost([5, 3], [5, 4, 3])

    assert (loss.lost, loss.unacknowledged, loss.recovered) == (0, 1, 2)


def test_what_was_acknowledged_after_the_declared_start_does_not_count() -> None:
    loss = lost([2, 1, -1, -2], [2, 1])

    assert (loss.acknowledged, loss.lost) == (2, 0)


def test_an_empty_ledger_covers_nothing() -> None:
    loss = lost([], [])

    assert (loss.acknowledged, loss.covered, loss.oldest_lost_age, loss.uncertainty) == (0, NONE, NONE, NONE)


def test_where_nothing_is_lost_the_time_since_the_last_entry_is_unsaid() -> None:
    assert lost([100, 90], [100, 90]).uncertainty == 90 * SECOND


def test_a_loss_may_be_older_by_the_silence_before_it() -> None:
    # The ledger was silent from 100 s to 10 s before, and the data is from 95 s before.
    loss = lost([102, 101, 100, 10, 9], [102, 101, 100])

    assert (loss.oldest_lost_age, loss.uncertainty) == (10 * SECOND, 90 * SECOND)


@settings(max_examples=200)
@given(st.data())
def test_every_acknowledged_write_is_either_lost_or_recovered(data: st.DataObject) -> None:
    ages = data.draw(st.lists(st.integers(0, 50), unique=True).map(lambda found: sorted(found, reverse=True)))
    there = data.draw(st.lists(st.sampled_from(ages))) if ages else []

    loss = lost(ages, there)

    gone = set(ages) - set(there)
    assert (loss.lost, loss.recovered) == (len(gone), len(set(there)))
    assert loss.oldest_lost_age == max(gone, default=0) * SECOND
    assert loss.duplicates == len(there) - len(set(there))
    assert loss.oldest_lost_age + loss.uncertainty <= loss.covered


@pytest.mark.parametrize("model", [observed([True, False]), lost([3, 2], [3])])
def test_a_measurement_survives_its_journey(model: Observation | DataLoss) -> None:
    assert type(model).model_validate_json(model.model_dump_json()) == model
