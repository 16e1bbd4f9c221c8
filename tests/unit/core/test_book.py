"""What a campaign remembers of its waves: through retries, restores and many words."""

from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fakes.plans import plan_of
from steadfleet_core.campaign.book import MOST_RECEIPTS, MOST_WARNINGS, Book, masked, merged, waves_of
from steadfleet_core.campaign.counts import Counts, tally
from steadfleet_core.campaign.lifecycle import Receipt, State, Verb
from steadfleet_core.campaign.verdict import Verdict
from steadfleet_core.campaign.wave import MOST_FAILURES, Direction, WaveProgress, WaveReport
from steadfleet_core.fleet import HostFailure, HostState

NOW = datetime(2030, 1, 1, tzinfo=UTC)
LETTERS = "".join(HostState)

letters = st.text(LETTERS, max_size=20)
pairs = st.integers(0, 20).flatmap(
    lambda size: st.tuples(*[st.text(LETTERS, min_size=size, max_size=size)] * 2)
)


def book() -> Book:
    return Book(run="run", started_at=NOW)


def failure(host: str, reason: str = "answered 500", *, restored: bool = False, wave: int = 1) -> HostFailure:
    return HostFailure(host=host, zone="a", wave=wave, reason=reason, restored=restored)


def report(
    states: str,
    *failures: HostFailure,
    verdict: Verdict | None = None,
    failed: int | None = None,
    direction: Direction = Direction.CHANGE,
    wave: int = 1,
    **parts: Any,
) -> WaveReport:
    failed = len(failures) if failed is None else failed
    progress = WaveProgress(
        number=wave, direction=direction, counts=tally([states], failed=failed), verdict=verdict, ended_at=NOW
    )
    return WaveReport(progress=progress, states=(states,), failures=failures, **parts)


def restore(states: str, *lost: HostFailure, **parts: Any) -> WaveReport:
    return report(states, *lost, direction=Direction.RESTORE, **parts)


def test_masked_leaves_nothing_to_do_for_the_others() -> None:
    assert masked(".cflr>", {HostState.FAILED, HostState.LOST}) == "..fl.."


@given(letters, st.sets(st.sampled_from(HostState)))
def test_masked_keeps_every_place(states: str, kept: set[HostState]) -> None:
    left = masked(states, kept)

    assert len(left) == len(states)
    assert set(left) <= {*kept, HostState.UNTOUCHED}
    assert all(new == old for old, new in zip(states, left, strict=True) if old in kept)


def test_merged_takes_what_was_done_and_keeps_what_was_left_alone() -> None:
    assert merged("ccf.", "r.l.") == "rcl."


@given(pairs)
def test_merged_forgets_no_host(states: tuple[str, str]) -> None:
    before, after = states
    both = merged(before, after)

    assert all(
        now == (old if new == HostState.UNTOUCHED else new)
        for old, new, now in zip(before, after, both, strict=True)
    )


@given(letters, st.sets(st.sampled_from(HostState)))
def test_a_mask_that_nobody_worked_on_changes_nothing(states: str, kept: set[HostState]) -> None:
    assert merged(states, masked(states, kept)) == states


def test_a_wave_is_kept_as_it_ended() -> None:
    pages = book()
    wave = report("ccc", verdict=Verdict.HEALTHY)
    pages.take_in(wave)

    assert pages.reports == {1: wave}


def test_a_restore_keeps_the_verdict_the_failures_and_the_reason_of_the_change() -> None:
    pages = book()
    pages.take_in(report("cf.", failure("i-1"), verdict=Verdict.UNHEALTHY, reason="answered 500"))
    pages.take_in(restore("rr."))

    kept = pages.reports[1]
    assert kept.states == ("rr.",)
    assert kept.verdict is Verdict.UNHEALTHY
    assert kept.reason == "answered 500"
    assert kept.progress.direction is Direction.CHANGE
    assert kept.progress.counts == Counts(total=3, untouched=1, restored=2, failed=1)
    assert [failure.host for failure in pages.failures] == ["i-1"]


def test_a_restore_of_some_hosts_leaves_the_others_as_they_stood() -> None:
    pages = book()
    pages.take_in(report("ccf", failure("i-3"), verdict=Verdict.UNHEALTHY))
    pages.take_in(restore("..r"))

    assert pages.reports[1].states == ("ccr",)


def test_a_second_restore_still_keeps_the_verdict_of_the_change() -> None:
    pages = book()
    pages.take_in(report("cc", failure("i-1"), verdict=Verdict.UNHEALTHY))
    pages.take_in(restore("rl", failure("i-2", "its restore failed")))
    pages.take_in(restore(".r"))

    assert pages.reports[1].verdict is Verdict.UNHEALTHY
    assert pages.reports[1].states == ("rr",)


def test_failed_hosts_that_a_restore_brought_back_are_no_longer_called_unrestored() -> None:
    pages = book()
    pages.take_in(report("cf", failure("i-2"), verdict=Verdict.UNHEALTHY))
    pages.take_in(report("c", wave=2))
    pages.take_in(restore("rr"))

    assert pages.failures == [failure("i-2", restored=True)]


def test_lost_hosts_stay_unrestored_and_are_told_by_their_latest_reason() -> None:
    pages = book()
    pages.take_in(report("ff", failure("i-1"), failure("i-2"), verdict=Verdict.UNHEALTHY))
    pages.take_in(restore("rl", failure("i-2", "its restore failed")))

    assert pages.failures == [failure("i-1", restored=True), failure("i-2", "its restore failed")]


def test_nothing_is_called_restored_while_a_host_of_the_wave_stands_failed() -> None:
    pages = book()
    pages.take_in(report("ff", failure("i-1"), failure("i-2"), verdict=Verdict.UNHEALTHY))
    pages.take_in(restore("r."))

    assert {failure.restored for failure in pages.failures} == {False}


def test_a_host_that_a_retry_changed_is_not_called_restored_when_another_is() -> None:
    pages = book()
    pages.take_in(report("f.", failure("i-1"), verdict=Verdict.UNHEALTHY))
    pages.take_in(report("cf", failure("i-2"), verdict=Verdict.UNHEALTHY))
    pages.take_in(restore(".r"))

    assert pages.failures[0] == failure("i-1")


def test_a_retry_keeps_the_first_failures_and_their_count() -> None:
    pages = book()
    pages.take_in(report("cff", failure("i-2"), failure("i-3"), verdict=Verdict.UNHEALTHY))
    pages.take_in(report("ccc", verdict=Verdict.HEALTHY))

    assert pages.reports[1].verdict is Verdict.HEALTHY
    assert pages.reports[1].progress.counts == Counts(total=3, changed=3, failed=2)
    assert [failure.host for failure in pages.failures] == ["i-2", "i-3"]


def test_a_host_that_fails_twice_is_counted_once_and_told_by_its_latest_reason() -> None:
    pages = book()
    pages.take_in(report("ff..", failure("i-1"), failure("i-2")))
    pages.take_in(report("fcf.", failure("i-1", "timed out"), failure("i-3")))

    assert pages.reports[1].progress.counts.failed == 3
    assert pages.failures == [failure("i-1", "timed out"), failure("i-2"), failure("i-3")]


def test_a_second_look_at_an_inconclusive_wave_keeps_its_failures() -> None:
    pages = book()
    pages.take_in(report("ccr", failure("i-3", restored=True), verdict=Verdict.INCONCLUSIVE))
    pages.take_in(report("ccr", failed=1, verdict=Verdict.HEALTHY))

    assert pages.reports[1].progress.counts == Counts(total=3, changed=2, restored=1, failed=1)


def test_no_more_failures_are_listed_than_a_query_can_carry_but_all_are_counted() -> None:
    pages = book()
    hosts = [failure(f"i-{number}") for number in range(MOST_FAILURES + 10)]
    pages.take_in(report("f" * len(hosts), *hosts))

    assert pages.failures == hosts[:MOST_FAILURES]
    assert pages.reports[1].progress.counts.failed == MOST_FAILURES + 10


def test_hosts_that_stand_failed_consume_the_budget_of_other_waves_by_zone() -> None:
    pages = book()
    pages.take_in(report("f", unrestored={"a": 1}))
    pages.take_in(report("ff", wave=2, unrestored={"a": 1, "b": 1}))
    pages.take_in(report("f", wave=3, unrestored={"c": 1}))

    assert pages.unrestored(besides=3) == {"a": 2, "b": 1}


def test_a_lost_host_is_an_obligation_that_names_it() -> None:
    pages = book()
    pages.take_in(report("cc", verdict=Verdict.HEALTHY))
    pages.take_in(restore("rl", failure("i-2", "its restore failed")))

    assert pages.obligations == ["wave 1: 1 lost: look at i-2"]


def test_many_lost_hosts_are_counted_and_five_are_named() -> None:
    pages = book()
    hosts = [failure(f"i-{number}") for number in range(7)]
    pages.take_in(report("c" * 7))
    pages.take_in(restore("l" * 7, *hosts))

    assert pages.obligations == ["wave 1: 7 lost: look at i-0, i-1, i-2, i-3, i-4"]


def test_a_lost_host_that_is_brought_back_is_owed_no_longer() -> None:
    pages = book()
    pages.obligations = ["release the reservation of fleet web"]
    pages.take_in(report("cc"))
    pages.take_in(report("c" * 10, wave=10))
    pages.take_in(restore("l" * 10, *(failure(f"i-{n}", wave=10) for n in range(10)), wave=10))
    pages.take_in(restore("rl", failure("i-2")))
    pages.take_in(restore(".r"))

    assert pages.obligations == [
        "release the reservation of fleet web",
        "wave 10: 10 lost: look at i-0, i-1, i-2, i-3, i-4",
    ]


def test_only_the_latest_receipts_are_kept() -> None:
    pages = book()
    for number in range(MOST_RECEIPTS + 5):
        receipt = Receipt(
            verb=Verb.PAUSE, by=f"{number}", reason="", at=NOW, state=State.RUNNING, effect="no new host"
        )
        pages.note(receipt)

    assert [receipt.by for receipt in pages.receipts] == [str(n) for n in range(5, MOST_RECEIPTS + 5)]


def test_a_warning_is_told_once_and_only_the_latest_are_kept() -> None:
    pages = book()
    pages.warn("i-1 is gone", "i-2 is gone")
    pages.warn("i-1 is gone")
    assert pages.warnings == ["i-1 is gone", "i-2 is gone"]

    pages.warn(*(f"drift {number}" for number in range(MOST_WARNINGS)))

    assert pages.warnings == [f"drift {number}" for number in range(MOST_WARNINGS)]


def test_a_campaign_without_a_plan_has_no_waves() -> None:
    assert waves_of(book()) == {}


def test_waves_to_come_have_untouched_hosts_only() -> None:
    pages = book()
    pages.plan, _ = plan_of({"a": 20})
    pages.take_in(report("c", verdict=Verdict.HEALTHY))

    waves = waves_of(pages)

    assert {number: wave.counts for number, wave in waves.items()} == {
        1: Counts(total=1, changed=1),
        2: Counts(total=4, untouched=4),
        3: Counts(total=5, untouched=5),
        4: Counts(total=10, untouched=10),
    }
    assert sum((wave.counts for wave in waves.values()), Counts()).total == 20
    assert waves[2].started_at is None


def test_a_book_reads_back_as_it_was_written() -> None:
    pages = book()
    pages.plan, _ = plan_of({"a": 20})
    pages.take_in(report("f", failure("i-1"), verdict=Verdict.UNHEALTHY))

    assert Book.model_validate_json(pages.model_dump_json()) == pages
