"""What owners ask of a lease without asking the janitor."""

from datetime import UTC, datetime, timedelta

import pytest

from steadfleet_ports.lease import CREATE_MARGIN, Left, may_create

DEADLINE = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("before", "may"),
    [
        (timedelta(hours=1), True),
        (CREATE_MARGIN + timedelta(seconds=1), True),
        (CREATE_MARGIN, False),
        (timedelta(0), False),
        (timedelta(hours=-1), False),
    ],
)
def test_nothing_is_created_from_a_margin_before_the_deadline_on(before: timedelta, *, may: bool) -> None:
    assert may_create(DEADLINE, DEADLINE - before) is may


def test_what_is_left_is_told_with_its_name_and_why() -> None:
    left = Left(region="eu-west-1", type="image", id="ami-1", name="web-1", why="it is still being made")

    assert str(left) == "image ami-1 (web-1) in eu-west-1: it is still being made"
    assert str(Left(region="docker", type="volume", id="v", name="v")) == "volume v in docker"
