"""A patch campaign: change a fleet in widening waves, halting at the first unhealthy one."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, ChildWorkflowError

from steadfleet_core.campaign.book import Book, ContinuedOrder
from steadfleet_core.campaign.demands import refuse_order
from steadfleet_core.campaign.lifecycle import State, Verb
from steadfleet_core.campaign.plan import CampaignOrder, Plan, PlannedWave
from steadfleet_core.campaign.report import CampaignReport
from steadfleet_core.campaign.verdict import Verdict
from steadfleet_core.campaign.wave import Direction, WaveReport
from steadfleet_core.errors import RefusedError
from steadfleet_core.model import at_least, at_most, format_duration
from steadfleet_durable.options import QUICK, SLOW, UNDO
from steadfleet_ports.fleet import Fleet, FleetCheck, Freeze, GroupHold, ImageAdoption, KeptReport
from steadfleet_ports.reservation import Claim, Reservations
from steadfleet_signing.approval import refuse_bad_keys
from steadfleet_workflows.campaign_lease import UnderLease
from steadfleet_workflows.decisions import EndedError
from steadfleet_workflows.hosts import root_cause
from steadfleet_workflows.owing import count_obligations
from steadfleet_workflows.refusal import refused
from steadfleet_workflows.renewal import continue_as_new, should_continue_as_new
from steadfleet_workflows.steering import wind_down

_Result = TypeVar("_Result")


@workflow.defn
class PatchCampaign(UnderLease):
    """Change a fleet in widening waves, halting at the first unhealthy one."""

    @workflow.init
    def __init__(self, order: CampaignOrder | ContinuedOrder) -> None:
        super().__init__()
        info = workflow.info()
        self.order = order
        self.spec = order.policy.spec
        self.book = (
            order.book
            if isinstance(order, ContinuedOrder)
            else Book(run=info.first_execution_run_id, started_at=workflow.now())
        )

    @workflow.run
    async def run(self, order: CampaignOrder | ContinuedOrder) -> CampaignReport:
        return await wind_down(self._conduct(), on_cancel=self._cancelled)

    # -- the story

    async def _conduct(self) -> CampaignReport:
        background = [asyncio.create_task(self._keep_showing()), asyncio.create_task(self._keep_fresh())]
        self.renewing = asyncio.create_task(self._keep_lease())
        try:
            plan = self.book.plan or await self._freeze()
        except (ApplicationError, RefusedError) as error:
            self.phase, self.reason = State.FAILED, str(error)
            self._show()
            raise refused(str(error)) from error
        self.ending = await self._roll_out_all(plan)
        self.book.owe_failed()
        await self._put_back(plan)
        self.phase = self.ending
        for task in (*background, self.renewing):
            task.cancel()
        self._show()
        await workflow.wait_condition(workflow.all_handlers_finished)
        ended_at = workflow.now()
        if workflow.patched("kept-report"):
            await self._keep(self._report(ended_at))
        count_obligations(self.book.obligations)
        return self._report(ended_at)

    def _report(self, ended_at: datetime) -> CampaignReport:
        return CampaignReport(status=self.status(), started_at=self.book.started_at, ended_at=ended_at)

    async def _keep(self, report: CampaignReport) -> None:
        kept = KeptReport(name=report.status.name, run=self.book.run, report=report)
        await self._owe_unless(
            "keep the report in the object store, for the engine forgets it",
            lambda: workflow.execute_activity_method(Fleet.keep_report, kept, **QUICK),
        )

    async def _roll_out_all(self, plan: Plan) -> State:
        try:
            await self._approval()
            await self._hold_groups(plan)
            for wave in plan.waves:
                if not self._done(wave):
                    await self._roll_out_until_healthy(plan, wave)
                    await self._continue_as_new_if_long()
            await self._insist("the image could not be adopted", lambda: self._adopt(plan))
        except EndedError as ended:
            return ended.state
        else:
            return State.SUCCEEDED

    async def _freeze(self) -> Plan:
        """Resolve the order once. Whatever is wrong fails the campaign here, with nothing touched."""
        refuse_order(self.order)
        refuse_bad_keys(self.spec.approval.keys)
        preview = await _refusing(
            workflow.execute_activity_method(Fleet.preview_plan, Freeze(order=self.order, store=True), **SLOW)
        )
        if preview.problems:
            raise refused("; ".join(preview.problems))
        self.book.warn(*preview.warnings)
        grant = await _refusing(
            workflow.execute_activity_method(Reservations.reserve_fleet, self._claim(), **QUICK)
        )
        if not grant.granted:
            raise refused(grant.reason)
        self.book.plan = preview.plan
        return preview.plan

    async def _approval(self) -> None:
        approval = self.spec.approval
        remaining = approval.timeout
        while approval.required and not self.book.approved:
            self.phase = State.AWAITING_APPROVAL
            await self._heed()
            began = workflow.now()
            try:
                await workflow.wait_condition(
                    self._approval_moves, timeout=remaining, timeout_summary="approval"
                )
            except TimeoutError:
                self.reason = f"not approved within {format_duration(approval.timeout)}"
                raise EndedError(State.ABORTED) from None
            remaining -= workflow.now() - began
            self.book.approved = len(self.book.approvals) >= approval.minimum_approvers
        await self._heed()
        self.phase = State.RUNNING

    def _approval_moves(self) -> bool:
        enough = len(self.book.approvals) >= self.spec.approval.minimum_approvers
        return enough or self.decision is not None or self.steering.paused

    async def _roll_out_until_healthy(self, plan: Plan, wave: PlannedWave) -> None:
        while True:
            await self._heed()
            await self._look_again(plan)
            await self._heed()
            report = await self._insist(f"wave {wave.number}", lambda: self._roll_out(plan, wave))
            await self._heed()
            if report.verdict is Verdict.HEALTHY:
                return
            if report.verdict is Verdict.INCONCLUSIVE:
                self.hold(f"wave {wave.number} is inconclusive: {report.reason}; resume watches it again")
            elif self.spec.rollback.automatic:
                self.reason = f"wave {wave.number} is unhealthy: {report.reason}"
                await self._roll_back(self.spec.rollback.scope)
            else:
                await self._halt(f"wave {wave.number} is unhealthy: {report.reason}")

    async def _roll_out(self, plan: Plan, wave: PlannedWave) -> WaveReport:
        attempt = self.book.attempts.get(wave.number, 0) + 1
        self.book.attempts = {**self.book.attempts, wave.number: attempt}
        before = self.book.reports.get(wave.number)
        try:
            return await self._conduct_wave(
                plan, wave, Direction.CHANGE, attempt, before.states if before else ()
            )
        except ChildWorkflowError:
            self.book.lose_sight(wave)
            raise

    # -- what people and bad news do to it

    async def _look_again(self, plan: Plan) -> None:
        """Halt when the fleet or the image is no longer what the plan was made for."""
        while True:
            problems = await self._insist("the fleet could not be looked at", lambda: self._check(plan))
            if not problems:
                return
            await self._halt("; ".join(problems))

    async def _keep_fresh(self) -> None:
        """After a long pause look at hosts and image again, and only then go on."""
        while True:
            await workflow.wait_condition(lambda: self.resuming)
            await self._go_on_if_sound()

    async def _go_on_if_sound(self) -> None:
        try:
            problems = await self._check(self.book.plan) if self.book.plan else ()
        except ActivityError as error:
            problems = (root_cause(error),)
        if not self.resuming:  # paused again, or ended, while we looked
            return
        if problems:
            self.resuming, self.reason = False, f"paused still: {'; '.join(problems)}; resume looks again"
        else:
            self.go_on()

    async def _check(self, plan: Plan) -> tuple[str, ...]:
        check = FleetCheck(
            plan=plan,
            checks=self.spec.health_checks,
            tolerance=at_most(self.spec.failure_tolerance.hosts, plan.hosts)
            + sum(self.book.unrestored(besides=0).values()),
            campaign=workflow.info().workflow_id,
            signed=self.spec.image.signed,
        )
        findings = await workflow.execute_activity_method(Fleet.check_fleet, check, **SLOW)
        self.book.warn(*findings.drift)
        return findings.problems

    def _cancelled(self) -> None:
        """Treat a cancel of the workflow as an abort; a rollback under way is carried to its end."""
        if self.phase is State.ROLLING_BACK:
            self.go_on()
        elif self.decision is None and self.ending is None:
            self._decide(Verb.ABORT, "the workflow was cancelled")

    # -- the fleet is held while hosts are changed, and always given back

    async def _hold_groups(self, plan: Plan) -> None:
        if self.book.holding:  # since the run before this one
            return
        if workflow.patched("lease"):
            await self._insist("nothing may be touched yet", lambda: self._open_lease(plan))
        self.book.holding = True  # before: a hold that failed may still have taken effect
        await self._insist(
            "the groups could not be prepared",
            lambda: workflow.execute_activity_method(Fleet.hold_groups, self._hold(plan), **QUICK),
        )

    async def _put_back(self, plan: Plan) -> None:
        if self.book.holding:
            await self._owe_unless(
                f"put back the sizes and processes of {', '.join(group.name for group in plan.groups)}",
                lambda: workflow.execute_activity_method(Fleet.release_groups, self._hold(plan), **UNDO),
            )
        await self._owe_unless(
            f"release the reservation of fleet {plan.fleet}",
            lambda: workflow.execute_activity_method(Reservations.release_fleet, self._claim(), **UNDO),
        )
        if self.book.lease is not None:
            self.renewing.cancel()
            await self._owe_unless("let the janitor look", lambda: self._close_lease(plan))

    async def _owe_unless(self, obligation: str, step: Callable[[], Awaitable[None]]) -> None:
        try:
            await step()
        except ActivityError as error:
            workflow.logger.error("obligation left open: %s: %s", obligation, root_cause(error))
            self.book.obligations = [*self.book.obligations, f"{obligation} ({root_cause(error)})"]

    async def _adopt(self, plan: Plan) -> None:
        """Move the groups to the image; while that is under way it is too late for any verb."""
        await self._heed()
        adoption = ImageAdoption(plan=plan, campaign=workflow.info().workflow_id)
        self.ending = State.SUCCEEDED
        try:
            await workflow.execute_activity_method(Fleet.adopt_image, adoption, **QUICK)
        finally:
            self.ending = None

    def _hold(self, plan: Plan) -> GroupHold:
        surge = at_least(self.spec.disruption_budget.overall, plan.hosts)
        return GroupHold(plan=plan, campaign=workflow.info().workflow_id, run=self.book.run, surge=surge)

    def _claim(self) -> Claim:
        info = workflow.info()
        return Claim(
            fleet=self.spec.fleet.name, holder=info.workflow_id, run=self.book.run, task_queue=info.task_queue
        )

    def _done(self, wave: PlannedWave) -> bool:
        report = self.book.reports.get(wave.number)
        return report is not None and report.verdict is Verdict.HEALTHY

    async def _continue_as_new_if_long(self) -> None:
        """Between waves nothing is in flight, so the story may go on in a new run."""
        if should_continue_as_new():
            await self._heed()
            await workflow.wait_condition(workflow.all_handlers_finished)
            continue_as_new(ContinuedOrder(**{**dict(self.order), "book": self.book}))


async def _refusing(call: Awaitable[_Result]) -> _Result:
    """Fail the campaign with the activity's own words."""
    try:
        return await call
    except ActivityError as error:
        raise refused(root_cause(error)) from error
