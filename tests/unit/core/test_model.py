"""Durations, quotas, digests: the values that every model shares."""

import re
from datetime import timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from steadfleet_core.model import (
    Contract,
    Digest,
    Duration,
    Model,
    PositiveDuration,
    PositiveQuota,
    Quota,
    at_least,
    at_most,
    canonical,
    digest_of,
    format_duration,
    parse_duration,
)

durations = st.timedeltas(min_value=timedelta(0))
percentages = st.decimals(0, 100, places=3).map(lambda share: f"{share:f}%")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("30m", 1800), ("2h", 7200), ("1d", 86400), ("1h30m", 5400), ("0.5s", 0.5), ("0s", 0)],
)
def test_a_duration_is_read_with_its_unit(text: str, seconds: float) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "value", [5, 1.5, "", "5", "m", "30m1h", "-5m", "P1D", "1w", " 5m", "٣m", True, None, []]
)
def test_anything_else_is_no_duration(value: object) -> None:
    with pytest.raises(ValueError, match=r"expected a duration such as 30s, 5m, 2h, 1d or 1h30m"):
        parse_duration(value)


def test_a_number_without_a_unit_says_so() -> None:
    with pytest.raises(ValueError, match="needs a unit"):
        parse_duration(30)


@pytest.mark.parametrize("text", ["9999999999d", "9" * 5000 + "s"])
def test_a_duration_beyond_all_clocks_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="longer than any campaign"):
        parse_duration(text)


def test_a_negative_duration_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot be negative"):
        parse_duration(timedelta(seconds=-1))


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (timedelta(0), "0s"),
        (timedelta(minutes=90), "1h30m"),
        (timedelta(days=1, seconds=1), "1d1s"),
        (timedelta(milliseconds=500), "0.5s"),
        (timedelta(seconds=59, microseconds=999999), "59.999999s"),
    ],
)
def test_a_duration_is_written_as_a_person_would(duration: timedelta, text: str) -> None:
    assert format_duration(duration) == text


@given(durations)
def test_a_duration_reads_back_to_the_microsecond(duration: timedelta) -> None:
    assert parse_duration(format_duration(duration)) == duration


@given(durations)
def test_a_written_duration_satisfies_its_schema(duration: timedelta) -> None:
    schema = TypeAdapter(Duration).json_schema()

    assert re.search(schema["pattern"], format_duration(duration))


def test_a_positive_duration_is_not_zero() -> None:
    with pytest.raises(ValidationError, match="must be more than 0s"):
        TypeAdapter(PositiveDuration).validate_python("0s")


@pytest.mark.parametrize("value", [0, 3, "0%", "10%", "2.5%", "100%", "100.0%"])
def test_a_quota_is_a_number_of_hosts_or_a_percentage(value: int | str) -> None:
    assert TypeAdapter(Quota).validate_python(value) == value


@pytest.mark.parametrize(
    "value", [-1, 1.5, True, None, "10", "101%", "100.5%", "-1%", "ten%", "10 %", "1e1%"]
)
def test_anything_else_is_no_quota(value: object) -> None:
    with pytest.raises(ValidationError, match=r"a number of hosts \(3\) or a percentage of them \(10%\)"):
        TypeAdapter(Quota).validate_python(value)


@pytest.mark.parametrize("value", [0, "0%", "00%", "0.0%", "0.000%"])
def test_a_positive_quota_is_not_zero_however_it_is_written(value: int | str) -> None:
    with pytest.raises(ValidationError, match="must be more than 0"):
        TypeAdapter(PositiveQuota).validate_python(value)


@given(st.integers(0, 10) | percentages | st.sampled_from(["0.0%", "00%", "05%", "100.0%"]))
def test_the_schema_of_a_positive_quota_admits_what_the_reader_admits(value: int | str) -> None:
    number, percentage = TypeAdapter(PositiveQuota).json_schema()["anyOf"]
    if isinstance(value, int):
        admitted = value >= number["minimum"]
    else:
        admitted = re.search(percentage["pattern"], value) is not None

    assert admitted == bool(at_least(value, 1))


def test_wave_sizes_and_budgets_round_up() -> None:
    assert at_least("10%", 24) == 3


def test_failure_tolerance_rounds_down() -> None:
    assert at_most("10%", 24) == 2


def test_a_share_is_exact_where_floats_lie() -> None:
    assert at_least("7%", 100) == 7
    assert at_most("29%", 100) == 29


@given(percentages.filter(lambda share: float(share[:-1]) > 0), st.integers(1, 100_000))
def test_a_wave_or_budget_of_some_share_is_never_empty_and_never_more_than_all(
    share: str, total: int
) -> None:
    assert 1 <= at_least(share, total) <= total


@given(percentages, st.integers(0, 100_000))
def test_the_two_roundings_enclose_the_share(share: str, total: int) -> None:
    exact = Fraction(share[:-1]) * total / 100

    assert at_most(share, total) <= exact <= at_least(share, total)
    assert at_least(share, total) - at_most(share, total) <= 1


def test_a_number_of_hosts_is_taken_as_it_is() -> None:
    assert (at_least(3, 24), at_most(3, 24)) == (3, 3)


class Pair(Model):
    b: int
    a: int


def test_the_canonical_bytes_do_not_depend_on_the_order_of_fields() -> None:
    assert canonical(Pair(a=1, b=2)) == b'{"a":1,"b":2}'


def test_a_digest_has_its_own_type() -> None:
    assert TypeAdapter(Digest).validate_python(digest_of(b""))
    with pytest.raises(ValidationError):
        TypeAdapter(Digest).validate_python("sha256:abc")


def test_a_model_refuses_a_field_that_it_does_not_know() -> None:
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        Pair.model_validate({"a": 1, "b": 2, "c": 3})


def test_a_model_cannot_be_changed() -> None:
    pair = Pair(a=1, b=2)

    with pytest.raises(ValidationError, match="frozen"):
        pair.a = 3  # type: ignore[misc]


class Watch(Contract):
    first_look: Duration


def test_a_contract_is_written_in_camel_case() -> None:
    assert Watch(first_look=timedelta(minutes=5)).model_dump_json(by_alias=True) == '{"firstLook":"5m"}'
