"""What a name means now: zones, aliases, wildcards and chains, decided without any network."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from steadfleet_local_cloud.hosts import TTL, Hosts
from steadfleet_local_cloud.record_sets import Alias, RecordSet, Zone

_AWS = dns.name.from_text("amazonaws.com")
_LONGEST_CHAIN = 8
_A, _CNAME, _SOA = dns.rdatatype.A, dns.rdatatype.CNAME, dns.rdatatype.SOA


class LookupRefusedError(Exception):
    """No answer could be right; `rcode` is how DNS says so."""

    def __init__(self, rcode: dns.rcode.Rcode, why: str) -> None:
        super().__init__(why)
        self.rcode = rcode


@dataclass
class Found:
    """An answer: no name and no such data are answers too, with the zone's SOA record."""

    rcode: dns.rcode.Rcode = dns.rcode.NOERROR
    answer: list[dns.rrset.RRset] = field(default_factory=list)
    authority: list[dns.rrset.RRset] = field(default_factory=list)


class Lookup:
    """One question, asked from a region or, with None, from the machine that the cloud runs on."""

    def __init__(self, zones: Sequence[Zone], hosts: Hosts, region: str | None, dice: random.Random) -> None:
        self._zones = [one for one in zones if not one.private or region is None or region in one.regions]
        self._hosts = hosts
        self._dice = dice

    def find(self, name: dns.name.Name, kind: dns.rdatatype.RdataType) -> Found:
        """Follow the name to its end; LookupRefusedError if that is not here, or not to be told."""
        found = Found()
        for _ in range(_LONGEST_CHAIN):
            following = self._step(found, name, kind)
            if following is None:
                return found
            name = following
        raise LookupRefusedError(dns.rcode.SERVFAIL, f"the chain of CNAMEs does not end at {name}")

    def _step(self, found: Found, name: dns.name.Name, kind: dns.rdatatype.RdataType) -> dns.name.Name | None:
        """Add what is at the name; the name to go on with, if it is another's alias."""
        if host := self._hosts.find(name):
            if kind is _A:
                found.answer.append(dns.rrset.from_text(name, TTL, dns.rdataclass.IN, _A, host.address))
            return None
        zone = self._zone(name, chained=bool(found.answer))
        at = zone.at(name) if zone else None
        if zone is None or at is None:
            found.rcode = dns.rcode.NXDOMAIN
            found.authority = _soa(zone)
            return None
        chosen = self._chosen(zone, [one for one in at if one.type is kind])
        if chosen is None and (cname := self._chosen(zone, [one for one in at if one.type is _CNAME])):
            found.answer.append(dns.rrset.from_rdata_list(name, cname.ttl, cname.data))
            target: dns.name.Name = cname.data[0].target  # type: ignore[attr-defined] # of a CNAME
            return target
        ttl, data = self._data(zone, chosen, kind) if chosen else (0, ())
        if data:
            found.answer.append(dns.rrset.from_rdata_list(name, ttl, data))
        else:
            found.authority = _soa(zone)
        return None

    def _zone(self, name: dns.name.Name, *, chained: bool) -> Zone | None:
        """Find the zone nearest to the name, a private before a public one; None for what AWS would know."""
        around = [one for one in self._zones if name.is_subdomain(one.name)]
        if not around:
            if name.is_subdomain(_AWS):
                return None
            rcode = dns.rcode.SERVFAIL if chained else dns.rcode.REFUSED
            raise LookupRefusedError(rcode, f"{name} is in no hosted zone of this local cloud")
        nearest = max((len(one.name), one.private) for one in around)
        best = [one for one in around if (len(one.name), one.private) == nearest]
        if len(best) > 1:
            raise LookupRefusedError(
                dns.rcode.SERVFAIL,
                f"{len(best)} hosted zones {best[0].name} could answer ({', '.join(one.id for one in best)})"
                + (": ask from an address of the region whose VPC you mean" if best[0].private else ""),
            )
        if best[0].delegates(name):
            raise LookupRefusedError(
                dns.rcode.SERVFAIL, f"{name} is delegated to name servers outside of this local cloud"
            )
        return best[0]

    def _chosen(self, zone: Zone, sets: list[RecordSet]) -> RecordSet | None:
        """Choose among the record sets of one name and type, by their routing."""
        if not sets:
            return None
        if sets[0].routing == "simple":
            return sets[0]
        alive = [one for one in sets if self._healthy(zone, one)] or sets  # if all are ill, AWS answers all
        if sets[0].routing == "failover":
            return min(alive, key=lambda one: str(one.failover))  # PRIMARY before SECONDARY
        weights = [one.weight or 0 for one in alive]
        return self._dice.choices(alive, weights if any(weights) else None)[0]

    def _healthy(self, zone: Zone, one: RecordSet, depth: int = 0) -> bool:
        if one.alias is None or not one.alias.evaluated or depth > _LONGEST_CHAIN:
            return True
        if host := self._hosts.alias_target(one.alias.name):
            return host.healthy()
        behind = self._behind(zone, one.alias, one.type)
        return any(self._healthy(zone, other, depth + 1) for other in behind)

    def _data(
        self, zone: Zone, one: RecordSet, kind: dns.rdatatype.RdataType, depth: int = 0
    ) -> tuple[int, tuple[dns.rdata.Rdata, ...]]:
        if one.alias is None:
            return one.ttl, one.data
        if host := self._hosts.alias_target(one.alias.name):
            data = (dns.rdata.from_text(dns.rdataclass.IN, _A, host.address),) if kind is _A else ()
            return TTL, data
        behind = self._chosen(zone, self._behind(zone, one.alias, kind))
        if depth > _LONGEST_CHAIN:
            raise LookupRefusedError(dns.rcode.SERVFAIL, f"the aliases of {one.name} go round in a circle")
        return self._data(zone, behind, kind, depth + 1) if behind else (0, ())

    def _behind(self, zone: Zone, alias: Alias, kind: dns.rdatatype.RdataType) -> list[RecordSet]:
        if not alias.name.is_subdomain(zone.name):
            return []  # a load balancer that is gone
        return [one for one in zone.at(alias.name) or [] if one.type is kind]


def _soa(zone: Zone | None) -> list[dns.rrset.RRset]:
    """Give the SOA record, whose TTL here is how long it may be remembered that there is nothing."""
    for one in (zone.at(zone.name) or []) if zone else []:
        if one.type is _SOA:
            soa = one.data[0]
            return [dns.rrset.from_rdata_list(one.name, min(one.ttl, soa.minimum), one.data)]  # type: ignore[attr-defined] # of a SOA
    return []
