"""The steps by which one machine comes to serve and another stops to.

Each step looks at the platform first and does only what is still missing, so any of them can be
repeated after a crash, at any point.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from steadfleet_activities.fleet.errors import UNCLEAR, is_mismatch, is_permanent
from steadfleet_activities.fleet.lineage import Lineage
from steadfleet_activities.fleet.machines import Launch, Machine, Machines
from steadfleet_activities.fleet.members import Members, Membership, TargetState
from steadfleet_activities.fleet.probing import Prober
from steadfleet_activities.fleet.waiting import Pace, looked
from steadfleet_core.campaign.policy import HealthChecks
from steadfleet_durable import get_logger, unbroken

if TYPE_CHECKING:
    from mypy_boto3_autoscaling.type_defs import AutoScalingGroupTypeDef

_LAUNCHES = 5
_log = get_logger(__name__)

Step = Callable[[str], None]


@dataclass(frozen=True)
class Takeover:
    """What the steps work with; `step` names each where a person can see it."""

    machines: Machines
    members: Members
    prober: Prober
    group: "AutoScalingGroupTypeDef"
    checks: HealthChecks
    step: Step

    @property
    def _name(self) -> str:
        return self.group["AutoScalingGroupName"]

    @property
    def target_groups(self) -> list[str]:
        return self.group.get("TargetGroupARNs", [])

    async def launch(self, launch: Launch, subnet: str, look: Callable[[], Lineage]) -> str:
        """
        Launch a machine, exactly one; return its id.

        After an answer that was lost or makes no sense nobody knows whether it was launched: so
        this looks before it asks again, under the same token for as long as none has come of it.
        """
        self.step("launch")
        pace, left, spent = Pace(), _LAUNCHES, 0
        lineage = await unbroken(look)
        while True:
            try:
                earlier = lineage.ended(launch) + spent
                return await unbroken(self.machines.launch, launch, subnet, earlier)
            except UNCLEAR as error:
                _log.warning("launch unclear", host=launch.host, error=str(error))
                left -= 1
                lineage = await unbroken(look)
                if (found := lineage.launched_by(launch)) is not None:
                    return found.id
                if is_permanent(error) or not left:
                    raise
                # The token named a launch whose machine AWS has forgotten since.
                spent += is_mismatch(error)
            await pace.rest()

    async def stand_up(self, machine_id: str) -> str | None:
        """Wait until the machine runs and passes its checks; None if it does, else why not."""
        self.step("boot")
        machine = await looked(_started, self.checks.deadline, self._machine, machine_id)
        if machine is None or machine.state != "running":
            state = f"is {machine.state} ({machine.ended})" if machine else "cannot be found"
            return f"{machine_id} did not start: it {state}"
        self.step("verify")
        return await self.prober.verify(machine, self.checks)

    async def admit(self, machine_id: str) -> str | None:
        """Make the machine a member that gets traffic; None if it does, else why not."""
        self.step("attach")
        if await unbroken(self.members.membership, machine_id) is None:
            await unbroken(self.members.attach, self._name, machine_id)
        limit = self.checks.deadline
        member = await looked(_in_service, limit, self.members.membership, machine_id)
        if not _in_service(member):
            where = member.state if member else "no member"
            return f"{machine_id} is {where} of group {self._name} after {limit}, expected InService"
        states = await unbroken(self.members.targets, self.target_groups, machine_id)
        for state in states:
            if not state.registered:
                await unbroken(self.members.register, state.arn, machine_id)
        states = await looked(_all_ready, limit, self.members.targets, self.target_groups, machine_id)
        return next((_refused(machine_id, state, limit) for state in states if not state.ready), None)

    async def settle(self, machine_id: str, predecessor: str | None) -> None:
        """Note that the machine serves; a scale-in protection of the one before it goes over to it."""
        await unbroken(self.machines.settle, machine_id)
        before = await unbroken(self.members.membership, predecessor) if predecessor else None
        if before is not None and before.protected:
            await unbroken(self.members.protect, self._name, machine_id)

    async def retire(self, machine_id: str) -> None:
        """Let the machine finish what it serves, take it out of its group and end it."""
        self.step("drain")
        for state in await unbroken(self.members.targets, self.target_groups, machine_id):
            if state.registered:
                await unbroken(self.members.deregister, state.arn, machine_id)
        await looked(_none_draining, None, self.members.targets, self.target_groups, machine_id)
        self.step("detach")
        if await unbroken(self.members.membership, machine_id) is not None:
            await unbroken(self.members.detach, self._name, machine_id)
        await looked(_no_member, None, self.members.membership, machine_id)
        self.step("terminate")
        await unbroken(self.machines.terminate, machine_id)
        await looked(_ended, None, self._machine, machine_id)

    def _machine(self, machine_id: str) -> Machine | None:
        return self.machines.find([machine_id]).get(machine_id)


def _started(machine: Machine | None) -> bool:
    # One that was launched a moment ago may not be listed yet.
    return machine is not None and machine.state != "pending"


def _ended(machine: Machine | None) -> bool:
    return machine is None or machine.state == "terminated"


def _in_service(member: Membership | None) -> bool:
    return member is not None and member.state == "InService"


def _no_member(member: Membership | None) -> bool:
    return member is None


def _all_ready(states: list[TargetState]) -> bool:
    return all(state.ready for state in states)


def _none_draining(states: list[TargetState]) -> bool:
    return all(state.state != "draining" for state in states)


def _refused(machine_id: str, state: TargetState, limit: timedelta) -> str:
    said = f" ({state.said})" if state.said else ""
    return f"target group {state.name} calls {machine_id} {state.state}{said} after {limit}, expected healthy"
