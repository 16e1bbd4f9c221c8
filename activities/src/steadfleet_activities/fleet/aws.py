"""The fleet on AWS: Auto Scaling groups whose hosts are replaced one by one."""

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Self

from temporalio import activity

from steadfleet_activities.fleet.adoption import Adoption
from steadfleet_activities.fleet.change import Change
from steadfleet_activities.fleet.clients import SLOTS, Aws
from steadfleet_activities.fleet.commands import Commands
from steadfleet_activities.fleet.errors import at_the_edge
from steadfleet_activities.fleet.findings import Findings
from steadfleet_activities.fleet.holds import Holds
from steadfleet_activities.fleet.images import Images
from steadfleet_activities.fleet.listing import Listings
from steadfleet_activities.fleet.machines import Machines
from steadfleet_activities.fleet.members import Members
from steadfleet_activities.fleet.plans import BUCKET, PlanStore
from steadfleet_activities.fleet.preview import Previews
from steadfleet_activities.fleet.probing import Prober
from steadfleet_activities.fleet.restore import Restore
from steadfleet_activities.fleet.sampling import Sampling
from steadfleet_activities.fleet.selection import Selectors
from steadfleet_activities.fleet.takeover import Takeover
from steadfleet_activities.fleet.templates import Templates
from steadfleet_activities.fleet.trust import ImageTrust, Verifier
from steadfleet_activities.reports import ReportFolder
from steadfleet_core.campaign.plan import Preview, Shard
from steadfleet_core.campaign.verdict import Sample
from steadfleet_core.fleet import HostOutcome
from steadfleet_core.model import canonical
from steadfleet_durable import Heartbeat, unbroken
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


class AwsFleet(Fleet):
    """Joins the parts; each method is one activity, whose story is in the part that it calls.

    Without a verifier each plan warns that no image is verified, and `signed: true` is refused.
    """

    def __init__(self, aws: Aws, bucket: str = BUCKET, *, verifier: Verifier | None = None) -> None:
        self._templates = Templates(aws)
        self._machines = Machines(aws, self._templates)
        self._members = Members(aws)
        self._images = Images(aws)
        self._trust = ImageTrust(verifier, aws.region)
        self._prober = Prober(Commands(aws))
        self._plans = PlanStore(aws.s3, bucket)
        self._reports = ReportFolder(aws.s3, "campaigns", bucket)
        self._holds = Holds(aws, self._members)
        self._adoption = Adoption(aws, self._members, self._templates)
        self._selectors = Selectors(aws, self._members, self._machines, self._templates)

    @classmethod
    def from_environment(cls, env: Mapping[str, str] | None = None, *, slots: int = SLOTS) -> Self:
        """Build it from AWS's own variables and STEADFLEET_BUCKET."""
        given = os.environ if env is None else env
        return cls(Aws.from_environment(given, slots=slots), given.get("STEADFLEET_BUCKET") or BUCKET)

    @activity.defn
    async def preview_plan(self, freeze: Freeze) -> Preview:
        previews = Previews(
            self._selectors, self._images, self._templates, self._prober, self._plans, self._trust
        )
        with at_the_edge(f"planning {freeze.order.policy.metadata.name}"):
            async with Heartbeat():
                return await previews.preview(freeze)

    @activity.defn
    async def load_shard(self, ref: ShardRef) -> Shard:
        with at_the_edge(f"loading wave {ref.wave}, shard {ref.shard}"):
            return await unbroken(self._plans.load, ref)

    @activity.defn
    async def change_host(self, change: HostChange) -> HostOutcome:
        with at_the_edge(f"changing host {change.host.id}"):
            async with Heartbeat() as beat:
                takeover = await self._takeover(change, beat)
                work = Change(change, self._machines, self._members, takeover, _ordered_at())
                return await work.run()

    @activity.defn
    async def restore_host(self, restore: HostRestore) -> HostOutcome:
        with at_the_edge(f"restoring host {restore.host.id}"):
            async with Heartbeat() as beat:
                takeover = await self._takeover(restore, beat)
                work = Restore(restore, self._machines, self._members, takeover, _ordered_at())
                return await work.run()

    async def _takeover(self, order: HostChange, beat: Heartbeat) -> Takeover:
        group = await unbroken(self._members.group, order.host.group)
        return Takeover(self._machines, self._members, self._prober, group, order.checks, beat.step)

    @activity.defn
    async def check_fleet(self, check: FleetCheck) -> FleetFindings:
        findings = Findings(
            self._plans,
            self._images,
            self._members,
            self._machines,
            self._templates,
            self._prober,
            self._trust,
        )
        with at_the_edge(f"checking fleet {check.plan.fleet}"):
            async with Heartbeat():
                return await findings.check(check)

    @activity.defn
    async def hold_groups(self, hold: GroupHold) -> None:
        with at_the_edge(f"holding the groups of {hold.campaign}"):
            await unbroken(self._holds.hold, hold)

    @activity.defn
    async def release_groups(self, hold: GroupHold) -> None:
        with at_the_edge(f"releasing the groups of {hold.campaign}"):
            await unbroken(self._holds.release, hold)

    @activity.defn
    async def probe_hosts(self, probe: Probe) -> Sample:
        with at_the_edge(f"probing wave {probe.shard.wave}, shard {probe.shard.shard}"):
            async with Heartbeat():
                return await Sampling(self._plans, self._machines, self._prober).sample(probe)

    @activity.defn
    async def adopt_image(self, adoption: ImageAdoption) -> None:
        with at_the_edge(f"moving the groups to {adoption.plan.image.id}"):
            await unbroken(self._adoption.adopt, adoption)

    @activity.defn
    async def keep_report(self, kept: KeptReport) -> None:
        with at_the_edge(f"keeping the report of campaign {kept.name}"):
            await unbroken(self._reports.put, kept.name, kept.run, canonical(kept.report))

    @activity.defn
    async def list_fleets(self, query: FleetQuery) -> FleetListing:
        listings = Listings(self._selectors, self._members, self._machines, self._images)
        with at_the_edge("listing hosts"):
            async with Heartbeat():
                return await unbroken(listings.hosts_of, query)


def _ordered_at() -> datetime:
    """Return when the workflow asked for this: the same at every retry, unlike the clock."""
    return activity.info().scheduled_time.astimezone(UTC)
