"""The facts of hosted zones and what is in them: a changed record is another thing than it was."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

from steadfleet_local_cloud.stores import Beginning
from steadfleet_local_cloud.tables import Inventory, Item


def route53(backend: Any, _beginning: Beginning) -> Inventory:
    def tags(resource_id: str) -> dict[str, str]:
        return dict(sorted(backend.list_tags_for_resource(resource_id).items()))

    zones = backend.zones.values()
    return {
        "hosted_zones": [
            {
                "id": zone.resource_id,
                "name": zone.name,
                "comment": zone.comment,
                "private": bool(zone.private_zone),
                "vpcs": sorted(vpc.get("vpc_id", "") for vpc in zone.vpcs),
                "tags": tags(zone.resource_id),
            }
            for zone in zones
        ],
        "record_sets": [one for zone in zones for one in _record_sets(zone)],
        "health_checks": [
            {"id": one.id, "tags": tags(one.id), "holds": _digest(one.health_check_config)}
            for one in backend.health_checks.values()
        ],
        # every hosted zone has one without an id, which goes unmentioned, and stays when it is gone
        "delegation_sets": [{"id": one.id} for one in backend.delegation_sets.values() if one.id],
    }


def _record_sets(zone: Any) -> Iterator[Item]:
    for one in zone.rrsets:
        name = "/".join(filter(None, (zone.resource_id, one.name, one.type, one.set_identifier)))
        told = {key: value for key, value in sorted(vars(one).items()) if value is not None}
        yield {
            "id": name,
            "zone": zone.resource_id,
            "name": one.name,
            "type": one.type,
            "holds": _digest(told),
        }


def _digest(told: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()
