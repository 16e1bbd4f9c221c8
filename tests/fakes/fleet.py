"""A fleet in memory, with hosts that fail, fall ill or hang as a test wants."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field

from temporalio import activity
from temporalio.exceptions import ApplicationError

from steadfleet_core.campaign.forecast import preview_of
from steadfleet_core.campaign.plan import Preview, Shard, draw_up
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
from steadfleet_ports.reservation import Claim, Grant, Reservations

ZONES = ("a", "b", "c")
NEW = Image(id="ami-0000000000000002", name="web-2.0")
OLD = "ami-0000000000000001"


def hosts_over_zones(count: int) -> list[Host]:
    before = Before(image_id=OLD, template_id="lt-1", template_version=1)
    return [
        Host(id=f"i-{number:05}", group="web", zone=ZONES[number % len(ZONES)], before=before)
        for number in range(count)
    ]


@dataclass
class FakeFleet(Fleet):
    """Behaves as told.

    `bad` hosts fail their change, those that `left` their group need none, `stuck` ones cannot be
    restored, `ill` ones fail every look in a bake. A gate, when given, holds what it is named
    after until it is set; `gate` holds changes, but lets the first `passing` through.
    `samples` answers the bake's looks in order, before anything else is said of them; `break_load`
    makes so many loads of a shard fail. `broke` says that more was done than is in this
    record, or that nobody knows which hosts of a wave were touched.
    """

    hosts: list[Host] = field(default_factory=lambda: hosts_over_zones(24))
    bad: set[str] = field(default_factory=set)
    left: set[str] = field(default_factory=set)
    stuck: set[str] = field(default_factory=set)
    ill: set[str] = field(default_factory=set)
    gate: asyncio.Event | None = None
    passing: int = 0
    restore_gate: asyncio.Event | None = None
    preview_gate: asyncio.Event | None = None
    check_gate: asyncio.Event | None = None
    release_gate: asyncio.Event | None = None
    adopt_gate: asyncio.Event | None = None
    samples: list[Sample] = field(default_factory=list)
    problems: tuple[str, ...] = ()
    findings: list[FleetFindings] = field(default_factory=list)
    refuse: str = ""
    hold_error: str = ""
    release_error: str = ""
    adopt_error: str = ""
    no_reports: str = ""
    break_load: int = 0

    images: dict[str, str] = field(default_factory=dict)
    changes: Counter[str] = field(default_factory=Counter)
    restores: Counter[str] = field(default_factory=Counter)
    in_flight: Counter[str] = field(default_factory=Counter)
    peak: Counter[str] = field(default_factory=Counter)
    calls: list[str] = field(default_factory=list)
    begun: list[str] = field(default_factory=list)
    failed: set[str] = field(default_factory=set)
    broke: bool = False
    looking: int = 0
    restoring: int = 0
    kept: list[KeptReport] = field(default_factory=list)
    checks: list[FleetCheck] = field(default_factory=list)
    shards: dict[tuple[int, int], Shard] = field(default_factory=dict)

    def image_of(self, host: str) -> str:
        return self.images.get(host, OLD)

    def on(self, image: str) -> set[str]:
        return {host.id for host in self.hosts if self.image_of(host.id) == image}

    @property
    def busy(self) -> int:
        """How many hosts are in flight now."""
        return sum(self.in_flight[zone] for zone in ZONES)

    @activity.defn
    async def preview_plan(self, freeze: Freeze) -> Preview:
        self.calls.append("preview_plan")
        await _pass(self.preview_gate)
        if self.refuse:
            raise ApplicationError(self.refuse, type="RefusedError", non_retryable=True)
        spec = freeze.order.policy.spec
        group = Group(name="web", template_id="lt-1", template_version=1, minimum=1, desired=24, maximum=24)
        plan, shards = draw_up(freeze.order, NEW, (group,), plan_waves(self.hosts, spec.strategy))
        refs = [(wave.number, number) for wave in plan.waves for number in range(len(wave.shards))]
        self.shards = dict(zip(refs, shards, strict=True))
        return preview_of(plan, spec, self.problems)

    @activity.defn
    async def keep_report(self, kept: KeptReport) -> None:
        self.calls.append("keep_report")
        if self.no_reports:
            raise ApplicationError(self.no_reports, type="RefusedError", non_retryable=True)
        self.kept.append(kept)

    @activity.defn
    async def load_shard(self, ref: ShardRef) -> Shard:
        if self.break_load:
            self.break_load -= 1
            self.broke = True
            raise ApplicationError("the store does not answer", non_retryable=True)
        return self.shards[ref.wave, ref.shard]

    @activity.defn
    async def check_fleet(self, check: FleetCheck) -> FleetFindings:
        self.calls.append("check_fleet")
        self.checks.append(check)
        self.looking += 1
        try:
            await _pass(self.check_gate)
        finally:
            self.looking -= 1
        return self.findings.pop(0) if self.findings else FleetFindings()

    @activity.defn
    async def hold_groups(self, hold: GroupHold) -> None:
        self.calls.append("hold_groups")
        _fail(self.hold_error)

    @activity.defn
    async def release_groups(self, hold: GroupHold) -> None:
        self.calls.append("release_groups")
        await _pass(self.release_gate)
        _fail(self.release_error)

    @activity.defn
    async def change_host(self, change: HostChange) -> HostOutcome:
        zone, host = change.host.zone, change.host.id
        self.begun.append(host)
        self._begin(zone)
        try:
            if self.passing > 0:
                self.passing -= 1
            else:
                await _pass(self.gate)
            self.changes[host] += 1
            if host in self.left:
                return HostOutcome(host=host, state=HostState.UNTOUCHED, reason="it left its group")
            if host in self.bad:
                self.failed.add(host)
                return HostOutcome(
                    host=host, state=HostState.FAILED, reason="http :8080/healthz answered 500"
                )
            self.images[host] = change.image.id
            return HostOutcome(host=host, state=HostState.CHANGED, instance=f"{host}-new")
        finally:
            self.in_flight[zone] -= 1

    def _begin(self, zone: str) -> None:
        self.in_flight[zone] += 1
        self.peak[zone] = max(self.peak[zone], self.in_flight[zone])
        self.peak["all"] = max(self.peak["all"], self.busy)

    @activity.defn
    async def restore_host(self, restore: HostRestore) -> HostOutcome:
        zone, host = restore.host.zone, restore.host.id
        self._begin(zone)
        try:
            self.restoring += 1
            await _pass(self.restore_gate)
            self.restoring -= 1
            self.restores[host] += 1
            if host in self.stuck:
                return HostOutcome(host=host, state=HostState.LOST, reason="its before does not answer")
            self.images[host] = restore.host.before.image_id
            return HostOutcome(host=host, state=HostState.RESTORED, instance=host)
        finally:
            self.in_flight[zone] -= 1

    @activity.defn
    async def probe_hosts(self, probe: Probe) -> Sample:
        self.calls.append("probe_hosts")
        if self.samples:
            return self.samples.pop(0)
        hosts = self.shards[probe.shard.wave, probe.shard.shard].hosts
        ill = tuple(index for index in probe.indexes if hosts[index].id in self.ill)
        return Sample(
            healthy=len(probe.indexes) - len(ill),
            unhealthy=ill,
            reasons=dict.fromkeys(ill, "http :8080/healthz answered 503"),
        )

    @activity.defn
    async def adopt_image(self, adoption: ImageAdoption) -> None:
        self.calls.append("adopt_image")
        await _pass(self.adopt_gate)
        _fail(self.adopt_error)

    @activity.defn
    async def list_fleets(self, query: FleetQuery) -> FleetListing:
        return FleetListing(hosts=(), total=len(self.hosts))


async def _pass(gate: asyncio.Event | None) -> None:
    while gate is not None and not gate.is_set():
        activity.heartbeat("held at the gate")
        try:
            await asyncio.wait_for(gate.wait(), timeout=0.05)
        except TimeoutError:
            continue


def _fail(error: str) -> None:
    if error:
        raise ApplicationError(error, non_retryable=True)


@dataclass
class FakeReservations(Reservations):
    """Grants everything, unless told who holds the fleet."""

    held_by: str = ""
    reserved: list[str] = field(default_factory=list)
    released: list[str] = field(default_factory=list)

    @activity.defn
    async def reserve_fleet(self, claim: Claim) -> Grant:
        if self.held_by:
            return Grant(granted=False, reason=f"fleet {claim.fleet} is reserved by {self.held_by}")
        self.reserved.append(claim.fleet)
        return Grant(granted=True)

    @activity.defn
    async def release_fleet(self, claim: Claim) -> None:
        self.released.append(claim.fleet)
