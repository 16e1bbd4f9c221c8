"""Which hosts an order means, and what each of them runs now."""

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from steadfleet_activities.fleet.clients import Aws
from steadfleet_activities.fleet.machines import Machine, Machines
from steadfleet_activities.fleet.members import Members
from steadfleet_activities.fleet.templates import Templates
from steadfleet_core.campaign.policy import Selector
from steadfleet_core.errors import RefusedError
from steadfleet_core.fleet import Before, Group, Host

if TYPE_CHECKING:
    from mypy_boto3_autoscaling.type_defs import AutoScalingGroupTypeDef, InstanceTypeDef

_AWS_TEMPLATE = "aws:ec2launchtemplate:id"
_AWS_VERSION = "aws:ec2launchtemplate:version"
_SHOWN = 5


@dataclass
class Selection:
    """The hosts in scope, the groups that hold them, and what a person should know of it."""

    groups: list[Group] = field(default_factory=list)
    hosts: list[Host] = field(default_factory=list)
    machines: dict[str, Machine] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


class Selectors:
    """Resolves selectors; it only ever describes."""

    def __init__(self, aws: Aws, members: Members, machines: Machines, templates: Templates) -> None:
        self._aws = aws
        self._members = members
        self._machines = machines
        self._templates = templates

    def select(self, selector: Selector) -> Selection:
        """Resolve to members that are in service; raise `RefusedError` if there is none."""
        found = self.groups(selector)
        if not found:
            raise RefusedError(
                f"spec.fleet.selector matches no Auto Scaling group in {self._aws.region}: got "
                f"{_said(selector)}, expected names or tags of existing groups; `steadfleet fleet list` "
                "shows those there are"
            )
        selection = Selection()
        for group in found:
            self._take(group, selector, selection)
        if not selection.hosts:
            raise RefusedError(
                f"spec.fleet.selector matches no host: got {_said(selector)}, which are "
                f"{', '.join(group.name for group in selection.groups)} with no member in service and in "
                f"scope. {'; '.join(selection.warnings)}"
            )
        selection.warnings += _idle_exclusions(selector, found)
        return selection

    def groups(self, selector: Selector) -> "list[AutoScalingGroupTypeDef]":
        """Find the groups that are named, and those that carry all of the tags."""
        named = self._members.groups(selector.groups) if selector.groups else []
        missing = sorted(set(selector.groups) - {group["AutoScalingGroupName"] for group in named})
        if missing:
            raise RefusedError(
                f"spec.fleet.selector.groups: there is no Auto Scaling group {', '.join(missing)} in "
                f"{self._aws.region}: expected names of existing groups; `steadfleet fleet list` shows them"
            )
        tagged = self._members.tagged(selector.tags) if selector.tags else []
        by_name = {group["AutoScalingGroupName"]: group for group in [*named, *tagged]}
        return [by_name[name] for name in sorted(by_name)]

    def describe(self, group: "AutoScalingGroupTypeDef") -> Group:
        """Freeze what a group launches from, saying what in it floats."""
        name = group["AutoScalingGroupName"]
        template = group.get("LaunchTemplate")
        if template is None:
            has = "a mixed instances policy" if "MixedInstancesPolicy" in group else "a launch configuration"
            raise RefusedError(
                f"group {name} launches from {has}, expected a launch template of its own: no other can be "
                "rolled out yet; move the group to a launch template, or leave it out of spec.fleet.selector"
            )
        template_id, pointer = template["LaunchTemplateId"], template.get("Version", "$Default")
        number = self._templates.number(template_id, pointer)
        return Group(
            name=name,
            template_id=template_id,
            template_version=number,
            minimum=group["MinSize"],
            desired=group["DesiredCapacity"],
            maximum=group["MaxSize"],
            floating=tuple(self._floating(template_id, pointer, number)),
        )

    def _floating(self, template_id: str, pointer: str, number: int) -> list[str]:
        words = []
        if not pointer.isdecimal():
            words.append(f"its launch template version is {pointer} (now {number})")
        image = self._templates.version(template_id, number)["LaunchTemplateData"].get("ImageId", "")
        if image.startswith("resolve:"):
            words.append(f"its launch template's image is {image}")
        return [f"{said}, so the group itself could not roll back to what runs now" for said in words]

    def _take(self, group: "AutoScalingGroupTypeDef", selector: Selector, selection: Selection) -> None:
        frozen = self.describe(group)
        members = [
            one for one in group.get("Instances", []) if one["InstanceId"] not in selector.exclude_hosts
        ]
        in_service = [one for one in members if one["LifecycleState"] == "InService"]
        wanted = [
            one for one in in_service if not selector.zones or one["AvailabilityZone"] in selector.zones
        ]
        machines = self._machines.find(one["InstanceId"] for one in wanted)
        present = [one for one in wanted if one["InstanceId"] in machines]
        selection.groups.append(frozen)
        selection.machines |= machines
        selection.hosts += [_host(frozen, one, machines[one["InstanceId"]]) for one in present]
        selection.warnings += _remarks(group, members, present)


def _host(group: Group, member: "InstanceTypeDef", machine: Machine) -> Host:
    template_id, version = _launched_from(group, member, machine)
    return Host(
        id=machine.id,
        group=group.name,
        zone=machine.zone,
        before=Before(image_id=machine.image, template_id=template_id, template_version=version),
    )


def _launched_from(group: Group, member: "InstanceTypeDef", machine: Machine) -> tuple[str, int]:
    """Read the template from the instance itself: a member that was attached has it only there."""
    tagged = machine.tags.get(_AWS_VERSION, "")
    if tagged.isdecimal():
        return machine.tags[_AWS_TEMPLATE], int(tagged)
    template = member.get("LaunchTemplate", {})
    version = template.get("Version", "")
    if version.isdecimal():
        return template.get("LaunchTemplateId", group.template_id), int(version)
    return group.template_id, group.template_version


def _remarks(
    group: "AutoScalingGroupTypeDef", members: "list[InstanceTypeDef]", taken: "list[InstanceTypeDef]"
) -> list[str]:
    name = group["AutoScalingGroupName"]
    idle = Counter(one["LifecycleState"] for one in members if one["LifecycleState"] != "InService")
    remarks = [
        f"group {name}: {count} {'member is' if count == 1 else 'members are'} {state}, not InService: left "
        "out, and not changed by this campaign"
        for state, count in sorted(idle.items())
    ]
    protected = [one["InstanceId"] for one in taken if one["ProtectedFromScaleIn"]]
    if protected:
        remarks.append(
            f"group {name}: protected from scale-in, and replaced all the same ({_some(protected)}); the "
            "protection goes over to the new host"
        )
    if group.get("LoadBalancerNames"):
        remarks.append(
            f"group {name}: its classic load balancers ({_some(group['LoadBalancerNames'])}) are not asked "
            "whether a new host is healthy; only target groups are"
        )
    return remarks


def _idle_exclusions(selector: Selector, groups: "list[AutoScalingGroupTypeDef]") -> list[str]:
    members = {one["InstanceId"] for group in groups for one in group.get("Instances", [])}
    zones = {one["AvailabilityZone"] for group in groups for one in group.get("Instances", [])}
    strangers = [host for host in selector.exclude_hosts if host not in members]
    dark = [zone for zone in selector.zones if zone not in zones]
    return [
        *(f"spec.fleet.selector.excludeHosts: {host} is no member of these groups" for host in strangers),
        *(f"spec.fleet.selector.zones: no host is in {zone}" for zone in dark),
    ]


def _said(selector: Selector) -> str:
    said = {"groups": list(selector.groups), "tags": selector.tags, "zones": list(selector.zones)}
    return " ".join(f"{name}: {value}" for name, value in said.items() if value)


def _some(names: list[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(sorted(names)[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
