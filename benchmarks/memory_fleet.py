"""A fleet in memory: what a campaign costs beside the cloud's own time. Labelled so in every table."""

import asyncio
from functools import lru_cache

from temporalio import activity

from steadfleet_core.campaign.forecast import preview_of
from steadfleet_core.campaign.plan import CampaignOrder, Plan, Preview, Shard, draw_up
from steadfleet_core.campaign.policy import PatchPolicy
from steadfleet_core.campaign.verdict import Sample
from steadfleet_core.campaign.waves import plan_waves
from steadfleet_core.fleet import Before, Group, Host, HostOutcome, HostState, Image
from steadfleet_ports.fleet import (
    Fleet,
    FleetCheck,
    FleetFindings,
    FleetListing,
    FleetQuery,
    Freeze,
    GroupHold,
    HostChange,
    HostRestore,
    ImageAdoption,
    KeptReport,
    Probe,
    ShardRef,
)

ZONES = ("a", "b", "c")
_IMAGE = Image(id="ami-0000000000000002", name="memory")
_plans: dict[str, list[Shard]] = {}


def order(name: str, hosts: int, host_time: float = 0.0, at_once: int = 100) -> CampaignOrder:
    """Order one wave over hosts that take `host_time` seconds each; the group's name says so."""
    spec = {
        "fleet": {"name": name, "selector": {"groups": [f"{hosts} {host_time}"]}},
        "image": {"id": _IMAGE.id},
        "strategy": {"type": "immediate"},
        "disruptionBudget": {"overall": at_once, "perZone": at_once},
        "failureTolerance": {"hosts": at_once, "mode": "soft"},
        "healthChecks": {"checks": [{"type": "tcp", "port": 8080}]},
        "bake": {"time": "0s"},
        "approval": {"required": False},
    }
    policy = {
        "apiVersion": "steadfleet.dev/v1",
        "kind": "PatchPolicy",
        "metadata": {"name": name},
        "spec": spec,
    }
    return CampaignOrder(policy=PatchPolicy.model_validate(policy), requested_by="benchmark")


@lru_cache
def _hosts(count: int, group: str) -> list[Host]:
    before = Before(image_id="ami-0000000000000001", template_id="lt-1", template_version=1)
    return [Host(id=f"i-{n:017x}", group=group, zone=ZONES[n % 3], before=before) for n in range(count)]


def _resolve(asked: CampaignOrder) -> tuple[Plan, list[Shard]]:
    spec = asked.policy.spec
    name = spec.fleet.selector.groups[0]
    hosts = _hosts(int(name.split()[0]), name)
    group = Group(
        name=name, template_id="lt-1", template_version=1, minimum=0, desired=len(hosts), maximum=len(hosts)
    )
    return draw_up(asked, _IMAGE, (group,), plan_waves(hosts, spec.strategy))


class MemoryFleet(Fleet):
    """Each change takes as long as the group's name says ("1000 2.0": hosts, seconds), and succeeds."""

    @activity.defn
    async def preview_plan(self, freeze: Freeze) -> Preview:
        plan, shards = _resolve(freeze.order)
        _plans[plan.digest] = shards
        return preview_of(plan, freeze.order.policy.spec)

    @activity.defn
    async def keep_report(self, kept: KeptReport) -> None: ...

    @activity.defn
    async def load_shard(self, ref: ShardRef) -> Shard:
        return _plans[ref.plan][ref.shard]

    @activity.defn
    async def check_fleet(self, check: FleetCheck) -> FleetFindings:
        return FleetFindings()

    @activity.defn
    async def hold_groups(self, hold: GroupHold) -> None: ...

    @activity.defn
    async def release_groups(self, hold: GroupHold) -> None: ...

    @activity.defn
    async def change_host(self, change: HostChange) -> HostOutcome:
        await asyncio.sleep(float(change.host.group.split()[1]))
        return HostOutcome(host=change.host.id, state=HostState.CHANGED, instance=change.host.id)

    @activity.defn
    async def restore_host(self, restore: HostRestore) -> HostOutcome:
        return HostOutcome(host=restore.host.id, state=HostState.RESTORED, instance=restore.host.id)

    @activity.defn
    async def probe_hosts(self, probe: Probe) -> Sample:
        return Sample(healthy=len(probe.indexes))

    @activity.defn
    async def adopt_image(self, adoption: ImageAdoption) -> None: ...

    @activity.defn
    async def list_fleets(self, query: FleetQuery) -> FleetListing:
        return FleetListing(hosts=(), total=0)
