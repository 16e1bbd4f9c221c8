"""Versions compare as Debian's own library compares them; CVSS v3 scores are those of its specification."""

from typing import Any

import pytest
from debian.debian_support import NativeVersion
from hypothesis import example, given, settings
from hypothesis import strategies as st

from steadfleet_core.image.cvss import base_score, rating_of
from steadfleet_core.image.dpkg import order_of, readable

parts = st.text(alphabet="019abzAZ.+~", min_size=1, max_size=6)
versions = st.builds(
    lambda epoch, upstream, revision: epoch + "0" + upstream + revision,
    st.sampled_from(["", "0:", "1:", "02:"]),
    parts | parts.map(lambda part: f"{part}-{part}"),
    st.sampled_from(["", "-0", "-1", "-1~deb12u1", "-1+b1"]),
)


def sign(left: Any, right: Any) -> int:
    return int(left > right) - int(left < right)


@settings(deadline=None, max_examples=500)
@given(versions, versions)
@example("1.0", "1.0-0")
@example("1.0~rc1", "1.0")
@example("1.0a", "1.0+")
@example("1.", "1.0")
@example("0", "00")
@example("1:0", "9")
def test_two_versions_are_ordered_as_debian_orders_them(left: str, right: str) -> None:
    theirs = sign(NativeVersion(left), NativeVersion(right))

    assert sign(order_of(left), order_of(right)) == theirs


@given(versions)
def test_what_debian_writes_is_readable(version: str) -> None:
    assert readable(version)


@pytest.mark.parametrize("version", ["", "1 2", "1/2", "a:1", "1\n", "1_2", "ü"])
def test_what_dpkg_refuses_is_not_readable(version: str) -> None:
    assert not readable(version)


def test_ten_thousand_digits_are_compared() -> None:
    assert order_of("1" * 10_000) < order_of("1" * 9_999 + "2")


# Of the specification's own examples, and of NVD.
@pytest.mark.parametrize(
    ("vector", "score", "rating"),
    [
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", 9.8, "critical"),
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H", 10.0, "critical"),
        ("CVSS:3.0/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", 6.1, "medium"),
        ("CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:C/C:L/I:L/A:N", 6.4, "medium"),
        ("CVSS:3.0/AV:N/AC:H/PR:N/UI:R/S:U/C:L/I:N/A:N", 3.1, "low"),
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N", 7.5, "high"),
        ("CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:U/C:H/I:H/A:H", 7.8, "high"),
        ("CVSS:3.0/AV:L/AC:H/PR:L/UI:N/S:C/C:H/I:N/A:N", 5.6, "medium"),
        ("CVSS:3.1/AV:N/AC:H/PR:N/UI:N/S:U/C:H/I:H/A:H", 8.1, "high"),
        ("CVSS:3.0/AV:P/AC:L/PR:N/UI:N/S:U/C:N/I:H/A:N", 4.6, "medium"),
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N", 0.0, "low"),
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H/E:P/RL:O", 9.8, "critical"),
    ],
)
def test_a_vector_has_its_score_and_rating(vector: str, score: float, rating: str) -> None:
    assert base_score(vector) == score
    assert rating_of(score) == rating


@pytest.mark.parametrize(
    "vector",
    [
        "",
        "9.8",
        "CVSS:3.1",
        "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H",
        "CVSS:3.1/AV:X/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H",
        "AV:N/AC:L/Au:N/C:P/I:P/A:P",
        "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N",
        "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H/",
    ],
)
def test_what_cannot_be_computed_has_none(vector: str) -> None:
    assert base_score(vector) is None
