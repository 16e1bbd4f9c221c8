"""The order of versions, and what a channel remembers."""

from datetime import UTC, datetime

import pytest

from steadfleet_core.image.channel import (
    MOST_HISTORY,
    RULES,
    ChannelStatus,
    Demand,
    Promotion,
    assign,
    precedence,
)
from steadfleet_core.image.golden import Channel

AT = datetime(2026, 1, 1, tzinfo=UTC)


def test_versions_are_ordered_as_semver_says() -> None:
    # The example of semver.org, point 11.4.
    ordered = [
        "1.0.0-alpha",
        "1.0.0-alpha.1",
        "1.0.0-alpha.beta",
        "1.0.0-beta",
        "1.0.0-beta.2",
        "1.0.0-beta.11",
        "1.0.0-rc.1",
        "1.0.0",
        "1.0.1",
        "1.10.0",
        "2.0.0",
    ]

    backwards = list(reversed(ordered))
    backwards.sort(key=precedence)

    assert backwards == ordered


def test_history_is_bounded_and_newest_first() -> None:
    status = ChannelStatus(family="web", channel=Channel.DEV)
    for number in range(MOST_HISTORY + 5):
        promotion = Promotion(family="web", channel=Channel.DEV, version=f"1.{number}.0", by="ann")
        status = assign(status, promotion, (), AT)

    assert len(status.history) == MOST_HISTORY
    assert status.history[0].version == status.version == f"1.{MOST_HISTORY + 4}.0"


@pytest.mark.parametrize(
    ("lower", "higher"), [(Channel.DEV, Channel.STAGING), (Channel.STAGING, Channel.PROD)]
)
def test_a_channel_nearer_to_production_never_wants_less(lower: Channel, higher: Channel) -> None:
    assert set(RULES[lower].demands) <= set(RULES[higher].demands)
    assert RULES[lower].approvals <= RULES[higher].approvals


def test_production_wants_all_there_is_and_another_person() -> None:
    assert set(RULES[Channel.PROD].demands) == set(Demand)
    assert RULES[Channel.PROD].approvals == 1
