"""Bring one host back to its *before*."""

from steadfleet_activities.fleet import tags
from steadfleet_activities.fleet.host import HostWork
from steadfleet_activities.fleet.lineage import Lineage
from steadfleet_activities.fleet.machines import Machine
from steadfleet_core.fleet import HostOutcome, HostState
from steadfleet_durable import unbroken
from steadfleet_ports.fleet import HostRestore


class Restore(HostWork[HostRestore]):
    """Make the old host serve again, or one like it; then remove what a change left."""

    async def run(self) -> HostOutcome:
        lineage = await unbroken(self.look)
        if lineage.untraced and (reason := await self._never_ours(lineage)) is not None:
            return self.outcome(HostState.UNTOUCHED, reason=reason)
        keep = lineage.standing() or lineage.restored()
        heir = keep.id if keep else await self._launch(lineage)
        reason = await self.takeover.stand_up(heir) or await self.takeover.admit(heir)
        if reason:
            await self._retire_idle(lineage, heir)
            return self.outcome(HostState.LOST, heir, f"could not be restored: {reason}")
        await self.takeover.settle(heir, None)
        await self.retire_all_but(lineage, heir)
        # What was launched just before this began may not have been listed at the first look.
        await self.retire_all_but(await unbroken(self.look), heir)
        return self.outcome(HostState.RESTORED, heir)

    async def _never_ours(self, lineage: Lineage) -> str | None:
        """
        Say in which way the host was never touched; None if it needs a hand after all.

        AWS forgets ended machines after about an hour, so no trace may also mean a change that was
        undone before. Either way there is nothing of ours, and a whole host needs nothing.
        """
        host = self.order.host
        original = lineage.standing()
        if original is None:
            return f"{host.id} is gone, and nothing of this campaign stood in its place: its group ended it"
        member = await unbroken(self.members.membership, original.id)
        states = await unbroken(self.members.targets, self.takeover.target_groups, original.id)
        whole = member is not None and all(state.registered for state in states)
        return "" if whole else None

    async def _launch(self, lineage: Lineage) -> str:
        beside = next((machine for machine in lineage.alive if machine.subnet), None)
        launch = self.launch_of(tags.RESTORES, self.order.host.before.image_id)
        return await self.launch(launch, beside)

    async def _retire_idle(self, lineage: Lineage, heir: str) -> None:
        """Remove what serves nobody; a bad host that serves is better than none."""
        for machine in lineage.alive:
            if machine.id != heir and not await self._serves(machine):
                await self.takeover.retire(machine.id)

    async def _serves(self, machine: Machine) -> bool:
        return await unbroken(self.members.membership, machine.id) is not None
