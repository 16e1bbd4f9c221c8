"""Everything that the cloud holds now, in a form that two moments can be compared by."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from moto.autoscaling.models import autoscaling_backends
from moto.ec2.models import ec2_backends
from moto.elbv2.models import elbv2_backends
from moto.kms.models import kms_backends
from moto.route53.models import route53_backends
from moto.s3.models import s3_backends
from moto.ssm.models import ssm_backends

from steadfleet_local_cloud import tables, tables_rds, tables_route53
from steadfleet_local_cloud.context import ACCOUNT, Context
from steadfleet_local_cloud.patches import Patches
from steadfleet_local_cloud.stores import Baseline, Beginning, Path, fingerprint, open_backends, things
from steadfleet_local_cloud.tables import Inventory, Item

__all__ = ["Inventories", "Inventory", "open_region"]

_TABLES: dict[str, Callable[[Any, Beginning], Inventory]] = {
    "ec2": tables.ec2,
    "autoscaling": tables.autoscaling,
    "elbv2": tables.elbv2,
    "s3": tables.s3,
    "ssm": tables.ssm,
    "kms": tables.kms,
    "route53": tables_route53.route53,
    "rds": tables_rds.rds,
}
# attributes of moto's backends that a table above tells in full
_TOLD = {
    *(("ec2", name) for name in ("amis", "addresses", "enis", "groups", "key_pairs", "launch_templates")),
    *(("ec2", name) for name in ("reservations", "snapshots", "subnets", "volumes", "vpcs")),
    *(("autoscaling", name) for name in ("autoscaling_groups", "launch_configurations")),
    *(("elbv2", name) for name in ("load_balancers", "target_groups")),
    ("s3", "buckets"),
    ("ssm", "_parameters"),
    ("kms", "keys"),
    *(("route53", name) for name in ("delegation_sets", "health_checks", "zones")),
    *(("rds", name) for name in tables_rds.TOLD),
}
# what is no thing: histories, and indices of things that are told elsewhere
_NO_THINGS = {
    *(("ec2", name) for name in ("attachments", "deleted_amis", "subnet_associations", "tags")),
    *(("ec2", name) for name in ("launch_template_insert_order", "launch_template_name_to_ids")),
    *(("ssm", name) for name in ("_commands", "_errors", "_resource_tags")),
    ("s3", "_pagination_tokens"),
    ("route53", "resource_tags"),
    *(("rds", name) for name in ("_db_cluster_options", "events", "resource_map")),
    ("ebs", "snapshots"),
    ("cloudwatch", "metric_data"),
    ("sts", "assumed_roles"),
}
# some things are described for a while after they were deleted, on AWS too
_GONE = frozenset({"deleted", "delete-complete", "released"})


class Inventories:
    """
    Every resource that somebody made or changed, in every region and service in use.

    Kinds that have no table of their own are told as `service.attribute`, by moto's names for them.
    """

    def __init__(self, context: Context, patches: Patches) -> None:
        self._context = context
        self._baseline = Baseline(patches)

    def take(self) -> Inventory:
        """Call it under the cloud's lock."""
        inventory: Inventory = {
            "content": self._context.blocks.describe(),
            "database_content": self._context.databases.describe(),
            "machines": self._machines(),
        }
        for service, region, backend in open_backends():
            for kind, items in self._all(service, region, backend).items():
                inventory.setdefault(kind, []).extend({"region": region, **item} for item in items)
        return {kind: sorted(items, key=_identity) for kind, items in sorted(inventory.items())}

    def _all(self, service: str, region: str, backend: Any) -> Inventory:
        beginning = self._baseline.of(service, region)
        found = _TABLES[service](backend, beginning) if service in _TABLES else {}
        for path, thing in things(backend):
            told = (service, path[0]) in _TOLD | _NO_THINGS or getattr(thing, "state", None) in _GONE
            if not told and not beginning.had_so(thing, *path):
                found.setdefault(f"{service}.{path[0]}", []).append(_any(backend, path, thing))
        return found

    def _machines(self) -> list[Item]:
        """List what stands behind instances, without what changes by itself: power, process, boot."""
        return [
            {
                "id": machine.order.instance_id,
                "region": machine.order.zone[:-1],
                "address": machine.order.address,
                "image": machine.order.image_id,
            }
            for machine in self._context.machines.all()
        ]


def open_region(region: str) -> None:
    """Make moto hold the region's tables from the start, the machines' network among them."""
    for backends in (ec2_backends, autoscaling_backends, elbv2_backends, ssm_backends, kms_backends):
        _ = backends[ACCOUNT][region]
    for everywhere in (s3_backends, route53_backends):
        _ = everywhere[ACCOUNT]["aws"]


def _any(backend: Any, path: Path, thing: object) -> Item:
    item: Item = {"id": "/".join(path[1:]), "holds": fingerprint(thing)}
    tags = getattr(backend, "tags", None)  # EC2's, by id
    return item | {"tags": dict(sorted(tags[path[-1]].items()))} if tags and path[-1] in tags else item


def _identity(item: Item) -> tuple[str, str]:
    return str(item.get("region", "")), str(item["id"])
