"""What changing and restoring one host have in common."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from steadfleet_activities.fleet.lineage import Lineage
from steadfleet_activities.fleet.machines import Launch, Machine, Machines
from steadfleet_activities.fleet.members import Members, inherited_tags
from steadfleet_activities.fleet.takeover import Takeover
from steadfleet_core.fleet import HostOutcome, HostState
from steadfleet_durable import unbroken
from steadfleet_ports.fleet import HostChange

EXPIRY = timedelta(days=1)

_Order = TypeVar("_Order", bound=HostChange)


@dataclass(frozen=True)
class HostWork(Generic[_Order]):
    """One host, the order for it, and the steps; `ordered_at` is the same at every retry."""

    order: _Order
    machines: Machines
    members: Members
    takeover: Takeover
    ordered_at: datetime

    def look(self) -> Lineage:
        """Look at the platform: its tags are the only record."""
        host = self.order.host
        launched = self.machines.launched_for(self.order.campaign, [host.id])
        return Lineage(host, self.machines.find([host.id]).get(host.id), tuple(launched))

    def launch_of(self, role: str, image: str) -> Launch:
        order = self.order
        return Launch(
            image=image,
            before=order.host.before,
            host=order.host.id,
            role=role,
            campaign=order.campaign,
            run=order.run,
            attempt=order.attempt,
            inherited=inherited_tags(self.takeover.group),
            expires_at=self.ordered_at + EXPIRY,
        )

    async def launch(self, launch: Launch, beside: Machine | None) -> str:
        """Launch in the subnet of the machine that is replaced, so that the zones stay in balance."""
        subnet = beside.subnet if beside else ""
        if not subnet:  # nothing stands there any more
            among = self.takeover.group.get("VPCZoneIdentifier", "").split(",")
            subnet = await unbroken(self.machines.subnet, self.order.host.zone, among)
        return await self.takeover.launch(launch, subnet, self.look)

    async def retire_all_but(self, lineage: Lineage, *kept: str) -> None:
        for machine in lineage.alive:
            if machine.id not in kept:
                await self.takeover.retire(machine.id)

    def outcome(self, state: HostState, instance: str = "", reason: str = "") -> HostOutcome:
        return HostOutcome(host=self.order.host.id, state=state, instance=instance, reason=reason)
