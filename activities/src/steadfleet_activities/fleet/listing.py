"""Which hosts there are, for `steadfleet fleet list`."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from steadfleet_activities.fleet import tags
from steadfleet_activities.fleet.images import Images
from steadfleet_activities.fleet.machines import Machines
from steadfleet_activities.fleet.members import Members
from steadfleet_activities.fleet.selection import Selectors
from steadfleet_ports.fleet import FleetListing, FleetQuery, ListedHost

if TYPE_CHECKING:
    from mypy_boto3_autoscaling.type_defs import AutoScalingGroupTypeDef, InstanceTypeDef

MOST_LISTED = 1000


@dataclass(frozen=True)
class Listings:
    """Lists members of groups, in any state: what is in a group is what a person looks for."""

    selectors: Selectors
    members: Members
    machines: Machines
    images: Images

    def hosts_of(self, query: FleetQuery) -> FleetListing:
        groups = self._groups(query)
        every = [
            (group["AutoScalingGroupName"], one) for group in groups for one in group.get("Instances", [])
        ]
        listed = [(name, one) for name, one in every if _in_scope(query, one)]
        shown = sorted(listed, key=lambda pair: (pair[0], pair[1]["InstanceId"]))[:MOST_LISTED]
        health = self._health(groups, {name for name, _ in shown})
        machines = self.machines.find(one["InstanceId"] for _, one in shown)
        names = self.images.names({machine.image for machine in machines.values()})
        hosts = tuple(
            ListedHost(
                id=machine.id,
                group=name,
                zone=machine.zone,
                image_id=machine.image,
                image_name=names.get(machine.image, ""),
                health=health.get((name, machine.id), "unknown"),
            )
            for name, one in shown
            if (machine := machines.get(one["InstanceId"])) is not None
        )
        return FleetListing(hosts=hosts, total=len(listed))

    def _groups(self, query: FleetQuery) -> "list[AutoScalingGroupTypeDef]":
        if query.selector is not None:
            return self.selectors.groups(query.selector)
        if query.name is None:
            return self.members.every()
        found = [*self.members.groups([query.name]), *self.members.tagged({tags.FLEET: query.name})]
        return list({group["AutoScalingGroupName"]: group for group in found}.values())

    def _health(self, groups: "list[AutoScalingGroupTypeDef]", shown: set[str]) -> dict[tuple[str, str], str]:
        """Take the platform's word: healthy only where every target group of the host says so."""
        found: dict[tuple[str, str], str] = {}
        for group in groups:
            name = group["AutoScalingGroupName"]
            for arn in group.get("TargetGroupARNs", []) if name in shown else []:
                for machine_id, state in self.members.target_states(arn).items():
                    if found.get((name, machine_id), "healthy") == "healthy":
                        found[name, machine_id] = state
        return found


def _in_scope(query: FleetQuery, member: "InstanceTypeDef") -> bool:
    selector = query.selector
    if selector is None:
        return True
    in_zone = not selector.zones or member["AvailabilityZone"] in selector.zones
    return in_zone and member["InstanceId"] not in selector.exclude_hosts
