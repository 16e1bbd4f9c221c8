"""A certificate is warned of while there is time, and fails when there is little."""

from datetime import UTC, datetime, timedelta

import pytest

from steadfleet_cli.doctor.certificates import certificates, judged
from steadfleet_cli.doctor.findings import Standing

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def standing(life: timedelta, left: timedelta) -> Standing:
    return judged("a certificate", NOW + left - life, NOW + left, "renew it", NOW).standing


@pytest.mark.parametrize(
    ("left", "expected"),
    [
        (timedelta(days=31), Standing.OK),
        (timedelta(days=29), Standing.WARNING),
        (timedelta(days=7), Standing.WARNING),
        (timedelta(days=6, hours=23), Standing.MISSING),
        (timedelta(0), Standing.MISSING),
        (timedelta(days=-1), Standing.MISSING),
    ],
)
def test_a_certificate_of_a_year_warns_at_30_days_and_fails_at_7(left: timedelta, expected: Standing) -> None:
    assert standing(timedelta(days=365), left) is expected


@pytest.mark.parametrize(
    ("left", "expected"),
    [
        (timedelta(hours=9), Standing.OK),
        (timedelta(hours=7), Standing.WARNING),
        (timedelta(hours=2), Standing.MISSING),
    ],
)
def test_one_that_is_renewed_each_day_is_measured_by_its_own_life(
    left: timedelta, expected: Standing
) -> None:
    assert standing(timedelta(days=1), left) is expected


def test_one_that_is_not_valid_yet_is_told_so() -> None:
    begins = NOW + timedelta(minutes=5)
    found = judged("a certificate", begins, begins + timedelta(days=365), "set the clock", NOW)

    assert found.standing is Standing.MISSING
    assert found.found.startswith("not valid before 2026-11-21 00:05")


def test_plain_text_is_fine_on_this_machine_and_a_warning_over_the_network() -> None:
    (here,) = certificates({"TEMPORAL_ADDRESS": "localhost:7233"})
    (there,) = certificates({"TEMPORAL_ADDRESS": "temporal.internal:7233"})

    assert here.standing is Standing.OK
    assert there.standing is Standing.WARNING
    assert "TEMPORAL_TLS=true" in there.advice
