"""Whether a stored plan still holds."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from steadfleet_activities.fleet import tags
from steadfleet_activities.fleet.holds import held_by, refuse_other
from steadfleet_activities.fleet.images import Images
from steadfleet_activities.fleet.lineage import standing_for
from steadfleet_activities.fleet.machines import Machine, Machines
from steadfleet_activities.fleet.members import Members
from steadfleet_activities.fleet.plans import PlanStore
from steadfleet_activities.fleet.probing import Prober, too_many
from steadfleet_activities.fleet.templates import Templates
from steadfleet_activities.fleet.trust import ImageTrust
from steadfleet_core.campaign.plan import Plan
from steadfleet_core.errors import RefusedError
from steadfleet_core.fleet import Host
from steadfleet_durable import unbroken
from steadfleet_ports.fleet import FleetCheck, FleetFindings

if TYPE_CHECKING:
    from mypy_boto3_autoscaling.type_defs import AutoScalingGroupTypeDef

MOST_DRIFT = 20


@dataclass(frozen=True)
class Findings:
    """Looks at the whole fleet as it is now, and compares."""

    plans: PlanStore
    images: Images
    members: Members
    machines: Machines
    templates: Templates
    prober: Prober
    trust: ImageTrust

    async def check(self, check: FleetCheck) -> FleetFindings:
        hosts = await unbroken(self._hosts, check.plan)
        groups = await unbroken(self.members.groups, [group.name for group in check.plan.groups])
        now = await unbroken(standing_for, self.machines, check.campaign, hosts)
        problems = await unbroken(self._problems, check, groups)
        judged = await self.trust.judge(check.plan.image, signed=check.signed)
        seen = [now[host.id] for host in hosts if host.id in now]
        streaks = await self.prober.sample(seen, check.checks)
        sick = {one.id: streak for one, streak in zip(seen, streaks, strict=True) if not streak.passed}
        drift = await unbroken(self._drift, check, groups, hosts, now)
        return FleetFindings(
            problems=(*problems, *judged.problems, *too_many(sick, len(hosts), check.tolerance)),
            drift=(*judged.warnings, *_shortened(drift)),
        )

    def _hosts(self, plan: Plan) -> list[Host]:
        return [
            host for wave in plan.waves for digest in wave.shards for host in self.plans.shard(digest).hosts
        ]

    def _problems(self, check: FleetCheck, groups: "list[AutoScalingGroupTypeDef]") -> list[str]:
        image = check.plan.image
        problems = []
        if image.id not in self.images.names({image.id}):
            problems.append(
                f"image {image.id} ({image.name}) is not available any more: no further host can be launched "
                "from it; restore it, or abort"
            )
        present = {group["AutoScalingGroupName"]: group for group in groups}
        for frozen in check.plan.groups:
            if frozen.name not in present:
                problems.append(f"group {frozen.name} is gone: its hosts can be neither changed nor restored")
                continue
            try:
                refuse_other(held_by(present[frozen.name]), frozen.name, check.campaign)
            except RefusedError as refused:
                problems.append(str(refused))
        return problems

    def _drift(
        self,
        check: FleetCheck,
        groups: "list[AutoScalingGroupTypeDef]",
        hosts: list[Host],
        now: dict[str, Machine],
    ) -> list[str]:
        members = {one["InstanceId"]: one for group in groups for one in group.get("Instances", [])}
        drift = [f"{host.id} of group {host.group} is gone" for host in hosts if host.id not in now]
        for host in hosts:
            standing = now.get(host.id)
            member = members.get(standing.id) if standing else None
            if standing and (member is None or member["LifecycleState"] != "InService"):
                where = member["LifecycleState"] if member else "no member"
                drift.append(f"{standing.id} is {where} of group {host.group}, expected InService")
        planned = {host.id for host in hosts} | {one.id for one in now.values()}
        return [*drift, *self._joined(check, set(members) - planned), *self._moved(check.plan, groups)]

    def _joined(self, check: FleetCheck, strangers: set[str]) -> Iterator[str]:
        """Say who came after the freeze; hosts that the selector left out were there before."""
        frozen_at = self.plans.stored_at(check.plan)
        for machine in self.machines.find(strangers).values():
            ours = machine.tags.get(tags.CAMPAIGN) == check.campaign
            if not (ours or machine.gone) and machine.launched > frozen_at:
                yield (
                    f"{machine.id} joined after the plan was frozen, on {machine.image}: it is left alone "
                    "until the groups move to the new image"
                )

    def _moved(self, plan: Plan, groups: "list[AutoScalingGroupTypeDef]") -> Iterator[str]:
        present = {group["AutoScalingGroupName"]: group for group in groups}
        for frozen in plan.groups:
            template = present[frozen.name].get("LaunchTemplate", {}) if frozen.name in present else {}
            if "LaunchTemplateId" not in template:
                continue
            number = self.templates.number(template["LaunchTemplateId"], template.get("Version", "$Default"))
            if (template["LaunchTemplateId"], number) != (frozen.template_id, frozen.template_version):
                yield (
                    f"group {frozen.name} launches from version {number} of {template['LaunchTemplateId']} "
                    f"now, and from version {frozen.template_version} of {frozen.template_id} when the "
                    "plan was frozen"
                )


def _shortened(drift: list[str]) -> tuple[str, ...]:
    more = len(drift) - MOST_DRIFT
    return (*drift[:MOST_DRIFT], *([f"and {more} more differences"] if more > 0 else []))
