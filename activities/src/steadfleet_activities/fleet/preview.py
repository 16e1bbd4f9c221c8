"""Resolve an order to a plan, and say what a person needs to judge it."""

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from steadfleet_activities.fleet.images import Images
from steadfleet_activities.fleet.plans import PlanStore
from steadfleet_activities.fleet.probing import Prober, too_many
from steadfleet_activities.fleet.selection import Selection, Selectors
from steadfleet_activities.fleet.templates import Templates
from steadfleet_activities.fleet.trust import ImageTrust
from steadfleet_core.campaign.budget import limits_of
from steadfleet_core.campaign.forecast import preview_of
from steadfleet_core.campaign.plan import CampaignOrder, Preview, draw_up
from steadfleet_core.campaign.policy import PatchSpec
from steadfleet_core.campaign.waves import plan_waves
from steadfleet_core.errors import RefusedError
from steadfleet_core.fleet import Image
from steadfleet_durable import unbroken
from steadfleet_ports.fleet import Freeze

if TYPE_CHECKING:
    from steadfleet_core.campaign.plan import Plan, Shard

_SHOWN = 5


@dataclass(frozen=True)
class Previews:
    """Only describes, unless it is told to store."""

    selectors: Selectors
    images: Images
    templates: Templates
    prober: Prober
    plans: PlanStore
    trust: ImageTrust

    async def preview(self, freeze: Freeze) -> Preview:
        spec = freeze.order.policy.spec
        image = await unbroken(self.images.resolve, spec.image)
        judged = await self.trust.judge(image, signed=spec.image.signed)
        selection = await unbroken(self._selected, spec)
        plan, shards = _drawn_up(freeze.order, image, selection)
        sick = await self._unhealthy(spec, selection) if freeze.probe else ()
        preview = preview_of(plan, spec, (*judged.problems, *sick))
        warnings = (*preview.warnings, *judged.warnings, *selection.warnings, *_same_image(image, selection))
        if freeze.store:
            await unbroken(self.plans.save, plan, shards)
        return preview.model_copy(update={"warnings": warnings})

    def _selected(self, spec: PatchSpec) -> Selection:
        selection = self.selectors.select(spec.fleet.selector)
        self._refuse_lost_before(selection)
        return selection

    def _refuse_lost_before(self, selection: Selection) -> None:
        """Refuse what could never be brought back: by image, and by template version."""
        running = Counter(host.before.image_id for host in selection.hosts)
        lost = sorted(set(running) - set(self.images.names(set(running))))
        if lost:
            hosts = sorted(host.id for host in selection.hosts if host.before.image_id in lost)
            raise RefusedError(
                f"{_counted(hosts)} run {', '.join(lost)}, which no longer exists or cannot be launched: "
                "expected every host's image to be there, for a rollback launches it; restore the image, or "
                "leave these hosts out by spec.fleet.selector.excludeHosts"
            )
        for template_id, version in {
            (host.before.template_id, host.before.template_version) for host in selection.hosts
        }:
            self.templates.version(template_id, version)

    async def _unhealthy(self, spec: PatchSpec, selection: Selection) -> tuple[str, ...]:
        """Say what forbids a campaign: one that starts in a sick fleet cannot tell what it did itself."""
        machines = [selection.machines[host.id] for host in selection.hosts]
        streaks = await self.prober.sample(machines, spec.health_checks)
        sick = {
            machine.id: streak for machine, streak in zip(machines, streaks, strict=True) if not streak.passed
        }
        zones = Counter(host.zone for host in selection.hosts)
        tolerance = limits_of(spec, dict(zones), len(machines)).tolerance
        return too_many(sick, len(machines), tolerance)


def _drawn_up(order: CampaignOrder, image: Image, selection: Selection) -> "tuple[Plan, list[Shard]]":
    waves = plan_waves(selection.hosts, order.policy.spec.strategy)
    return draw_up(order, image, tuple(selection.groups), waves)


def _same_image(image: Image, selection: Selection) -> list[str]:
    same = [host.id for host in selection.hosts if host.before.image_id == image.id]
    if not same:
        return []
    return [
        f"{_counted(same)} of {len(selection.hosts)} run {image.id} already, and are replaced all the same"
    ]


def _counted(hosts: list[str]) -> str:
    if len(hosts) <= _SHOWN:
        return ", ".join(hosts)
    return f"{', '.join(hosts[:_SHOWN])} and {len(hosts) - _SHOWN} more hosts"
