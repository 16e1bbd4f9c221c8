"""Hosts, policies and plans for tests of the pure rules."""

from collections.abc import Mapping
from typing import Any

from steadfleet_core.campaign.plan import CampaignOrder, Plan, Shard, draw_up
from steadfleet_core.campaign.policy import PatchPolicy, PatchSpec
from steadfleet_core.campaign.waves import plan_waves
from steadfleet_core.fleet import Before, Group, Host, Image

IMAGE = Image(id="ami-0000000000000002", name="web-2.0")
BEFORE = Before(image_id="ami-0000000000000001", template_id="lt-0000000000000001", template_version=1)


def policy_of(**spec: Any) -> PatchPolicy:
    """Return a policy of defaults; `spec` replaces parts of it, in YAML's words."""
    parts = {
        "fleet": {"name": "web", "selector": {"groups": ["web"]}},
        "image": {"id": IMAGE.id},
        "strategy": {"type": "canary"},
        "healthChecks": {"checks": [{"type": "http", "port": 8080, "path": "/healthz"}]},
    }
    header = {"apiVersion": "steadfleet.dev/v1", "kind": "PatchPolicy", "metadata": {"name": "web"}}
    return PatchPolicy.model_validate({**header, "spec": {**parts, **spec}})


def spec_of(**spec: Any) -> PatchSpec:
    return policy_of(**spec).spec


def hosts_in(zones: Mapping[str, int]) -> list[Host]:
    """Return hosts whose ids sort by zone, so that only a rule can spread them."""
    return [
        Host(id=f"i-{zone}{number:016x}", group="web", zone=zone, before=BEFORE)
        for zone, count in zones.items()
        for number in range(count)
    ]


def group_of(size: int, *floating: str) -> Group:
    return Group(
        name="web",
        template_id=BEFORE.template_id,
        template_version=1,
        minimum=size,
        desired=size,
        maximum=size,
        floating=floating,
    )


def plan_of(zones: Mapping[str, int], *floating: str, **spec: Any) -> tuple[Plan, list[Shard]]:
    """Draw up the plan of a fleet with so many hosts in each zone."""
    order = CampaignOrder(policy=policy_of(**spec), requested_by="ann")
    waves = plan_waves(hosts_in(zones), order.policy.spec.strategy)
    return draw_up(order, IMAGE, (group_of(sum(zones.values()), *floating),), waves)
