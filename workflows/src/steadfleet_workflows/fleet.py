"""One fleet's reservation: who may change it now, and whether anybody may."""

from temporalio import workflow
from temporalio.exceptions import ApplicationError

from steadfleet_core.campaign.lifecycle import Request
from steadfleet_core.model import Model
from steadfleet_ports.reservation import RESERVATION_WORKFLOW, Claim, Grant
from steadfleet_workflows.renewal import Idle, continue_as_new, should_continue_as_new


class FleetHolding(Model):
    """Who holds the fleet, and who froze it; empty when nobody does."""

    holder: str = ""
    run: str = ""
    frozen_by: str = ""
    reason: str = ""


@workflow.defn(name=RESERVATION_WORKFLOW)
class FleetReservation(Idle):
    """Grant the fleet to one campaign at a time, and to none while it is frozen. Lives for ever."""

    @workflow.init
    def __init__(self, held: FleetHolding | None = None) -> None:
        self.held = held or FleetHolding()

    @workflow.run
    async def run(self, held: FleetHolding | None = None) -> None:
        await workflow.wait_condition(should_continue_as_new)
        await workflow.wait_condition(workflow.all_handlers_finished)
        continue_as_new(self.held)

    @workflow.query
    def holding(self) -> FleetHolding:
        return self.held

    @workflow.update
    async def reserve(self, claim: Claim) -> Grant:
        """Grant the fleet; asking again for what one holds already is granted again."""
        refusal = self._refusal(claim)
        if refusal is None:
            self.held = self.held.model_copy(update={"holder": claim.holder, "run": claim.run})
            return Grant(granted=True)
        return Grant(granted=False, reason=refusal, holder=self.held.holder, holder_run=self.held.run)

    @workflow.update
    async def release(self, claim: Claim) -> None:
        if (self.held.holder, self.held.run) == (claim.holder, claim.run):
            self.held = self.held.model_copy(update={"holder": "", "run": ""})

    @workflow.update
    async def freeze(self, request: Request) -> FleetHolding:
        """Grant the fleet to nobody until it is unfrozen; who holds it goes on."""
        self.held = self.held.model_copy(update={"frozen_by": request.by, "reason": request.reason})
        return self.held

    @workflow.update
    async def unfreeze(self, request: Request) -> FleetHolding:
        self.held = self.held.model_copy(update={"frozen_by": "", "reason": ""})
        return self.held

    @workflow.update
    async def stop_the_line(self, request: Request) -> FleetHolding:
        """Freeze the fleet and pause the campaign that holds it."""
        self.held = self.held.model_copy(update={"frozen_by": request.by, "reason": request.reason})
        if self.held.holder:
            await self._pause_holder(request)
        return self.held

    async def _pause_holder(self, request: Request) -> None:
        pause = Request(by=request.by, reason=f"the line was stopped: {request.reason}")
        try:
            await workflow.get_external_workflow_handle(self.held.holder).signal("pause", pause)
        except ApplicationError:
            workflow.logger.warning("the holder %s has closed; it no longer holds", self.held.holder)
            self.held = self.held.model_copy(update={"holder": "", "run": ""})

    def _refusal(self, claim: Claim) -> str | None:
        if self.held.frozen_by:
            why = self.held.reason or "no reason given"
            return f"fleet {claim.fleet} was frozen by {self.held.frozen_by} ({why}): unfreeze it first"
        if self.held.holder and (self.held.holder, self.held.run) != (claim.holder, claim.run):
            return f"fleet {claim.fleet} is reserved by {self.held.holder}: wait for its end, or abort it"
        return None
