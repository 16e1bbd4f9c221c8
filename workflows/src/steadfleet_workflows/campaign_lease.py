"""The lease of a campaign: were the campaign terminated, the janitor would put all back."""

import asyncio
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

from steadfleet_core.campaign.lifecycle import State
from steadfleet_core.campaign.plan import Plan
from steadfleet_durable.options import QUICK, UNDO
from steadfleet_ports.lease import (
    TERM,
    LeaseOrder,
    Leases,
    Obligation,
    ObligationKind,
    Owner,
    Renewal,
    Sweep,
    lease_id,
)
from steadfleet_workflows.decisions import Decisions
from steadfleet_workflows.hosts import root_cause

RESTING_TERMS = 8
"""How many terms a renewal holds while nothing is being changed.

A renewal costs about ten events, and a halt may last for weeks; the janitor looks at every term anyway.
"""

_RESTING = {State.BAKING, State.PAUSED, State.HALTED}


class UnderLease(Decisions):
    """Opens a lease before the groups are held, renews it while the campaign runs, closes it at the end."""

    renewing: asyncio.Task[None]

    async def _open_lease(self, plan: Plan) -> None:
        status = await workflow.execute_activity_method(Leases.open_lease, self._lease(plan), **QUICK)
        self.book.lease = status.term

    async def _keep_lease(self) -> None:
        """Say every third of the time that the last word holds that the campaign lives."""
        await workflow.wait_condition(lambda: self.book.lease is not None)
        hold = self.book.lease or TERM
        while True:
            await workflow.sleep(hold / 3, summary="renewal of the lease")
            hold = self._hold_time
            await self._renew(hold)

    async def _renew(self, hold: timedelta) -> None:
        lease = lease_id(self.book.run)
        try:
            await workflow.get_external_workflow_handle(lease).signal("renew", Renewal(hold=hold))
        except ApplicationError:
            self.book.warn(f"{lease} was gone, and is opened again")
            await self._open_again(lease)

    async def _open_again(self, lease: str) -> None:
        """Somebody ended the lease, but not what it was opened for; if this fails, the next renewal tries."""
        try:
            if self.book.plan is not None:
                await self._open_lease(self.book.plan)
        except ActivityError as error:
            workflow.logger.error("%s could not be opened again: %s", lease, root_cause(error))

    async def _close_lease(self, plan: Plan) -> None:
        residue = await workflow.execute_activity_method(Leases.close_lease, self._lease(plan), **UNDO)
        self.book.lease = None
        self.book.warn(*(f"the janitor took away {one}" for one in residue.removed))
        told = [f"the janitor goes on to take away {one}" for one in residue.left]
        told += [f"look at {one}: it serves, though it was never settled" for one in residue.spared]
        self.book.obligations = [*self.book.obligations, *told]

    @property
    def _hold_time(self) -> timedelta:
        term = self.book.lease or TERM
        return term * RESTING_TERMS if self.state in _RESTING else term

    def _lease(self, plan: Plan) -> LeaseOrder:
        campaign = workflow.info().workflow_id
        groups = tuple(
            Obligation(
                kind=ObligationKind.RELEASE_GROUPS, subject=group.name, detail=campaign, run=self.book.run
            )
            for group in plan.groups
        )
        owner = Owner(workflow=campaign, run=self.book.run)
        return LeaseOrder(sweep=Sweep(run=self.book.run), owner=owner, obligations=groups)
