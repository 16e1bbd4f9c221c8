"""Everything that the cloud holds now, in a form that two moments can be compared by."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from moto.autoscaling.models import autoscaling_backends
from moto.ec2.models import ec2_backends
from moto.elbv2.models import elbv2_backends
from moto.s3.models import s3_backends
from moto.ssm.models import ssm_backends

from steadfleet_local_cloud.context import ACCOUNT

Item = dict[str, Any]
Inventory = dict[str, list[Item]]


def take_inventory() -> Inventory:
    """
    Every resource that somebody made, in every region in use; call it under the cloud's lock.

    A region's default VPC, its subnets and its default security group are left out: moto makes
    them when a region is first looked at, so they would differ between two moments.
    """
    inventory: Inventory = {}
    for backends, tables in _TABLES:
        for region, backend in sorted(backends[ACCOUNT].items()):
            for kind, items in tables(backend).items():
                inventory.setdefault(kind, []).extend({"region": region, **item} for item in items)
    return {kind: sorted(items, key=_identity) for kind, items in sorted(inventory.items())}


def open_region(region: str) -> None:
    """Make moto hold the region's tables from the start, the machines' network among them."""
    for backends, _tables in _TABLES:
        _ = backends[ACCOUNT]["aws" if backends is s3_backends else region]


def _identity(item: Item) -> tuple[str, str]:
    return item["region"], str(item["id"])


def _ec2(backend: Any) -> Inventory:
    def tagged(resource: Any, **facts: object) -> Item:
        return {"id": resource.id, "tags": dict(sorted(backend.tags.get(resource.id, {}).items())), **facts}

    vpcs = [vpc for vpc in backend.vpcs.values() if not vpc.is_default]
    groups = [
        group for by_id in backend.groups.values() for group in by_id.values() if group.name != "default"
    ]
    own = {vpc.id for vpc in vpcs}
    subnets = [one for by_id in backend.subnets.values() for one in by_id.values() if one.vpc_id in own]
    return {
        "instances": [
            tagged(one, **_instance(one)) for one in backend.all_instances() if one.state != "terminated"
        ],
        "volumes": [
            tagged(one, size=one.size, state=one.status, instances=_attached(one))
            for one in backend.volumes.values()
        ],
        "network_interfaces": [
            tagged(one, address=one.private_ip_address, instance=one.instance.id if one.instance else None)
            for one in backend.enis.values()
        ],
        "images": [
            tagged(one, name=one.name, state=one.state, snapshot=one.ebs_snapshot.id)
            for one in backend.amis.values()
        ],
        "snapshots": [tagged(one, description=one.description) for one in backend.snapshots.values()],
        "key_pairs": [tagged(one, name=one.key_name) for one in backend.key_pairs.values()],
        "security_groups": [tagged(one, name=one.name, vpc=one.vpc_id) for one in groups],
        "launch_templates": [tagged(one, **_template(one)) for one in backend.launch_templates.values()],
        "addresses": [{"id": one.allocation_id, "address": one.public_ip} for one in backend.addresses],
        "vpcs": [tagged(one, cidr=one.cidr_block) for one in vpcs],
        "subnets": [tagged(one, cidr=one.cidr_block, zone=one.availability_zone) for one in subnets],
    }


def _instance(instance: Any) -> Item:
    return {
        "image": instance.image_id,
        "type": instance.instance_type,
        "state": instance.state,
        "zone": instance.placement.zone,
        "address": instance.private_ip,
    }


def _attached(volume: Any) -> list[str]:
    return [volume.attachment.instance.id] if volume.attachment else []


def _template(template: Any) -> Item:
    return {
        "name": template.name,
        "default_version": template.default_version_number,
        "versions": {str(version.number): version.data for version in template.versions},
    }


def _autoscaling(backend: Any) -> Inventory:
    return {
        "auto_scaling_groups": [_group(group) for group in backend.autoscaling_groups.values()],
        "launch_configurations": [
            {"id": one.name, "image": one.image_id} for one in backend.launch_configurations.values()
        ],
    }


def _group(group: Any) -> Item:
    return {
        "id": group.name,
        "min_size": group.min_size,
        "max_size": group.max_size,
        "desired_capacity": group.desired_capacity,
        "suspended_processes": sorted(process["ProcessName"] for process in group.suspended_processes),
        "launch_template": group.launch_template,
        "target_groups": sorted(group.target_group_arns),
        "subnets": group.vpc_zone_identifier,
        "tags": {tag["Key"]: tag["Value"] for tag in group.tags},
        "members": {
            state.instance.id: {
                "state": state.lifecycle_state,
                "health": state.health_status,
                "protected": bool(state.protected_from_scale_in),
            }
            for state in sorted(group.instance_states, key=lambda state: str(state.instance.id))
        },
    }


def _elbv2(backend: Any) -> Inventory:
    def tags(arn: str) -> dict[str, str]:
        return dict(sorted(backend.tagging_service.get_tag_dict_for_resource(arn).items()))

    return {
        "target_groups": [
            {
                "id": group.arn,
                "tags": tags(group.arn),
                "targets": sorted(group.targets),
                "attributes": {name: str(value) for name, value in sorted(group.attributes.items())},
            }
            for group in backend.target_groups.values()
        ],
        "load_balancers": [
            {"id": one.arn, "tags": tags(one.arn), "listeners": sorted(one.listeners)}
            for one in backend.load_balancers.values()
        ],
    }


def _s3(backend: Any) -> Inventory:
    return {
        "buckets": [{"id": bucket.name, "keys": sorted(bucket.keys)} for bucket in backend.buckets.values()]
    }


def _ssm(backend: Any) -> Inventory:
    return {
        "parameters": [
            {"id": name, "version": versions[-1].version}
            for name, versions in _own_parameters(backend._parameters)  # noqa: SLF001 - moto has no way to list its own only
        ]
    }


def _own_parameters(parameters: Any) -> Iterable[tuple[str, Any]]:
    # dict's own view: moto's class adds AWS's public parameters to it on demand
    return [(name, versions) for name, versions in dict.items(parameters) if not name.startswith("/aws/")]


_TABLES: list[tuple[Any, Callable[[Any], Inventory]]] = [
    (ec2_backends, _ec2),
    (autoscaling_backends, _autoscaling),
    (elbv2_backends, _elbv2),
    (s3_backends, _s3),
    (ssm_backends, _ssm),
]
