"""Hosted zones as the resolver sees them: read once from the API's words, then never changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import dns.exception
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype

_IN = dns.rdataclass.IN
_WILDCARD = dns.name.Name((b"*",))
# what would need more than this resolver knows: where a question comes from, or what a probe found
_UNANSWERED = {
    "Region": "latency",
    "GeoLocation": "geolocation",
    "GeoProximityLocation": "geoproximity",
    "CidrRoutingConfig": "IP-based",
    "MultiValueAnswer": "multivalue",
    "HealthCheckId": "health-checked",
    "TrafficPolicyInstanceId": "traffic policy",
}


class RecordSetError(ValueError):
    """A record set that makes no sense, or that could only be answered wrongly."""


@dataclass(frozen=True)
class Alias:
    """An alias: to a name of AWS's, or to another record of the same zone."""

    name: dns.name.Name
    zone_id: str
    evaluated: bool


@dataclass(frozen=True)
class RecordSet:
    """One record set, parsed; `ttl` is in seconds and an alias has none."""

    name: dns.name.Name
    type: dns.rdatatype.RdataType
    ttl: int = 0
    data: tuple[dns.rdata.Rdata, ...] = ()
    alias: Alias | None = None
    identifier: str | None = None
    weight: int | None = None
    failover: str | None = None

    @property
    def key(self) -> tuple[dns.name.Name, dns.rdatatype.RdataType, str | None]:
        """What the API finds a record set by."""
        return self.name, self.type, self.identifier

    @property
    def routing(self) -> str:
        if self.identifier is None:
            return "simple"
        return "weighted" if self.weight is not None else "failover"


@dataclass(frozen=True)
class Zone:
    """One hosted zone; a private one is seen in the regions of its VPCs only."""

    id: str
    name: dns.name.Name
    private: bool
    regions: frozenset[str]
    record_sets: tuple[RecordSet, ...]

    @cached_property
    def _by_name(self) -> Mapping[dns.name.Name, list[RecordSet]]:
        found: dict[dns.name.Name, list[RecordSet]] = {}
        for one in self.record_sets:
            found.setdefault(one.name, []).append(one)
        return found

    @cached_property
    def _names(self) -> frozenset[dns.name.Name]:
        """Every name that exists: those between a record and the apex exist too, though they hold nothing."""
        names = set()
        for name in self._by_name:
            while name.is_subdomain(self.name) and name not in names:
                names.add(name)
                name = name.parent() if name != self.name else name  # noqa: PLW2901 - climbing
        return frozenset(names)

    def at(self, name: dns.name.Name) -> list[RecordSet] | None:
        """Give what is at a name, by a wildcard if need be; None if there is no such name."""
        if name in self._names:
            return self._by_name.get(name, [])
        closest = name.parent()
        while closest not in self._names:
            closest = closest.parent()
        wildcard = self._by_name.get(_WILDCARD.concatenate(closest))
        return None if wildcard is None else wildcard

    def delegates(self, name: dns.name.Name) -> bool:
        """Whether a part of the zone that holds the name is handed to other name servers."""
        while name != self.name:
            if any(one.type is dns.rdatatype.NS for one in self._by_name.get(name, [])):
                return True
            name = name.parent()
        return False


def read_record_set(told: Mapping[str, Any]) -> RecordSet:
    """Parse a record set in the API's words; RecordSetError says what is wrong with it."""
    for field, routing in _UNANSWERED.items():
        if told.get(field) not in (None, False):
            raise RecordSetError(
                f"{told['Name']}: this local cloud does not answer {routing} records ({field}): "
                "it knows simple, weighted and failover ones"
            )
    try:
        name = dns.name.from_text(told["Name"])
        kind = dns.rdatatype.from_text(told["Type"])
        alias = _alias(told.get("AliasTarget"))
        data = tuple(_data(kind, value) for value in told.get("ResourceRecords") or ())
    except (dns.exception.DNSException, ValueError) as error:
        raise RecordSetError(f"{told.get('Name')} {told.get('Type')}: {error}") from error
    if (alias is None) == (not data) or (alias is None) == (told.get("TTL") is None):
        raise RecordSetError(f"{name}: expected either AliasTarget, or TTL and ResourceRecords")
    weight = told.get("Weight")
    one = RecordSet(
        name=name,
        type=kind,
        ttl=int(told.get("TTL") or 0),
        data=data,
        alias=alias,
        identifier=told.get("SetIdentifier"),
        weight=None if weight is None else int(weight),
        failover=told.get("Failover"),
    )
    _check_routing(one)
    return one


def _alias(told: Mapping[str, Any] | None) -> Alias | None:
    if not told:
        return None
    evaluated = str(told.get("EvaluateTargetHealth", False)).lower() == "true"
    return Alias(dns.name.from_text(told["DNSName"]), told["HostedZoneId"], evaluated)


def _data(kind: dns.rdatatype.RdataType, value: str) -> dns.rdata.Rdata:
    return dns.rdata.from_text(_IN, kind, value, origin=dns.name.root, relativize=False)


def _check_routing(one: RecordSet) -> None:
    if one.identifier is None and (one.weight is not None or one.failover is not None):
        raise RecordSetError(f"{one.name}: a weighted or failover record needs its SetIdentifier")
    if one.identifier is not None and (one.weight is None) == (one.failover is None):
        raise RecordSetError(f"{one.name}: a record with a SetIdentifier needs either Weight or Failover")
    if one.failover not in (None, "PRIMARY", "SECONDARY"):
        raise RecordSetError(f"{one.name}: Failover is PRIMARY or SECONDARY, not {one.failover!r}")
