"""The vulnerability gate: what blocks an image, what is waived, and that missing data never passes."""

from datetime import UTC, date, datetime, timedelta, timezone
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.core.image_gates import NOW, OPENSSL, advisory, affected, events, judged, waiver

from steadfleet_core.errors import RefusedError
from steadfleet_core.image.gate import Component
from steadfleet_core.image.golden import Severity
from steadfleet_core.image.report import GateReport


def the_finding(report: GateReport) -> Any:
    (finding,) = report.findings
    return finding


def test_an_advisory_that_matches_a_source_package_blocks() -> None:
    report = judged(advisory())

    assert (report.looked_up, report.found, report.blocking, report.waived) == (1, 1, 1, 0)
    finding = the_finding(report)
    assert (finding.id, finding.package, finding.version) == ("DSA-1", "openssl", OPENSSL.version)
    assert (finding.severity, finding.fixed_in) == (Severity.HIGH, "3.0.15-1~deb12u1")
    assert finding.blocks


@pytest.mark.parametrize(
    ("version", "found"),
    [
        ("3.0.11-1~deb12u2", True),
        ("3.0.15-1~deb12u1", False),
        ("3.0.15-1~deb12u0", True),
        ("3.0.15-1", False),
        ("1:1.0-1", False),
    ],
)
def test_a_version_is_compared_as_dpkg_does(version: str, *, found: bool) -> None:
    component = OPENSSL.model_copy(update={"version": version})

    assert bool(judged(advisory(), components=(component,)).found) == found


@pytest.mark.parametrize(
    ("said", "version", "found"),
    [
        ([{"introduced": "0"}], "1", True),
        ([{"introduced": "2"}], "1", False),
        ([{"introduced": "2"}], "2", True),
        ([{"introduced": "0"}, {"last_affected": "2"}], "2", True),
        ([{"introduced": "0"}, {"last_affected": "2"}], "2.0.1", False),
        ([{"introduced": "0"}, {"fixed": "2"}, {"introduced": "3"}, {"fixed": "4"}], "2.5", False),
        ([{"introduced": "0"}, {"fixed": "2"}, {"introduced": "3"}, {"fixed": "4"}], "3.5", True),
        ([{"fixed": "2"}, {"introduced": "0"}], "1", True),
        ([{"introduced": "0"}, {"fixed": "two & three"}], "9", True),
        ([], "9", True),
    ],
)
def test_events_are_evaluated_in_order_and_what_cannot_be_read_affects(
    said: list[dict[str, str]], version: str, *, found: bool
) -> None:
    component = OPENSSL.model_copy(update={"version": version})

    report = judged(advisory(affected=affected(ranges=events(*said))), components=(component,))

    assert bool(report.found) == found


@pytest.mark.parametrize(
    ("part", "found"),
    [
        ({"ranges": [], "versions": ["1.0", OPENSSL.version]}, True),
        ({"ranges": [], "versions": ["1.0"]}, False),
        ({"ranges": [], "versions": []}, True),
        ({"ranges": None, "versions": None}, True),
        ({"ranges": events({"introduced": "deadbeef"}, kind="GIT"), "versions": []}, True),
        ({"package": {"ecosystem": "Debian:11", "name": "openssl"}}, False),
        ({"package": {"ecosystem": "Debian", "name": "openssl"}}, True),
        ({"package": {"ecosystem": "Debian:12", "name": "libssl3"}}, False),
        ({"package": {"ecosystem": "Ubuntu:22.04:LTS", "name": "openssl"}}, False),
    ],
)
def test_what_an_advisory_names_decides_whether_it_matches(part: dict[str, Any], *, found: bool) -> None:
    for_this_machine = advisory("OTHER", affected=affected(package={"ecosystem": "Debian:12", "name": "x"}))

    report = judged(advisory(affected=affected(**part)), for_this_machine)

    assert bool(report.found) == found


def test_a_machine_whose_release_is_unknown_is_of_every_release() -> None:
    sid = OPENSSL.model_copy(update={"release": ""})

    assert judged(advisory(), components=(sid,)).blocking == 1


def test_advisories_for_another_release_alone_are_refused() -> None:
    other = Component(name="openssl", version="3", database="debian", release="13")

    with pytest.raises(RefusedError, match=r"no advisory is for debian 13: all are for Debian:12; nothing"):
        judged(advisory(), components=(other,))


def test_an_sbom_without_packages_is_refused() -> None:
    with pytest.raises(RefusedError, match="lists no source package"):
        judged(advisory(), components=())


def test_a_file_that_holds_no_advisory_says_so() -> None:
    report = judged()

    assert (report.found, report.warnings) == (0, ("the file of advisories holds none",))


@pytest.mark.parametrize(
    ("said", "severity"),
    [
        ({"severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:P/AC:H/PR:H/UI:R/S:U/C:L/I:N/A:N"}]}, "low"),
        ({"severity": [], "database_specific": {"severity": "MODERATE"}}, "medium"),
        ({"severity": [], "affected": affected(ecosystem_specific={"urgency": "low**"})}, "low"),
        ({"severity": [{"type": "Ubuntu", "score": "medium"}]}, "medium"),
        ({"database_specific": {"severity": "CRITICAL"}}, "critical"),
        ({"severity": [], "affected": affected(ecosystem_specific={"urgency": "not yet assigned"})}, None),
        ({"severity": [{"type": "CVSS_V4", "score": "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N"}]}, None),
        (
            {
                "severity": [{"type": "CVSS_V4", "score": "CVSS:4.0/AV:N"}],
                "database_specific": {"severity": "LOW"},
            },
            "low",
        ),
        ({"severity": None}, None),
    ],
)
def test_the_highest_stated_severity_counts(said: dict[str, Any], severity: str | None) -> None:
    assert the_finding(judged(advisory(**said))).severity == severity


@pytest.mark.parametrize("threshold", list(Severity))
def test_an_unknown_severity_blocks_at_any_threshold_and_says_so(threshold: Severity) -> None:
    report = judged(advisory(severity=[]), severity=threshold)

    assert report.blocking == 1
    assert f"count as {threshold}" in report.warnings[0]


def test_what_is_less_than_the_threshold_is_found_but_does_not_block() -> None:
    report = judged(advisory(), severity=Severity.CRITICAL)

    assert (report.found, report.blocking) == (1, 0)


def test_fixable_only_lets_pass_what_nothing_can_be_done_about() -> None:
    unfixed = advisory(affected=affected(ranges=events({"introduced": "0"})))

    assert judged(unfixed).blocking == 1
    assert judged(unfixed, fixable_only=True).blocking == 0
    assert judged(advisory(), fixable_only=True).blocking == 1


def test_a_waiver_lets_pass_and_is_never_hidden() -> None:
    report = judged(advisory(), waivers=(waiver("DSA-1"),))

    assert (report.found, report.blocking, report.waived) == (1, 0, 1)
    finding = the_finding(report)
    assert (finding.waived_until, finding.waiver_reason) == (date(2027, 1, 31), "not reachable")


@pytest.mark.parametrize(
    ("at", "blocks"),
    [
        (datetime(2027, 1, 30, 23, 59, 59, tzinfo=UTC), 0),
        (datetime(2027, 1, 31, tzinfo=UTC), 1),
        (datetime(2027, 1, 31, 1, tzinfo=timezone(timedelta(hours=2))), 0),
    ],
)
def test_a_waiver_ends_with_the_day_before_the_one_it_names_in_utc(at: datetime, blocks: int) -> None:
    report = judged(advisory(), waivers=(waiver("DSA-1"),), at=at)

    assert report.blocking == blocks
    if blocks:
        assert the_finding(report).waiver_reason == "the waiver ended on 2027-01-31: not reachable"
        assert report.warnings == ("the waiver of DSA-1 ended on 2027-01-31",)


@pytest.mark.parametrize(
    ("named", "package", "blocks"),
    [
        ("CVE-1", None, 0),
        ("CVE-1", "openssl", 0),
        ("CVE-1", "nginx", 1),
        ("CVE-2", None, 1),
        ("CVE", None, 1),
    ],
)
def test_a_waiver_is_of_an_id_or_an_alias_and_of_one_package(
    named: str, package: str | None, blocks: int
) -> None:
    assert judged(advisory(aliases=["CVE-1"]), waivers=(waiver(named, package=package),)).blocking == blocks


def test_a_bundle_of_vulnerabilities_is_not_waived_by_one_of_them() -> None:
    mine = (waiver("CVE-1"),)

    assert judged(advisory(upstream=["CVE-1"]), waivers=mine).blocking == 0
    assert judged(advisory(upstream=["CVE-1", "CVE-2"]), waivers=mine).blocking == 1


def test_a_waiver_that_matches_nothing_is_named() -> None:
    report = judged(advisory(), waivers=(waiver("CVE-9", package="nginx"),))

    assert report.warnings == ("the waiver of CVE-9 in nginx matches nothing: take it out",)


def test_advisories_that_share_a_name_are_one_finding() -> None:
    low = advisory("DEBIAN-CVE-1", upstream=["CVE-1"], severity=[], database_specific={"severity": "LOW"})
    unknown = advisory("DSA-1", aliases=["CVE-1"], severity=[])

    report = judged(unknown, low, advisory("DSA-1", severity=[]))

    assert (report.found, the_finding(report).id) == (1, "DEBIAN-CVE-1")
    assert the_finding(report).severity is Severity.LOW


def test_two_names_are_joined_by_a_third_whatever_the_order() -> None:
    first, second = advisory("A", aliases=["X"]), advisory("B", aliases=["Y"])
    joining = advisory("C", aliases=["X", "Y"])

    assert judged(first, second, joining).findings == judged(joining, second, first).findings
    assert judged(first, second, joining).found == 1


def test_a_withdrawn_advisory_is_left_out_and_counted() -> None:
    report = judged(advisory(withdrawn="2027-01-02T00:00:00Z"), advisory("DSA-2"))

    assert [finding.id for finding in report.findings] == ["DSA-2"]
    assert report.warnings == ("1 withdrawn advisories were left out",)


def test_what_could_not_be_looked_up_is_told() -> None:
    elsewhere = advisory("GHSA-1", affected=affected(package={"ecosystem": "PyPI", "name": "openssl"}))

    report = judged(advisory(), elsewhere)

    assert report.found == 1
    assert "GHSA-1" in report.warnings[0]


def test_at_most_fifty_findings_are_listed_the_blocking_ones_first_and_all_are_counted() -> None:
    many = [advisory(f"LOW-{n}", severity=[], database_specific={"severity": "LOW"}) for n in range(60)]

    report = judged(*many, advisory("DSA-1"))

    assert (report.found, report.blocking, len(report.findings)) == (61, 1, 50)
    assert report.findings[0].id == "DSA-1"


names = st.sampled_from(["DSA-1", "DSA-2", "CVE-1", "CVE-2"])
days = st.dates(date(2027, 1, 13), date(2027, 1, 17))
waivers = st.builds(waiver, names, days, st.sampled_from([None, "openssl", "nginx"]))
stated = st.sampled_from(["LOW", "MODERATE", "HIGH", "CRITICAL", "?"])
fixes = st.sampled_from(["3.0.11-1~deb12u2", "3.0.15-1", None])


@st.composite
def written(draw: st.DrawFn) -> dict[str, Any]:
    fix = draw(fixes)
    said = [{"introduced": "0"}, *([{"fixed": fix}] if fix else [])]
    return advisory(
        draw(names),
        aliases=draw(st.lists(names, max_size=2)),
        severity=[],
        database_specific={"severity": draw(stated)},
        affected=affected(ranges=events(*said)),
    )


def blocking(report: GateReport) -> set[str]:
    return {finding.id for finding in report.findings if finding.blocks}


advisories = st.lists(written(), min_size=1, max_size=5)
some_waivers = st.lists(waivers, max_size=3).map(tuple)


@settings(deadline=None)
@given(advisories, some_waivers, waivers)
def test_another_waiver_never_blocks_more(said: list[Any], before: tuple[Any, ...], more: Any) -> None:
    assert blocking(judged(*said, waivers=(*before, more))) <= blocking(judged(*said, waivers=before))


@settings(deadline=None)
@given(advisories, some_waivers)
def test_a_higher_threshold_never_blocks_more(said: list[Any], accepted: tuple[Any, ...]) -> None:
    by_threshold = [blocking(judged(*said, waivers=accepted, severity=one)) for one in Severity]

    assert all(higher <= lower for lower, higher in pairwise(by_threshold))


@settings(deadline=None)
@given(advisories, some_waivers)
def test_fixable_only_and_an_earlier_day_never_block_more(said: list[Any], accepted: tuple[Any, ...]) -> None:
    plain = blocking(judged(*said, waivers=accepted))

    assert blocking(judged(*said, waivers=accepted, fixable_only=True)) <= plain
    assert blocking(judged(*said, waivers=accepted, at=NOW - timedelta(days=1))) <= plain


@settings(deadline=None)
@given(advisories, some_waivers, st.randoms())
def test_the_order_of_a_file_decides_nothing(said: list[Any], accepted: tuple[Any, ...], chance: Any) -> None:
    mixed = list(said)
    chance.shuffle(mixed)

    assert judged(*mixed, waivers=accepted) == judged(*said, waivers=accepted)
