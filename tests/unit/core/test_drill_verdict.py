"""A verdict is green only for what was proven."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steadfleet_core.drill.measuring import DataLoss, LedgerEntry, Observation, Sample, loss_of
from steadfleet_core.drill.verdict import (
    Judged,
    Judgement,
    Verdict,
    judge_cleanup,
    judge_data,
    judge_isolation,
    judge_recovery,
)

DECLARED = datetime(2027, 1, 31, 4, tzinfo=UTC)
SECOND = timedelta(seconds=1)
RTO = timedelta(minutes=1)
RPO = timedelta(seconds=10)
PASSED, FAILED, NOT_PROVEN = Verdict.PASSED, Verdict.FAILED, Verdict.NOT_PROVEN


def seen(recovered_after: float | None, *, gap: float = 1, service: str = "web") -> Observation:
    """Say what a witness saw that probes once a second and was blind for `gap` seconds."""
    at = None if recovered_after is None else DECLARED + timedelta(seconds=recovered_after)
    return Observation(
        service=service,
        declared_at=DECLARED,
        interval=SECOND,
        successes=3,
        recovered_at=at,
        probes=9,
        longest_gap=timedelta(seconds=gap),
    )


def recovery(*observations: Observation, expected: tuple[str, ...] = ("web",), **more: Any) -> Judged:
    return judge_recovery(observations, expected, RTO, **more)


@pytest.mark.parametrize(
    ("after", "verdict"),
    [(1, PASSED), (60, PASSED), (60.5, NOT_PROVEN), (61, NOT_PROVEN), (61.1, FAILED), (900, FAILED)],
)
def test_recovery_is_held_against_the_rto_as_sharply_as_it_was_measured(
    after: float, verdict: Verdict
) -> None:
    assert recovery(seen(after)).verdict is verdict


def test_a_witness_that_did_not_probe_proves_nothing() -> None:
    unprobed = Observation(service="web", declared_at=DECLARED, interval=SECOND, successes=3)

    for judged in (recovery(), recovery(unprobed)):
        assert judged == Judged(verdict=NOT_PROVEN, reasons=("web: the witness did not probe it",))


def test_a_service_that_never_answered_has_failed_with_what_was_said_last() -> None:
    refused = unanswered("did not answer: Connection refused")

    judged = recovery(refused)

    assert judged.verdict is FAILED
    assert judged.reasons == ("web did not answer 3 times in a row: did not answer: Connection refused",)


def test_a_watch_that_was_cut_short_proves_nothing_of_a_service_that_had_not_answered() -> None:
    late, refused = seen(900, service="shop"), unanswered("did not answer: Connection refused")

    assert recovery(refused, cut_short=True).verdict is NOT_PROVEN
    assert recovery(refused, cut_short=True).reasons == recovery(refused).reasons
    assert recovery(late, refused, expected=("shop", "web"), cut_short=True).verdict is FAILED


def unanswered(reason: str) -> Observation:
    start = Observation(service="web", declared_at=DECLARED, interval=SECOND, successes=3)
    return start.seen(Sample(at=DECLARED + SECOND, good=False, reason=reason))


def test_a_blind_witness_proves_no_recovery() -> None:
    judged = recovery(seen(30, gap=20))

    assert judged.verdict is NOT_PROVEN
    assert "the witness was blind for 20s" in judged.reasons[0]


def test_a_blind_witness_does_not_call_late_what_may_have_been_in_time() -> None:
    assert recovery(seen(70, gap=20)).verdict is NOT_PROVEN


def test_every_service_must_recover() -> None:
    both = ("web", "api")

    assert recovery(seen(9), seen(8, service="api"), expected=both).verdict is PASSED
    assert recovery(seen(9), expected=both).verdict is NOT_PROVEN
    assert recovery(seen(9), seen(None, service="api"), expected=both).verdict is FAILED


def test_what_was_seen_of_a_service_that_nobody_expected_proves_nothing() -> None:
    assert recovery(seen(None, service="other"), expected=()).verdict is NOT_PROVEN


def test_a_step_that_failed_or_was_left_out_is_not_made_good_by_a_service_that_answers() -> None:
    assert recovery(seen(9), broken=["restore orders: no space"]).verdict is FAILED
    assert recovery(seen(9), unproven=["restore orders was skipped"]).verdict is NOT_PROVEN


def test_a_plan_without_services_is_held_against_the_time_of_its_steps() -> None:
    assert recovery(expected=(), path_time=RTO).verdict is PASSED
    assert recovery(expected=(), path_time=RTO + SECOND).verdict is FAILED
    assert recovery(expected=()).verdict is NOT_PROVEN


def kept(ages: list[float], there: list[float]) -> DataLoss:
    """Say what became of writes that were acknowledged so many seconds before the declared start."""
    entries = [
        LedgerEntry(sequence=number, acknowledged_at=DECLARED - timedelta(seconds=age))
        for number, age in enumerate(ages)
    ]
    return loss_of("orders", "orders", entries, [ages.index(age) for age in there], DECLARED)


def data(*losses: DataLoss, stores: tuple[str, ...] = ("orders",), **more: Any) -> Judged:
    return judge_data(losses, stores, RPO, **more)


@pytest.mark.parametrize(
    ("ages", "there", "verdict"),
    [
        ([20, 9, 1], [20, 9, 1], PASSED),
        ([20, 10.5, 10, 1], [20, 10.5], NOT_PROVEN),
        ([20, 10, 9.5, 1], [20, 10], PASSED),
        ([20, 11, 10.1, 1], [20, 11], FAILED),
        ([20, 9, 1], [9, 1], FAILED),
    ],
    ids=["nothing", "on the edge", "within", "over", "an old hole"],
)
def test_data_loss_is_held_against_the_rpo_as_sharply_as_the_ledger_can_tell(
    ages: list[float], there: list[float], verdict: Verdict
) -> None:
    assert data(kept(ages, there)).verdict is verdict


def test_an_empty_ledger_proves_nothing() -> None:
    judged = data(kept([], []))

    assert judged == Judged(verdict=NOT_PROVEN, reasons=("orders: its ledger is empty",))


def test_a_store_without_a_ledger_proves_nothing() -> None:
    assert "orders has no ledger" in data().reasons[0]
    assert data().verdict is NOT_PROVEN


def test_a_ledger_that_could_not_be_read_proves_nothing_however_its_numbers_look() -> None:
    judged = data(kept([5, 1], [5, 1]).model_copy(update={"problem": "wrong password"}))

    assert judged == Judged(verdict=NOT_PROVEN, reasons=("orders: wrong password",))


@pytest.mark.parametrize("there", [[], [2, 1]], ids=["all is lost", "the oldest is lost"])
def test_where_the_oldest_entry_is_lost_older_ones_may_be_too(there: list[float]) -> None:
    judged = data(kept([3, 2, 1], there))

    assert judged.verdict is NOT_PROVEN
    assert "at least" in judged.reasons[0]


def test_a_ledger_that_was_silent_before_the_disaster_proves_nothing_of_then() -> None:
    judged = data(kept([4000, 3999, 3600], [4000, 3999, 3600]))

    assert judged.verdict is NOT_PROVEN
    assert "the ledger was silent for 1h" in judged.reasons[0]


def test_a_silence_within_the_ledger_may_hide_an_old_recovery_point() -> None:
    assert data(kept([4001, 4000, 5, 4], [4001, 4000])).verdict is NOT_PROVEN


def test_a_write_that_is_there_twice_fails_though_nothing_is_lost() -> None:
    judged = data(kept([20, 2, 1], [20, 2, 1, 1]))

    assert judged == Judged(verdict=FAILED, reasons=("orders has 1 writes more than once",))


def test_every_store_must_keep_its_data() -> None:
    assert data(kept([5, 1], [5, 1]), stores=("orders", "users")).verdict is NOT_PROVEN


def test_a_plan_without_stores_says_so() -> None:
    assert data(stores=()) == Judged(
        verdict=PASSED, reasons=("no store is in the plan: no data can be lost",)
    )


def test_a_failed_validation_is_not_made_good_by_a_full_ledger() -> None:
    full = kept([5, 1], [5, 1])

    assert data(full, broken=["orders are 0, expected 7"]).verdict is FAILED
    assert data(full, unproven=["orders could not be asked"]).verdict is NOT_PROVEN


@settings(max_examples=200)
@given(st.data())
def test_no_loss_over_the_rpo_is_ever_green(drawn: st.DataObject) -> None:
    """Whatever was written once a second, and however the ledger and the recovery point lie."""
    point = drawn.draw(st.integers(0, 60))
    ledger = sorted(drawn.draw(st.sets(st.integers(0, 60))), reverse=True)

    judged = data(kept([float(age) for age in ledger], [float(age) for age in ledger if age >= point]))

    # All writes younger than the point are gone, whether or not the ledger has them.
    if judged.verdict is PASSED:
        assert timedelta(seconds=max(point - 1, 0)) <= RPO


def test_what_is_left_behind_is_not_clean() -> None:
    assert judge_cleanup(["vpc-1"], 3).verdict is FAILED
    assert judge_cleanup([], 3, ["a parameter was not put back"]).verdict is FAILED
    assert judge_cleanup([], 3).verdict is PASSED


@pytest.mark.parametrize(
    ("probed", "reached", "problem", "enforced", "verdict"),
    [
        (["db:5432"], [], "", True, PASSED),
        (["db:5432"], ["db:5432"], "", True, FAILED),
        (["db:5432"], ["db:5432"], "", False, NOT_PROVEN),
        ([], [], "", True, NOT_PROVEN),
        (["db:5432"], [], "no machine to probe from", True, NOT_PROVEN),
    ],
)
def test_isolation_is_proven_by_probes_that_all_failed(
    probed: list[str],
    reached: list[str],
    problem: str,
    enforced: bool,  # noqa: FBT001
    verdict: Verdict,
) -> None:
    assert judge_isolation(probed, reached, problem, enforced=enforced).verdict is verdict


@given(st.lists(st.sampled_from(Verdict), min_size=4, max_size=4))
def test_the_whole_is_green_only_where_all_is(verdicts: list[Verdict]) -> None:
    names = ("recovery", "data", "cleanup", "isolation")
    judgement = Judgement(**{name: Judged(verdict=one) for name, one in zip(names, verdicts, strict=True)})

    assert (judgement.overall is PASSED) == (set(verdicts) == {PASSED})
    assert (judgement.overall is FAILED) == (FAILED in verdicts)
    assert (judgement.words == "passed") == (judgement.overall is PASSED)
