"""Advisories, components and gates to judge."""

import json
from datetime import UTC, date, datetime
from typing import Any

from steadfleet_core.image.gate import Component, judge
from steadfleet_core.image.golden import Severity, VulnerabilityGate, Waiver
from steadfleet_core.image.osv import read_advisories
from steadfleet_core.image.report import GateReport

NOW = datetime(2027, 1, 15, 12, tzinfo=UTC)
HIGH = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N"
OPENSSL = Component(name="openssl", version="3.0.11-1~deb12u2", database="debian", release="12")


def advisory(name: str = "DSA-1", **other: Any) -> dict[str, Any]:
    """Write an advisory that affects OPENSSL, is fixed in 3.0.15 and is high."""
    package = {"ecosystem": "Debian:12", "name": "openssl"}
    events = [{"introduced": "0"}, {"fixed": "3.0.15-1~deb12u1"}]
    affected = {"package": package, "ranges": [{"type": "ECOSYSTEM", "events": events}]}
    return {
        "id": name,
        "modified": "2027-01-01T00:00:00Z",
        "severity": [{"type": "CVSS_V3", "score": HIGH}],
        "affected": [affected],
        **other,
    }


def affected(**other: Any) -> list[dict[str, Any]]:
    return [{**advisory()["affected"][0], **other}]


def events(*said: dict[str, str], kind: str = "ECOSYSTEM") -> list[dict[str, Any]]:
    return [{"type": kind, "events": list(said)}]


def waiver(name: str, until: date = date(2027, 1, 31), package: str | None = None) -> Waiver:
    return Waiver(id=name, package=package, reason="not reachable", expires=until)


def judged(
    *advisories: dict[str, Any],
    components: tuple[Component, ...] = (OPENSSL,),
    severity: Severity = Severity.HIGH,
    fixable_only: bool = False,
    waivers: tuple[Waiver, ...] = (),
    at: datetime = NOW,
) -> GateReport:
    gate = VulnerabilityGate(
        advisories="osv.json", severity=severity, fixable_only=fixable_only, waivers=waivers
    )
    read = read_advisories(json.dumps(list(advisories)).encode(), "osv.json")
    return judge(components, read, gate, at)
