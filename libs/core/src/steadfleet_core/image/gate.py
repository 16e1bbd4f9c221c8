"""Judge the packages of an image by advisories and waivers. Pure: it knows neither clock nor file."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from steadfleet_core.errors import RefusedError
from steadfleet_core.image import dpkg
from steadfleet_core.image.golden import Severity, VulnerabilityGate, Waiver
from steadfleet_core.image.osv import Advisory, Affected, Range
from steadfleet_core.image.report import MOST_FINDINGS, Finding, GateReport
from steadfleet_core.model import Digest, Model

_COMPARED = frozenset({"ECOSYSTEM", "SEMVER"})
_Index = dict[tuple[str, str], list[tuple[Advisory, Affected]]]


class Component(Model):
    """A source package of the image: advisories for dpkg's distributions name those.

    `database` is the distribution (`debian`), `release` its version (`12`), "" where it has none.
    """

    name: str
    version: str
    database: str
    release: str = ""


@dataclass(frozen=True)
class _Match:
    """One vulnerability of one component, by all the names that it has.

    `severity` is None where no advisory states one; `fixed_in` is "" where none names a fix.
    """

    names: frozenset[str]
    id: str
    component: Component
    severity: Severity | None
    fixed_in: str

    def merged(self, other: "_Match") -> "_Match":
        """Join two advisories of one vulnerability: what one of them knows is known."""
        severities = [severity for severity in (self.severity, other.severity) if severity]
        fixes = [fix for fix in (self.fixed_in, other.fixed_in) if fix]
        return _Match(
            names=self.names | other.names,
            id=min(self.id, other.id),
            component=self.component,
            severity=max(severities, key=lambda severity: severity.rank, default=None),
            fixed_in=max(fixes, key=dpkg.order_of, default=""),
        )


def judge(
    components: Sequence[Component],
    advisories: Sequence[Advisory],
    gate: VulnerabilityGate,
    at: datetime,
    digest: Digest | None = None,
) -> GateReport:
    """
    Hold every component against every advisory; `at` says which waivers are over.

    Raises `RefusedError` where there is no component, or no advisory is for this machine: then nothing
    was looked up, and nothing may pass as clean.
    """
    standing = [advisory for advisory in advisories if not advisory.withdrawn]
    _refuse_of_elsewhere(components, standing)
    index = _by_package(standing)
    matches = [match for component in components for match in _of(component, index)]
    findings = sorted((_finding(match, gate, at) for match in matches), key=_blocking_first)
    return GateReport(
        advisories=digest,
        looked_up=len(components),
        found=len(findings),
        blocking=sum(finding.blocks for finding in findings),
        waived=sum(_is_waived(finding, at) for finding in findings),
        findings=tuple(findings[:MOST_FINDINGS]),
        warnings=(
            *_left_out(components, advisories),
            *_unknown(matches, gate),
            *_idle(matches, gate.waivers, at),
        ),
    )


def _by_package(advisories: Iterable[Advisory]) -> _Index:
    index: _Index = defaultdict(list)
    for advisory in advisories:
        for affected in advisory.affected:
            if affected.package is not None:
                index[affected.package.database, affected.package.name].append((advisory, affected))
    return index


def _of(component: Component, index: _Index) -> list[_Match]:
    """Find what affects a component; advisories that share a name are one finding."""
    merged: list[_Match] = []
    for match in _matches(component, index):
        same = [other for other in merged if other.names & match.names]
        joined = match
        for other in same:
            joined = joined.merged(other)
        merged = [other for other in merged if other not in same] + [joined]
    return merged


def _matches(component: Component, index: _Index) -> Iterator[_Match]:
    for advisory, affected in index.get((component.database, component.name), ()):
        meant = affected.package is not None and affected.package.is_for(component.release)
        if meant and _affects(affected, component.version):
            fix = _fix(affected, component.version)
            yield _Match(advisory.names, advisory.id, component, advisory.severity_of(affected), fix)


def _affects(affected: Affected, version: str) -> bool:
    compared = [one for one in affected.ranges if one.type in _COMPARED]
    if version in affected.versions or any(_holds(one, version) for one in compared):
        return True
    # Nothing that could be compared says that this version is clean.
    return not compared and not affected.versions


def _holds(one: Range, version: str) -> bool:
    if one.ordered is None or not one.ordered:
        return True
    inside = False
    for event in one.ordered:
        if event.introduced is not None:
            inside = inside or event.introduced == "0" or dpkg.compare(version, event.introduced) >= 0
        elif event.fixed is not None:
            inside = inside and dpkg.compare(version, event.fixed) < 0
        elif event.last_affected is not None:
            inside = inside and dpkg.compare(version, event.last_affected) <= 0
    return inside


def _fix(affected: Affected, version: str) -> str:
    """Return the first version after this one that is clean, as far as the advisory says."""
    events = [event for one in affected.ranges if one.type in _COMPARED for event in one.ordered or ()]
    fixes = [event.fixed for event in events if event.fixed and dpkg.compare(event.fixed, version) > 0]
    return min(fixes, key=dpkg.order_of, default="")


def _finding(match: _Match, gate: VulnerabilityGate, at: datetime) -> Finding:
    waiver = max(_waivers(match, gate.waivers), key=lambda one: one.expires, default=None)
    over = waiver is not None and _is_over(waiver, at)
    severe = match.severity is None or match.severity.rank >= gate.severity.rank
    concerns = severe and (bool(match.fixed_in) or not gate.fixable_only)
    reason = f"the waiver ended on {waiver.expires}: {waiver.reason}" if waiver and over else ""
    return Finding(
        id=match.id,
        package=match.component.name,
        version=match.component.version,
        severity=match.severity,
        fixed_in=match.fixed_in or None,
        waived_until=waiver.expires if waiver else None,
        waiver_reason=reason or (waiver.reason if waiver else ""),
        blocks=concerns and (waiver is None or over),
    )


def _waivers(match: _Match, waivers: Iterable[Waiver]) -> list[Waiver]:
    return [
        waiver
        for waiver in waivers
        if waiver.id in match.names and waiver.package in {None, match.component.name}
    ]


def _is_over(waiver: Waiver, at: datetime) -> bool:
    return at.astimezone(UTC).date() >= waiver.expires


def _is_waived(finding: Finding, at: datetime) -> bool:
    return finding.waived_until is not None and at.astimezone(UTC).date() < finding.waived_until


def _blocking_first(finding: Finding) -> tuple[bool, int, str, str]:
    rank = len(Severity) if finding.severity is None else finding.severity.rank
    return not finding.blocks, -rank, finding.package, finding.id


def _refuse_of_elsewhere(components: Sequence[Component], advisories: Sequence[Advisory]) -> None:
    there = {(component.database, component.release) for component in components}
    packages = [one.package for advisory in advisories for one in advisory.affected if one.package]
    if not there:
        raise RefusedError(
            "the SBOM lists no source package: there is nothing to look up, so nothing may pass"
        )
    if packages and not any(
        p.database == database and p.is_for(release) for p in packages for database, release in there
    ):
        machine = ", ".join(sorted(f"{database} {release}".strip() for database, release in there))
        named = ", ".join(sorted({package.ecosystem for package in packages})[:5])
        raise RefusedError(
            f"no advisory is for {machine}: all are for {named}; nothing could be looked up, so nothing may "
            "pass: name advisories for the image's own distribution and release"
        )


def _left_out(components: Sequence[Component], advisories: Sequence[Advisory]) -> Iterator[str]:
    databases = {component.database for component in components}
    withdrawn = sum(advisory.withdrawn is not None for advisory in advisories)
    elsewhere = [one for one in advisories if not any(_may_be_in(databases, a) for a in one.affected)]
    if not advisories:
        yield "the file of advisories holds none"
    if withdrawn:
        yield f"{withdrawn} withdrawn advisories were left out"
    if elsewhere:
        yield (
            f"{len(elsewhere)} advisories are for no package database that the SBOM lists, or for none, "
            f"and could not be looked up: {', '.join(one.id for one in elsewhere[:5])}"
        )


def _may_be_in(databases: set[str], affected: Affected) -> bool:
    return affected.package is not None and affected.package.database in databases


def _unknown(matches: Sequence[_Match], gate: VulnerabilityGate) -> Iterator[str]:
    unknown = sum(match.severity is None for match in matches)
    if unknown:
        yield f"{unknown} findings have no severity that can be computed: they count as {gate.severity}"


def _idle(matches: Sequence[_Match], waivers: Sequence[Waiver], at: datetime) -> Iterator[str]:
    for waiver in waivers:
        what = f"the waiver of {waiver.id}{f' in {waiver.package}' if waiver.package else ''}"
        if not any(_waivers(match, [waiver]) for match in matches):
            yield f"{what} matches nothing: take it out"
        elif _is_over(waiver, at):
            yield f"{what} ended on {waiver.expires}"
