"""Replace one host by a machine from the plan's exact image, launched beside it."""

from steadfleet_activities.fleet import tags
from steadfleet_activities.fleet.host import HostWork
from steadfleet_activities.fleet.machines import Machine
from steadfleet_core.fleet import HostOutcome, HostState
from steadfleet_durable import unbroken
from steadfleet_ports.fleet import HostChange


class Change(HostWork[HostChange]):
    """Launch, verify, attach; only then drain, detach and end the old one."""

    async def run(self) -> HostOutcome:
        """Do what is still missing. A machine that fails is left as evidence, and the old one serves on."""
        launch = self.launch_of(tags.REPLACES, self.order.image.id)
        lineage = await unbroken(self.look)
        ours = lineage.launched_by(launch)
        incumbent = lineage.incumbent(ours)
        await self.retire_all_but(lineage, *(one.id for one in (ours, incumbent) if one))
        if ours is None and (reason := await self._left_already(incumbent)):
            return self.outcome(HostState.UNTOUCHED, reason=reason)
        heir = ours.id if ours else await self.launch(launch, incumbent)
        reason = await self.takeover.stand_up(heir) or await self.takeover.admit(heir)
        if reason:
            serving = "the old host still serves" if incumbent else "nothing else serves in its place"
            return self.outcome(HostState.FAILED, heir, f"{reason}; {serving}")
        await self.takeover.settle(heir, incumbent.id if incumbent else None)
        if incumbent is not None:
            await self.takeover.retire(incumbent.id)
        return self.outcome(HostState.CHANGED, heir)

    async def _left_already(self, incumbent: Machine | None) -> str | None:
        """Say why there is nothing to replace: a host may leave its group before its turn."""
        host = self.order.host
        if incumbent is None:
            return f"{host.id} is gone: it left group {host.group} after the plan was frozen"
        member = await unbroken(self.members.membership, incumbent.id)
        if member is None or member.state != "InService":
            where = f"{member.state} in its group" if member else f"no member of group {host.group}"
            return (
                f"{incumbent.id} is {where}, expected InService: it was taken out after the plan was frozen"
            )
        return None
