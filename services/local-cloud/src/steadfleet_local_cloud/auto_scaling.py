"""
Groups: launches over zones, membership of target groups and limits as AWS keeps them.

Not done: replacing members whose health fails, rebalancing zones, the Terminate process, and
launching later what a dark zone refused; a group acts when it is told to, as moto's does.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from typing import Any, Never

from moto.autoscaling.exceptions import AutoscalingClientError, ValidationError
from moto.autoscaling.models import AutoScalingBackend, FakeAutoScalingGroup, InstanceState
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
        patches.wrap(AutoScalingBackend, "__init__", _init)
        # moto would register every member again, drained ones too, whenever a group changes
        patches.replace(AutoScalingBackend, "update_attached_target_groups", lambda _backend, _name: None)
        patches.wrap(AutoScalingBackend, "create_auto_scaling_group", _create)
        patches.wrap(AutoScalingBackend, "update_auto_scaling_group", _update)
        patches.wrap(AutoScalingBackend, "delete_auto_scaling_group", _delete)
        patches.wrap(AutoScalingBackend, "set_desired_capacity", _set_desired_capacity)
        patches.wrap(AutoScalingBackend, "attach_load_balancer_target_groups", _attach_target_groups)
        patches.wrap(AutoScalingBackend, "attach_instances", _attach)
        patches.wrap(AutoScalingBackend, "detach_instances", _detach)
        patches.wrap(AutoScalingBackend, "terminate_instance", _terminate)
        patches.wrap(AutoScalingBackend, "enter_standby_instances", _enter_standby)
        patches.wrap(AutoScalingBackend, "exit_standby_instances", _exit_standby)

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
        members = Counter(state.instance.placement.zone for state in group.instance_states)
        chosen = []
        for _ in range(count if bright else 0):
            zone = min(bright, key=lambda name: (members[name], name))
            members[zone] += 1
            chosen.append(bright[zone])
        return chosen


class _Groups(OrderedDict[str, Any]):
    """moto's table of groups, which answers for a missing one as AWS does."""

    def __missing__(self, name: str) -> Never:
        raise ValidationError(f"AutoScalingGroup name not found - no group {name}")


def _init(original: Any, backend: Any, *args: Any, **kwargs: Any) -> None:
    original(backend, *args, **kwargs)
    backend.autoscaling_groups = _Groups()


def _create(original: Any, backend: Any, name: str, *args: Any, **options: Any) -> Any:
    if name in backend.autoscaling_groups:
        raise _already_exists(name)
    desired, low, high = (options.get(size) for size in ("desired_capacity", "min_size", "max_size"))
    if desired is not None:
        _refuse_capacity(int(desired), int(low or 0), int(high or 0))
    return original(backend, name, *args, **options)


def _update(original: Any, backend: Any, name: str, *args: Any, **options: Any) -> Any:
    group = backend.autoscaling_groups[name]
    desired, low, high = (options.get(size) for size in ("desired_capacity", "min_size", "max_size"))
    if desired is not None:
        _refuse_capacity(
            desired, group.min_size if low is None else low, group.max_size if high is None else high
        )
    return original(backend, name, *args, **options)


def _delete(original: Any, backend: Any, group_name: str) -> None:
    if group_name in backend.autoscaling_groups:
        backend.autoscaling_groups[group_name].min_size = 0  # moto deletes by scaling down to none
    original(backend, group_name)


def _set_desired_capacity(original: Any, backend: Any, group_name: str, desired_capacity: int | None) -> None:
    group = backend.autoscaling_groups[group_name]
    if desired_capacity is not None:
        _refuse_capacity(desired_capacity, group.min_size, group.max_size)
    original(backend, group_name, desired_capacity)


def _attach_target_groups(original: Any, backend: Any, group_name: str, arns: list[str]) -> None:
    group = backend.autoscaling_groups[group_name]
    known = set(group.target_group_arns)
    original(backend, group_name, arns)
    _register(group, _in_service(group), [arn for arn in arns if arn not in known])


def _attach(original: Any, backend: Any, group_name: str, instance_ids: list[str]) -> None:
    group = backend.autoscaling_groups[group_name]
    if len(group.instance_states) + len(instance_ids) > group.max_size:
        raise ValidationError(
            f"Attaching {len(instance_ids)} instances would exceed the group's MaxSize of {group.max_size}."
        )
    instances = [backend.ec2_backend.get_instance(instance_id) for instance_id in instance_ids]
    for instance in instances:
        _refuse_attach(backend, instance)
    for instance in instances:
        instance.autoscaling_group = group  # moto would keep the group that it was in before
    original(backend, group_name, instance_ids)
    _register(group, instance_ids)


def _detach(original: Any, backend: Any, group_name: str, instance_ids: list[str], *decrement: bool) -> Any:
    group = backend.autoscaling_groups[group_name]
    members = {state.instance.id for state in group.instance_states}
    if strangers := [one for one in instance_ids if one not in members]:
        raise ValidationError(f"The instances {strangers} are not part of Auto Scaling group {group_name}.")
    if all(decrement):
        _refuse_capacity(group.desired_capacity - len(instance_ids), group.min_size, group.max_size)
    _deregister(group, instance_ids)
    return original(backend, group_name, instance_ids, *decrement)


def _terminate(original: Any, backend: Any, instance_id: str, *decrement: bool) -> Any:
    if _group_of(backend, instance_id) is None:
        raise ValidationError(
            f"Instance Id not found - No managed instance found for instance ID: {instance_id}"
        )
    return original(backend, instance_id, *decrement)


def _enter_standby(original: Any, backend: Any, group_name: str, instance_ids: list[str], *rest: Any) -> Any:
    _deregister(backend.autoscaling_groups[group_name], instance_ids)
    return original(backend, group_name, instance_ids, *rest)


def _exit_standby(original: Any, backend: Any, group_name: str, instance_ids: list[str]) -> Any:
    activities = original(backend, group_name, instance_ids)
    _register(backend.autoscaling_groups[group_name], instance_ids)
    return activities


def _launch_one(group: Any, subnet_id: str, tags: dict[str, str]) -> list[str]:
    template, configuration = group.ec2_launch_template, group.launch_config
    reservation = group.ec2_backend.run_instances(
        group.image_id,
        1,
        group.user_data,
        group.security_groups,
        instance_type=group.instance_type,
        is_instance_type_default=False,
        tags={"instance": {_GROUP_TAG: group.name} | tags | group.instance_tags},
        launch_config=configuration,
        # moto leaves the version out, and tags the instance with the default one
        launch_template={"LaunchTemplateId": template.id, "Version": str(group.launch_template_version)}
        if template
        else None,
        associate_public_ip=configuration.associate_public_ip_address if configuration else None,
        subnet_id=subnet_id,
    )
    for instance in reservation.instances:
        instance.autoscaling_group = group
        protected = group.new_instances_protected_from_scale_in
        group.instance_states.append(InstanceState(instance, protected_from_scale_in=protected))
    return [instance.id for instance in reservation.instances]


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


def _in_service(group: Any) -> list[str]:
    return [state.instance.id for state in group.instance_states if state.lifecycle_state == "InService"]


def _group_of(backend: Any, instance_id: str) -> Any:
    for group in backend.autoscaling_groups.values():
        if any(state.instance.id == instance_id for state in group.instance_states):
            return group
    return None


def _already_exists(name: str) -> Exception:
    return AutoscalingClientError("AlreadyExists", f"AutoScalingGroup by this name already exists: {name}")


def _refuse_capacity(desired: int, low: int, high: int) -> None:
    if not low <= desired <= high:
        raise ValidationError(
            f"Desired capacity:{desired} must be between the specified min size:{low} and max size:{high}"
        )


def _refuse_attach(backend: Any, instance: Any) -> None:
    group = _group_of(backend, instance.id)
    if group is not None:
        raise ValidationError(f"Instance {instance.id} is already part of AutoScalingGroup:{group.name}")
    if instance.state != "running":
        raise ValidationError(f"Instance {instance.id} is {instance.state}, not running.")


def _register(group: Any, instance_ids: list[str], arns: list[str] | None = None) -> None:
    if "AddToLoadBalancer" in _suspended(group):
        return
    for target_group in _target_groups(group, arns):
        target_group.register([{"Id": one, "Port": target_group.port} for one in instance_ids])


def _deregister(group: Any, instance_ids: list[str]) -> None:
    for target_group in _target_groups(group, None):
        target_group.deregister([{"Id": one} for one in instance_ids])


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
