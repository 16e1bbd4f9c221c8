"""Private hosted zones of Route 53, which is global: one look, whatever the regions."""

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from steadfleet_activities.fleet.machines import pages
from steadfleet_activities.janitor.clients import JanitorAws
from steadfleet_activities.janitor.found import Found, tags_in
from steadfleet_activities.janitor.scope import Kind, Scope, Thing

if TYPE_CHECKING:
    from mypy_boto3_route53.type_defs import ChangeTypeDef

GLOBAL = "global"
"""Where its things are, in place of a region."""

_TAGS_PAGE = 10
_CHANGES_PAGE = 100


class Zones:
    """Looks at the private zones. A public one answers the world: it is nobody's to take away."""

    def __init__(self, aws: JanitorAws) -> None:
        self._aws = aws

    def look(self, scope: Scope) -> Found:
        """Find by tag, and by name: a zone is made first, and tagged by a second call."""
        found = Found()
        for thing, reference in self._private():
            named = _named(scope, thing, reference) and scope.takes_by_name(thing)
            if named or scope.takes(thing):
                found.things.append(thing)
        return found

    def _private(self) -> Iterator[tuple[Thing, str]]:
        """Yield each with its caller's reference."""
        answers = self._aws.route53.get_paginator("list_hosted_zones").paginate()
        described = {
            _bare(one["Id"]): one
            for answer in answers
            for one in answer["HostedZones"]
            if one.get("Config", {}).get("PrivateZone")
        }
        for page in pages(sorted(described), _TAGS_PAGE):
            answer = self._aws.route53.list_tags_for_resources(
                ResourceType="hostedzone", ResourceIds=list(page)
            )
            for said in answer["ResourceTagSets"]:
                one = described[_bare(said["ResourceId"])]
                name, given = one["Name"].rstrip("."), tags_in(said.get("Tags", ()))
                yield Thing(GLOBAL, Kind.ZONE, _bare(one["Id"]), name, given), one["CallerReference"]


def deletes(aws: JanitorAws) -> Mapping[Kind, Callable[[Thing], object]]:
    return {Kind.ZONE: lambda thing: _delete_zone(aws, thing)}


def _delete_zone(aws: JanitorAws, zone: Thing) -> None:
    """Take away its record sets before; the two of its own top go with it."""
    answers = aws.route53.get_paginator("list_resource_record_sets").paginate(HostedZoneId=zone.id)
    changes: list[ChangeTypeDef] = [
        {"Action": "DELETE", "ResourceRecordSet": one}
        for answer in answers
        for one in answer["ResourceRecordSets"]
        if not (one["Type"] in {"NS", "SOA"} and one["Name"].rstrip(".") == zone.name)
    ]
    for page in pages(changes, _CHANGES_PAGE):
        aws.route53.change_resource_record_sets(HostedZoneId=zone.id, ChangeBatch={"Changes": list(page)})
    aws.route53.delete_hosted_zone(Id=zone.id)


def _named(scope: Scope, zone: Thing, reference: str) -> bool:
    """Say whether the zone is called after the run: `<run>`, `<run>.…`, or by its caller's reference."""
    run = scope.run.lower()
    return bool(run) and (reference == scope.run or f"{zone.name}.".startswith(f"{run}."))


def _bare(zone_id: str) -> str:
    return zone_id.removeprefix("/hostedzone/")
