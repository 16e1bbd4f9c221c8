"""The facts of each kind of resource that campaigns, images and drills make: what a comparison must see."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from steadfleet_local_cloud.stores import Beginning

Item = dict[str, Any]
Inventory = dict[str, list[Item]]


def ec2(backend: Any, beginning: Beginning) -> Inventory:
    def tagged(resource: Any, **facts: object) -> Item:
        return {"id": resource.id, "tags": dict(sorted(backend.tags.get(resource.id, {}).items())), **facts}

    groups = [
        group
        for vpc_id, by_id in backend.groups.items()
        for group_id, group in by_id.items()
        if not beginning.had_so(group, "groups", vpc_id, group_id)
    ]
    subnets = [
        subnet
        for zone, by_id in backend.subnets.items()
        for subnet_id, subnet in by_id.items()
        if not beginning.had("subnets", zone, subnet_id)
    ]
    vpcs = [vpc for vpc_id, vpc in backend.vpcs.items() if not beginning.had("vpcs", vpc_id)]
    return {
        "instances": [
            tagged(one, **_instance(one)) for one in backend.all_instances() if one.state != "terminated"
        ],
        "volumes": [
            tagged(one, size=one.size, type=one.volume_type, state=one.status, instances=_attached(one))
            for one in backend.volumes.values()
        ],
        "network_interfaces": [tagged(one, **_interface(one)) for one in backend.enis.values()],
        "images": [tagged(one, **_image(one)) for one in backend.amis.values()],
        "snapshots": [tagged(one, **_snapshot(one)) for one in backend.snapshots.values()],
        "key_pairs": [
            tagged(one, name=one.key_name, fingerprint=one.key_fingerprint)
            for one in backend.key_pairs.values()
        ],
        "security_groups": [
            tagged(one, name=one.name, vpc=one.vpc_id, rules=len(one.ingress_rules) + len(one.egress_rules))
            for one in groups
        ],
        "launch_templates": [tagged(one, **_template(one)) for one in backend.launch_templates.values()],
        "addresses": [
            {
                "id": one.allocation_id,
                "address": one.public_ip,
                "tags": dict(sorted(backend.tags.get(one.allocation_id, {}).items())),
            }
            for one in backend.addresses
        ],
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
        "key_pair": instance.key_name,
        "security_groups": sorted(group.id for nic in instance.nics.values() for group in nic.group_set),
        "protected": str(instance.disable_api_termination).lower() == "true",
    }


def _interface(interface: Any) -> Item:
    return {
        "address": interface.private_ip_address,
        "instance": interface.instance.id if interface.instance else None,
        "security_groups": sorted(group.id for group in interface.group_set),
    }


def _image(image: Any) -> Item:
    return {
        "name": image.name,
        "state": image.state,
        "snapshot": image.ebs_snapshot.id,
        "encrypted": image.ebs_snapshot.encrypted,
        "launch_permissions": sorted(
            f"{kind}={value}" for given in image.launch_permissions for kind, value in given.items()
        ),
    }


def _snapshot(snapshot: Any) -> Item:
    return {
        "description": snapshot.description,
        "state": snapshot.status,
        "size": snapshot.volume_size,
        "encrypted": snapshot.encrypted,
        "shared_with": sorted(
            snapshot.create_volume_permission_userids | snapshot.create_volume_permission_groups
        ),
    }


def _attached(volume: Any) -> list[str]:
    return [volume.attachment.instance.id] if volume.attachment else []


def _template(template: Any) -> Item:
    return {
        "name": template.name,
        "default_version": template.default_version_number,
        "versions": {str(version.number): version.data for version in template.versions},
    }


def autoscaling(backend: Any, _beginning: Beginning) -> Inventory:
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


def elbv2(backend: Any, _beginning: Beginning) -> Inventory:
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
            {
                "id": one.arn,
                "tags": tags(one.arn),
                "name": one.dns_name,
                "kind": one.type,
                "listeners": sorted(one.listeners),
                "rules": _rules(one),
            }
            for one in backend.load_balancers.values()
        ],
        "listeners": [
            {
                "id": listener.arn,
                "tags": tags(listener.arn),
                "load_balancer": one.arn,
                "protocol": listener.protocol,
                "port": int(listener.port),
                "actions": [action.data for action in listener.default_actions],
            }
            for one in backend.load_balancers.values()
            for listener in one.listeners.values()
        ],
    }


def _rules(balancer: Any) -> list[str]:
    return sorted(rule for listener in balancer.listeners.values() for rule in listener._non_default_rules)  # noqa: SLF001 - moto has no way to list them


def s3(backend: Any, _beginning: Beginning) -> Inventory:
    buckets = backend.buckets.values()
    return {
        "buckets": [
            {
                "id": bucket.name,
                "keys": sorted(bucket.keys),
                "versioning": bucket.versioning_status,
                "object_lock": bucket.object_lock_enabled,
                "policy": bucket.policy is not None,
                "lifecycle_rules": len(bucket.rules),
                "tags": dict(sorted(backend.tagger.get_tag_dict_for_resource(bucket.arn).items())),
            }
            for bucket in buckets
        ],
        "objects": [one for bucket in buckets for one in _objects(bucket)],
        "uploads": [
            {"id": f"{bucket.name}/{upload.key_name}/{upload_id}"}
            for bucket in buckets
            for upload_id, upload in bucket.multiparts.items()
        ],
    }


def _objects(bucket: Any) -> Iterator[Item]:
    for name in sorted(bucket.keys):
        versions = bucket.keys.getlist(name)
        newest = versions[-1]
        yield {
            "id": f"{bucket.name}/{name}",
            "size": getattr(newest, "size", None),  # a delete marker has none
            "etag": getattr(newest, "etag", None),
            "versions": len(versions),
            "locked_until": getattr(newest, "lock_until", None),
        }


def ssm(backend: Any, _beginning: Beginning) -> Inventory:
    return {
        "parameters": [
            {"id": name, "version": versions[-1].version}
            for name, versions in _own_parameters(backend._parameters)  # noqa: SLF001 - moto has no way to list its own only
        ]
    }


def _own_parameters(parameters: Any) -> Iterable[tuple[str, Any]]:
    # dict's own view: moto's class adds AWS's public parameters to it on demand
    return [(name, versions) for name, versions in dict.items(parameters) if not name.startswith("/aws/")]


def kms(backend: Any, _beginning: Beginning) -> Inventory:
    """List keys and aliases; those that AWS makes for a service are AWS's."""
    keys = [
        key for key in backend.keys.values() if not any(name.startswith("alias/aws/") for name in key.aliases)
    ]
    return {
        "keys": [
            {
                "id": key.arn,
                "description": key.description,
                "spec": key.key_spec,
                "usage": key.key_usage,
                "state": key.key_state,
                "grants": sorted(key.grants),
                "tags": dict(sorted(backend.tagger.get_tag_dict_for_resource(key.id).items())),
            }
            for key in keys
        ],
        "aliases": [{"id": name, "key": key.arn} for key in keys for name in key.aliases],
    }
