"""The facts of each kind of RDS resource. moto keeps them in dictionaries of a kind that is not a dict's."""

from __future__ import annotations

from typing import Any

from steadfleet_local_cloud.stores import Beginning
from steadfleet_local_cloud.tables import Inventory, Item

# moto's name of a table, and the inventory's
_OTHERS = {
    "subnet_groups": "database_subnet_groups",
    "db_parameter_groups": "database_parameter_groups",
    "db_cluster_parameter_groups": "rds.db_cluster_parameter_groups",
    "option_groups": "rds.option_groups",
    "clusters": "rds.clusters",
    "global_clusters": "rds.global_clusters",
    "cluster_snapshots": "rds.cluster_snapshots",
    "blue_green_deployments": "rds.blue_green_deployments",
}
TOLD = ("databases", "database_snapshots", *_OTHERS)
_AWS_OWN = "default"  # groups that are there from the start begin with this


def rds(backend: Any, _beginning: Beginning) -> Inventory:
    return {
        "databases": [_instance(one) for one in backend.databases.values()],
        "database_snapshots": [_snapshot(one) for one in backend.database_snapshots.values()],
        **{
            kind: [
                {"id": str(name), "tags": _tags(one)}
                for name, one in getattr(backend, table).items()
                if not str(name).startswith(_AWS_OWN)
            ]
            for table, kind in _OTHERS.items()
        },
    }


def _instance(instance: Any) -> Item:
    return {
        "id": instance.db_instance_identifier,
        "status": instance.status,
        "type": instance.db_instance_class,
        "address": (instance.endpoint or {}).get("Address"),
        "source": instance.source_db_instance_identifier,
        "replicas": sorted(instance.replicas),
        "retention": int(instance.backup_retention_period),
        "protected": bool(instance.deletion_protection),
        "tags": _tags(instance),
    }


def _snapshot(snapshot: Any) -> Item:
    return {
        "id": snapshot.db_snapshot_identifier,
        "status": snapshot.status,
        "type": snapshot.snapshot_type,
        "instance": snapshot.db_instance_identifier,
        "tags": _tags(snapshot),
    }


def _tags(thing: Any) -> dict[str, str]:
    return {
        tag["Key"]: tag["Value"]
        for tag in sorted(getattr(thing, "tags", []), key=lambda tag: str(tag["Key"]))
    }
