"""
Groups: launches over zones, and membership of target groups as AWS keeps it.

Not done: replacing members whose health fails, rebalancing zones, and launching later what a
dark zone refused; a group acts when it is told to, as moto's does.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from moto.autoscaling.models import AutoScalingBackend, FakeAutoScalingGroup, InstanceState
from moto.ec2.exceptions import EC2ClientError
from moto.elbv2.exceptions import TargetGroupNotFoundError

from steadfleet_local_cloud.context import Context
from steadfleet_local_cloud.patches import Patches

_GROUP_TAG = "aws:autoscaling:groupName"


class AutoScaling:
    """Wrap moto's Auto Scaling where it differs from AWS in what callers can see."""

    def __init__(self, context: Context, patches: Patches) -> None:
        self._context = context
        patches.replace(InstanceState, "launch_template", property(_launch_template))
        patches.wrap(FakeAutoScalingGroup, "replace_autoscaling_group_instances", self._launch)
        # moto would register every member again, drained ones too, whenever a group changes
        patches.wrap(AutoScalingBackend, "update_attached_target_groups", self._created)
        patches.wrap(AutoScalingBackend, "attach_load_balancer_target_groups", self._attach_target_groups)
        patches.wrap(AutoScalingBackend, "attach_instances", self._attach)
        patches.wrap(AutoScalingBackend, "detach_instances", self._detach)
        patches.wrap(AutoScalingBackend, "enter_standby_instances", self._enter_standby)
        patches.wrap(AutoScalingBackend, "exit_standby_instances", self._exit_standby)

    def _launch(self, _original: Any, group: Any, count_needed: int, propagated_tags: dict[str, str]) -> None:
        """Launch each instance in the zone with the fewest members; moto uses one subnet for all."""
        if "Launch" in _suspended(group):
            return
        launched = []
        for subnet_id in self._spread(group, count_needed):
            launched += _launch_one(group, subnet_id, propagated_tags)
        _register(group, launched)

    def _spread(self, group: Any, count: int) -> list[str]:
        subnets = _subnets(group)
        bright = {zone: subnet for zone, subnet in subnets.items() if not self._context.faults.is_dark(zone)}
        members = Counter({zone: 0 for zone in bright})
        members.update(state.instance.placement.zone for state in group.instance_states)
        chosen = []
        for _ in range(count if bright else 0):
            zone = min(bright, key=lambda name: (members[name], name))
            members[zone] += 1
            chosen.append(bright[zone])
        return chosen

    def _created(self, _original: Any, backend: Any, group_name: str) -> None:
        """Members are registered one by one as they join; nothing is left to do."""

    def _attach_target_groups(self, original: Any, backend: Any, group_name: str, arns: list[str]) -> None:
        group = backend.autoscaling_groups[group_name]
        known = set(group.target_group_arns)
        original(backend, group_name, arns)
        _register(group, _members(group), [arn for arn in arns if arn not in known])

    def _attach(self, original: Any, backend: Any, group_name: str, instance_ids: list[str]) -> None:
        group = backend.autoscaling_groups[group_name]
        for instance_id in instance_ids:
            instance = backend.ec2_backend.get_instance(instance_id)
            _refuse_attach(backend, instance)
            instance.autoscaling_group = group
        original(backend, group_name, instance_ids)
        _register(group, instance_ids)

    def _detach(
        self, original: Any, backend: Any, group_name: str, instance_ids: list[str], should_decrement: bool
    ) -> Any:
        group = backend.autoscaling_groups[group_name]
        members = [instance_id for instance_id in instance_ids if instance_id in _members(group)]
        _deregister(group, members)
        return original(backend, group_name, instance_ids, should_decrement)

    def _enter_standby(
        self, original: Any, backend: Any, group_name: str, instance_ids: list[str], should_decrement: bool
    ) -> Any:
        _deregister(backend.autoscaling_groups[group_name], instance_ids)
        return original(backend, group_name, instance_ids, should_decrement)

    def _exit_standby(self, original: Any, backend: Any, group_name: str, instance_ids: list[str]) -> Any:
        activities = original(backend, group_name, instance_ids)
        _register(backend.autoscaling_groups[group_name], instance_ids)
        return activities


def _launch_one(group: Any, subnet_id: str, tags: dict[str, str]) -> list[str]:
    template = group.ec2_launch_template
    reservation = group.ec2_backend.run_instances(
        group.image_id,
        1,
        group.user_data,
        group.security_groups,
        instance_type=group.instance_type,
        is_instance_type_default=False,
        tags={"instance": {_GROUP_TAG: group.name} | tags | group.instance_tags},
        launch_config=group.launch_config,
        launch_template=_template_argument(group, template) if template else None,
        associate_public_ip=group.launch_config.associate_public_ip_address if group.launch_config else None,
        subnet_id=subnet_id,
    )
    for instance in reservation.instances:
        instance.autoscaling_group = group
        protected = group.new_instances_protected_from_scale_in
        group.instance_states.append(InstanceState(instance, protected_from_scale_in=protected))
    return [instance.id for instance in reservation.instances]


def _template_argument(group: Any, template: Any) -> dict[str, str]:
    # moto leaves the version out, and tags the instance with the default one
    return {"LaunchTemplateId": template.id, "Version": str(group.launch_template_version)}


def _launch_template(state: Any) -> dict[str, str] | None:
    """Say which template version a member was launched from; moto says the group's default one."""
    tags = state.instance.ec2_backend.tags.get(state.instance.id, {})
    template_id = tags.get("aws:ec2launchtemplate:id")
    if template_id is None:
        return None
    template = state.instance.ec2_backend.launch_templates.get(template_id)
    return {
        "LaunchTemplateId": template_id,
        "LaunchTemplateName": template.name if template else "",
        "Version": tags["aws:ec2launchtemplate:version"],
    }


def _subnets(group: Any) -> dict[str, str]:
    if group.vpc_zone_identifier:
        ids = group.vpc_zone_identifier.split(",")
        return {group.ec2_backend.get_subnet(one).availability_zone: one for one in ids}
    default = group.ec2_backend.get_default_subnets()
    return {zone: default[zone].id for zone in group.availability_zones}


def _suspended(group: Any) -> set[str]:
    return {process["ProcessName"] for process in group.suspended_processes}


def _members(group: Any) -> list[str]:
    return [state.instance.id for state in group.instance_states if state.lifecycle_state == "InService"]


def _refuse_attach(backend: Any, instance: Any) -> None:
    joined = any(
        state.instance.id == instance.id
        for group in backend.autoscaling_groups.values()
        for state in group.instance_states
    )
    if joined or instance.state != "running":
        reason = "is already part of a group" if joined else f"is {instance.state}, not running"
        raise EC2ClientError("ValidationError", f"Instance {instance.id} {reason}.")


def _register(group: Any, instance_ids: list[str], arns: list[str] | None = None) -> None:
    if "AddToLoadBalancer" in _suspended(group):
        return
    for target_group in _target_groups(group, arns):
        target_group.register([{"Id": one, "Port": target_group.port} for one in instance_ids])


def _deregister(group: Any, instance_ids: list[str]) -> None:
    for target_group in _target_groups(group, None):
        target_group.deregister([{"Id": one} for one in instance_ids if one in target_group.targets])


def _target_groups(group: Any, arns: list[str] | None) -> list[Any]:
    found = []
    for arn in group.target_group_arns if arns is None else arns:
        try:
            found += group.autoscaling_backend.elbv2_backend.describe_target_groups(
                target_group_arns=[arn], load_balancer_arn=None, names=None
            )
        except TargetGroupNotFoundError:
            continue  # it may be deleted before the group
    return found
