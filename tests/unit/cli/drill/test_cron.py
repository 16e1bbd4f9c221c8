"""When a drill happens: read strictly, and counted as the engine would."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from steadfleet_cli.drill.cron import CronError, read_cron, schedule_problems, times
from steadfleet_core.drill.plan import Schedule


def schedule(cron: str = "30 2 * * 6", zone: str = "UTC", **said: Any) -> Schedule:
    return Schedule(cron=cron, timezone=zone, **said)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_lists_ranges_steps_and_names_are_read() -> None:
    cron = read_cron("*/20 1,9-17/4 * jan-mar SAT,7")

    assert cron.minutes == {0, 20, 40}
    assert cron.hours == {1, 9, 13, 17}
    assert cron.months == {1, 2, 3}
    assert cron.weekdays == {6, 0}


@pytest.mark.parametrize(
    ("cron", "words"),
    [
        ("61 0 * * *", "61 is no minute: expected 0 to 59"),
        ("0 24 * * *", "24 is no hour"),
        ("0 0 0 * *", "0 is no day of the month"),
        ("0 0 * 13 *", "13 is no month"),
        ("0 0 * * 8", "8 is no day of the week: expected 0 to 7 or sun, mon"),
        ("0 0 * * 5-1", "5-1 is no day of the week"),
        ("0 0 * * 1#2", "1#2 is no day of the week"),
        ("0 5/6 * * *", "5/6 is no hour"),
        ("0 */0 * * *", r"\*/0 is no hour"),
        ("0 0 L * *", "L is no day of the month"),
        ("0 0 ? * 1", r"\? is no day of the month"),
        ("0 ٣ * * *", "is no hour"),
        ("0 0 13 * 5", "some read as either and some as both"),
        ("0 0 31 2 *", "never comes: no such month has that day"),
        ("0 0 30 2,4", "has 4 fields"),
    ],
)
def test_what_engines_read_differently_or_as_never_is_refused(cron: str, words: str) -> None:
    with pytest.raises(CronError, match=words):
        read_cron(cron)


def test_a_leap_day_comes() -> None:
    assert read_cron("0 0 29 2 *").days == {29}


@pytest.mark.parametrize("zone", ["Europe/Nowhere", "Berlin", "CET", "localtime", "utc"])
def test_an_unknown_zone_is_told_with_what_was_expected(zone: str) -> None:
    (problem,) = schedule_problems(schedule(zone=zone))

    assert problem == f"timezone: {zone} is not known: expected UTC, or a name such as Europe/Berlin"


def test_it_comes_at_the_hour_of_its_own_zone() -> None:
    summer = times(schedule(zone="Europe/Berlin"), at("2027-07-01"), at("2027-07-08"))
    winter = times(schedule(zone="Europe/Berlin"), at("2027-01-01"), at("2027-01-08"))

    assert [*summer, *winter] == [at("2027-07-03T00:30"), at("2027-01-02T01:30")]


def test_it_does_not_come_on_a_blocked_date_of_its_own_zone() -> None:
    # 23:30 UTC on the 27th is 00:30 on the 28th in Berlin.
    blocked = schedule("30 0 * * *", "Europe/Berlin", blocked_dates=(date(2026, 11, 28),))

    found = list(times(blocked, at("2026-11-26T12:00"), at("2026-11-28T23:59")))

    assert found == [at("2026-11-26T23:30"), at("2026-11-28T23:30")]


def test_an_hour_that_the_clock_skips_does_not_come() -> None:
    skipped = schedule("30 2 * * *", "Europe/Berlin")  # 2027-03-28: 02:00 is 03:00

    found = list(times(skipped, at("2027-03-27T00:00"), at("2027-03-29T23:59")))

    assert found == [at("2027-03-27T01:30"), at("2027-03-29T00:30")]
