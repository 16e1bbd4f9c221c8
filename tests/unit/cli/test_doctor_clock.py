"""A clock is wrong by what the order of events cannot explain, and by no more."""

from datetime import UTC, datetime, timedelta

import pytest

from steadfleet_cli.doctor.access import skew

EARLIEST = datetime(2026, 11, 21, 12, tzinfo=UTC)
LATEST = EARLIEST + timedelta(seconds=10)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (EARLIEST, timedelta(0)),
        (LATEST, timedelta(0)),
        (LATEST + timedelta(seconds=3), timedelta(seconds=3)),
        (EARLIEST - timedelta(seconds=3), timedelta(seconds=-3)),
    ],
)
def test_skew_is_measured_from_the_nearer_end(seen: datetime, expected: timedelta) -> None:
    assert skew(EARLIEST, seen, LATEST) == expected
