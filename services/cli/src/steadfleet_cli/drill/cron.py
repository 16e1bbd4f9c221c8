"""Five fields of cron, read strictly: what an engine would ignore or read otherwise is refused here.

Temporal reads `1#2` as 1, `0 0 31 2 *` as never, and a day of the month with a day of the week as
both at once, where cron means either.
"""

import re
from calendar import monthrange
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from itertools import product
from typing import NamedTuple
from zoneinfo import ZoneInfo, available_timezones

from steadfleet_core.drill.plan import Schedule

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_PART = re.compile(r"(?P<all>\*)(?:/(?P<every>\d+))?|(?P<one>\w+)(?:-(?P<last>\w+)(?:/(?P<step>\d+))?)?")
_LEAP_YEAR = 2028


class _Field(NamedTuple):
    name: str
    least: int
    most: int
    names: dict[str, int]


_FIELDS = (
    _Field("minute", 0, 59, {}),
    _Field("hour", 0, 23, {}),
    _Field("day of the month", 1, 31, {}),
    _Field("month", 1, 12, {name: number for number, name in enumerate(_MONTHS, 1)}),
    _Field("day of the week", 0, 7, {name: number for number, name in enumerate(_DAYS)}),
)


class CronError(ValueError):
    """A cron expression that is wrong, ambiguous or never comes."""


class Cron(NamedTuple):
    """When it happens, each as the numbers that match; Sunday is 0."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]


def read_cron(text: str) -> Cron:
    """Read five fields; raise `CronError` with what was expected."""
    words = text.split(" ")
    if len(words) != len(_FIELDS):
        raise CronError(f"{text} has {len(words)} fields: expected minute, hour, day, month, day of the week")
    minutes, hours, days, months, weekdays = map(_numbers, _FIELDS, words)
    cron = Cron(minutes, hours, days, months, frozenset(day % 7 for day in weekdays))
    if words[2] != "*" and words[4] != "*":
        raise CronError(
            f"{text} names days of the month and of the week, which some read as either and some as both: "
            "expected * for one of them"
        )
    if not any(min(cron.days) <= monthrange(_LEAP_YEAR, month)[1] for month in cron.months):
        raise CronError(f"{text} never comes: no such month has that day")
    return cron


def _numbers(field: _Field, word: str) -> frozenset[int]:
    found: set[int] = set()
    for part in word.split(","):
        match = _PART.fullmatch(part)
        if match is None:
            raise _wrong(field, part)
        first, last = _ends(field, match, part)
        step = int(match["every"] or match["step"] or 1)
        if first > last or not 1 <= step <= field.most:
            raise _wrong(field, part)
        found |= set(range(first, last + 1, step))
    return frozenset(found)


def _ends(field: _Field, match: re.Match[str], part: str) -> tuple[int, int]:
    if match["all"]:
        # Sunday is there as 0 already.
        return field.least, min(field.most, 6) if field.names and not field.least else field.most
    first = _number(field, match["one"], part)
    return first, _number(field, match["last"], part) if match["last"] else first


def _number(field: _Field, word: str, part: str) -> int:
    number = field.names.get(word.lower())
    if number is None and word.isascii() and word.isdecimal():
        number = int(word)
    if number is None or not field.least <= number <= field.most:
        raise _wrong(field, part)
    return number


def _wrong(field: _Field, part: str) -> CronError:
    names = f" or {', '.join(field.names)}" if field.names else ""
    return CronError(
        f"{part} is no {field.name}: expected {field.least} to {field.most}{names}, "
        "as one, a list (1,3), a range (1-5), or steps (*/2, 1-9/2)"
    )


def schedule_problems(schedule: Schedule) -> list[str]:
    """Say what is wrong with when a drill happens, each as `field: value — what was expected`."""
    problems = []
    try:
        read_cron(schedule.cron)
    except CronError as error:
        problems.append(f"cron: {error}")
    zone = schedule.timezone
    if zone != "UTC" and ("/" not in zone or zone not in available_timezones()):
        problems.append(f"timezone: {zone} is not known: expected UTC, or a name such as Europe/Berlin")
    return problems


def times(schedule: Schedule, after: datetime, before: datetime) -> Iterator[datetime]:
    """Yield when it happens between two moments, both included, in UTC.

    What lies in the hour that a clock skips in spring does not happen, as with the engine.
    """
    cron = read_cron(schedule.cron)
    zone = UTC if schedule.timezone == "UTC" else ZoneInfo(schedule.timezone)
    day = after.astimezone(zone).date()
    while day <= before.astimezone(zone).date():
        weekday = day.isoweekday() % 7
        if day.month in cron.months and day.day in cron.days and weekday in cron.weekdays:
            for hour, minute in product(sorted(cron.hours), sorted(cron.minutes)):
                local = datetime.combine(day, time(hour, minute), zone)
                moment = local.astimezone(UTC)
                there = moment.astimezone(zone).replace(tzinfo=None) == local.replace(tzinfo=None)
                if there and day not in schedule.blocked_dates and after <= moment <= before:
                    yield moment
        day += timedelta(days=1)
