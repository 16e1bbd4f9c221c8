"""Hosted zones: a change is checked as a whole, made as a whole, and answered by the resolver at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import dns.name
import dns.rdatatype
from moto.route53.exceptions import (
    DnsNameInvalidForZone,
    InvalidActionValue,
    InvalidInput,
    Route53ClientError,
)
from moto.route53.models import FakeZone, Route53Backend, route53_backends
from moto.route53.models import RecordSet as MotoRecordSet
from moto.route53.responses import Route53 as Route53Responses

from steadfleet_local_cloud.context import ACCOUNT
from steadfleet_local_cloud.hosts import Hosts
from steadfleet_local_cloud.patches import Patches
from steadfleet_local_cloud.record_sets import RecordSet, RecordSetError, Zone, read_record_set
from steadfleet_local_cloud.resolver import Resolver

_told_record_set: Any = MotoRecordSet  # CloudFormation's half of it is not there
_Key = tuple[dns.name.Name, dns.rdatatype.RdataType, str | None]
_Sets = dict[_Key, tuple[RecordSet, Any]]  # parsed, and moto's own
_CNAME = dns.rdatatype.CNAME
_OWN = (dns.rdatatype.NS, dns.rdatatype.SOA)


class Route53:
    """
    Wrap moto's hosted zones; the resolver answers what they hold.

    moto keeps a journal where AWS looks at what is there: it takes a second CREATE with other values,
    a DELETE with old ones, and half of a batch whose other half is wrong.
    """

    def __init__(self, patches: Patches, hosts: Hosts, resolver: Resolver) -> None:
        self._hosts = hosts
        self._resolver = resolver
        patches.wrap(Route53Responses, "create_hosted_zone", _refuse_public_in_vpc)
        patches.wrap(Route53Backend, "create_hosted_zone", self._create)
        patches.replace(Route53Backend, "change_resource_record_sets", self._changer())
        patches.wrap(Route53Backend, "delete_hosted_zone", self._published)
        patches.wrap(Route53Backend, "associate_vpc_with_hosted_zone", self._published)
        patches.wrap(Route53Backend, "disassociate_vpc_from_hosted_zone", self._published)

    def _create(self, original: Any, backend: Any, *args: Any, **options: Any) -> Any:
        reference = options.get("caller_reference")
        if reference and any(zone.caller_reference == reference for zone in backend.zones.values()):
            raise Route53ClientError(
                "HostedZoneAlreadyExists", f"A hosted zone has been created with CallerReference {reference}."
            )
        zone = original(backend, *args, **options)
        for one in zone.rrsets:  # moto wraps the value of the SOA record twice
            one.records = [value["Value"] if isinstance(value, dict) else value for value in one.records]
        self._publish()
        return zone

    def _published(self, original: Any, *args: Any, **options: Any) -> Any:
        answer = original(*args, **options)
        self._publish()
        return answer

    def _publish(self) -> None:
        zones = [zone for backend in route53_backends[ACCOUNT].values() for zone in backend.zones.values()]
        self._resolver.publish([_zone(zone) for zone in zones])

    def _changer(self) -> Any:
        def change_resource_record_sets(backend: Any, zoneid: str, change_list: list[dict[str, Any]]) -> None:
            zone = backend.get_hosted_zone(zoneid)
            sets: _Sets = {one.key: (one, told) for one, told in _read(zone.rrsets)}
            for change in change_list:
                self._apply(zone, sets, change["Action"], change["ResourceRecordSet"])
            _check_together([one for one, _ in sets.values()])
            zone.rrsets = [told for _, told in sets.values()]
            self._publish()

        return change_resource_record_sets

    def _apply(self, zone: Any, sets: _Sets, action: str, told: Mapping[str, Any]) -> None:
        if action not in {"CREATE", "UPSERT", "DELETE"}:
            raise InvalidActionValue(action)
        values = [value["Value"] for value in told.get("ResourceRecords") or ()]
        told = {**told, "Name": told["Name"].rstrip(".") + ".", "ResourceRecords": values}
        try:
            one = read_record_set(told)
        except RecordSetError as error:
            raise _refusal(str(error)) from error
        there = sets.get(one.key)
        what = f"[name='{told['Name']}', type='{told['Type']}', set identifier='{one.identifier}']"
        if action == "DELETE":
            _refuse_delete(zone, there, one, what)
            del sets[one.key]
            return
        if action == "CREATE" and there:
            raise _refusal(f"Tried to create resource record set {what} but it already exists")
        self._check(zone, one, what)
        sets[one.key] = one, _told_record_set(dict(told))

    def _check(self, zone: Any, one: RecordSet, what: str) -> None:
        """Refuse what lies outside, and an alias whose target could not be answered."""
        apex = dns.name.from_text(zone.name)
        if not one.name.is_subdomain(apex):
            raise DnsNameInvalidForZone(name=str(one.name), zone_name=zone.name)
        if one.alias is None:
            return
        host = self._hosts.alias_target(one.alias.name)
        if host and host.zone_id == one.alias.zone_id:
            return
        if one.alias.zone_id.rpartition("/")[2] != zone.resource_id or not one.alias.name.is_subdomain(apex):
            raise _refusal(
                f"Tried to create an alias {what} that targets {one.alias.name} in zone {one.alias.zone_id}, "
                "but the alias target name was not found there: this local cloud knows the names of its own "
                "load balancers (with their CanonicalHostedZoneId) and those of the same hosted zone"
            )


def _refuse_public_in_vpc(original: Any, response: Any) -> Any:
    if response._get_param("VPC.VPCId") and not response._get_param("HostedZoneConfig.PrivateZone"):  # noqa: SLF001 - as moto's own actions
        raise InvalidInput("a hosted zone with a VPC is private: say HostedZoneConfig.PrivateZone=true")
    return original(response)


def _refusal(message: str) -> Route53ClientError:
    return Route53ClientError("InvalidChangeBatch", f"[{message}]")


def _refuse_delete(zone: Any, there: Any, one: RecordSet, what: str) -> None:
    if there is None:
        raise _refusal(f"Tried to delete resource record set {what} but it was not found")
    if set(there[0].data) != set(one.data) or (there[0].ttl, there[0].alias) != (one.ttl, one.alias):
        raise _refusal(
            f"Tried to delete resource record set {what} but the values provided do not "
            "match the current values"
        )
    if one.name == dns.name.from_text(zone.name) and one.type in _OWN:
        raise _refusal(
            "A HostedZone must contain at least one NS record for the zone itself, and one SOA record."
        )


def _check_together(sets: list[RecordSet]) -> None:
    """Refuse record sets that contradict each other, as a whole batch would leave them."""
    by_name: dict[dns.name.Name, list[RecordSet]] = {}
    for one in sets:
        by_name.setdefault(one.name, []).append(one)
    for name, here in by_name.items():
        if any(one.type is _CNAME for one in here) and any(one.type is not _CNAME for one in here):
            raise _refusal(f"RRSet of type CNAME with DNS name {name} is not permitted beside others")
        for kind in {one.type for one in here}:
            alike = [one for one in here if one.type is kind]
            if len({one.routing for one in alike}) > 1:
                raise _refusal(
                    f"RRSets with DNS name {name} must be all simple, all weighted or all failover"
                )
            roles = [one.failover for one in alike if one.failover]
            if len(set(roles)) < len(roles):
                raise _refusal(f"{name} has two failover records {roles[0]}: one PRIMARY and one SECONDARY")


def _zone(zone: FakeZone) -> Zone:
    return Zone(
        id=zone.resource_id,
        name=dns.name.from_text(zone.name),
        private=bool(zone.private_zone),
        regions=frozenset(vpc["vpc_region"] for vpc in zone.vpcs if "vpc_region" in vpc),
        record_sets=tuple(one for one, _ in _read(zone.rrsets)),
    )


def _read(rrsets: Iterable[Any]) -> Iterable[tuple[RecordSet, Any]]:
    for rrset in rrsets:
        yield (
            read_record_set(
                {
                    "Name": rrset.name,
                    "Type": rrset.type,
                    "TTL": rrset.ttl,
                    "ResourceRecords": rrset.records,
                    "AliasTarget": rrset.alias_target,
                    "SetIdentifier": rrset.set_identifier,
                    "Weight": rrset.weight,
                    "Failover": rrset.failover,
                }
            ),
            rrset,
        )
