"""A patch campaign: change a fleet in widening waves, halting at the first unhealthy one."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, ChildWorkflowError
from temporalio.workflow import ParentClosePolicy

from steadfleet_core.campaign.book import Book, ContinuedOrder, masked, waves_of
from steadfleet_core.campaign.counts import Counts
from steadfleet_core.campaign.demands import refuse_order
from steadfleet_core.campaign.lifecycle import State, Verb
from steadfleet_core.campaign.plan import CampaignOrder, Plan, PlannedWave
from steadfleet_core.campaign.policy import RollbackScope
from steadfleet_core.campaign.report import CampaignReport, CampaignStatus
from steadfleet_core.campaign.verdict import Verdict
from steadfleet_core.campaign.wave import (
    MOST_FAILURES,
    Direction,
    Steering,
    WaveOrder,
    WaveProgress,
    WaveReport,
)
from steadfleet_core.errors import RefusedError
from steadfleet_core.fleet import HostState
from steadfleet_core.model import at_least, at_most, format_duration
from steadfleet_durable.options import QUICK, SLOW, UNDO
from steadfleet_ports.fleet import Fleet, FleetCheck, Freeze, GroupHold, ImageAdoption
from steadfleet_ports.reservation import Claim, Reservations
from steadfleet_workflows.hosts import root_cause
from steadfleet_workflows.renewal import continue_as_new, should_continue_as_new
from steadfleet_workflows.steering import steer_child, wind_down
from steadfleet_workflows.verbs import Verbs
from steadfleet_workflows.visibility import attributes, details
from steadfleet_workflows.wave import PatchWave

_Result = TypeVar("_Result")


class _EndedError(Exception):
    """Leaves the story from wherever it stands; the state is how the campaign closes."""

    def __init__(self, state: State) -> None:
        super().__init__(state)
        self.state = state


@workflow.defn
class PatchCampaign(Verbs):
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
        self._showing: tuple[object, ...] = ()

    @workflow.run
    async def run(self, order: CampaignOrder | ContinuedOrder) -> CampaignReport:
        return await wind_down(self._conduct(), on_cancel=self._cancelled)

    @workflow.query
    def status(self) -> CampaignStatus:
        """Return counts of all hosts and the first 50 failures."""
        waves = waves_of(self.book)
        if self.wave is not None and self.wave.direction is Direction.CHANGE:
            waves[self.wave.number] = self.wave
        plan = self.book.plan
        return CampaignStatus(
            name=self.order.policy.metadata.name,
            labels=self.order.policy.metadata.labels,
            state=self.state,
            reason=self.reason,
            fleet=self.spec.fleet.name,
            image=plan.image.id if plan else str(self.spec.image),
            order=self.order.digest,
            plan=plan.digest if plan else None,
            requested_by=self.order.requested_by,
            counts=sum((wave.counts for wave in waves.values()), Counts()),
            waves=tuple(waves.values()),
            failures=tuple(self.book.failures[:MOST_FAILURES]),
            approvals=tuple(self.book.approvals),
            approvals_needed=self.spec.approval.minimum_approvers if self.spec.approval.required else 0,
            receipts=tuple(self.book.receipts),
            warnings=tuple(self.book.warnings),
            obligations=tuple(self.book.obligations),
        )

    @workflow.signal
    async def wave_progress(self, progress: WaveProgress) -> None:
        """Hear of the wave under way; what an earlier wave still says is too late."""
        if self.wave is not None and progress.number == self.wave.number:
            self.wave = progress
            if self.phase in {State.RUNNING, State.BAKING}:
                self.phase = State.BAKING if progress.baking else State.RUNNING

    # -- the story

    async def _conduct(self) -> CampaignReport:
        background = [asyncio.create_task(self._keep_showing()), asyncio.create_task(self._keep_fresh())]
        try:
            plan = self.book.plan or await self._freeze()
        except (ApplicationError, RefusedError) as error:
            self.phase, self.reason = State.FAILED, str(error)
            self._show()
            raise _refused(str(error)) from error
        closing = await self._roll_out_all(plan)
        await self._put_back(plan)
        self.phase = closing
        for task in background:
            task.cancel()
        self._show()
        await workflow.wait_condition(workflow.all_handlers_finished)
        return CampaignReport(status=self.status(), started_at=self.book.started_at, ended_at=workflow.now())

    async def _roll_out_all(self, plan: Plan) -> State:
        try:
            await self._approval()
            await self._hold_groups(plan)
            for wave in plan.waves:
                if not self._done(wave):
                    await self._roll_out_until_healthy(plan, wave)
                    await self._continue_as_new_if_long()
            await self._insist("the image could not be adopted", lambda: self._adopt(plan))
        except _EndedError as ended:
            return ended.state
        else:
            return State.SUCCEEDED

    async def _freeze(self) -> Plan:
        """Resolve the order once. Whatever is wrong fails the campaign here, with nothing touched."""
        refuse_order(self.order)
        preview = await _refusing(
            workflow.execute_activity_method(Fleet.preview_plan, Freeze(order=self.order, store=True), **SLOW)
        )
        if preview.problems:
            raise _refused("; ".join(preview.problems))
        self.book.warn(*preview.warnings)
        grant = await _refusing(
            workflow.execute_activity_method(Reservations.reserve_fleet, self._claim(), **QUICK)
        )
        if not grant.granted:
            raise _refused(grant.reason)
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
                raise _EndedError(State.ABORTED) from None
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
        before = self.book.reports.get(wave.number)
        attempt = self.book.attempts.get(wave.number, 0) + 1
        self.book.attempts = {**self.book.attempts, wave.number: attempt}
        return await self._conduct_wave(
            plan, wave, Direction.CHANGE, attempt, before.states if before else ()
        )

    async def _conduct_wave(
        self, plan: Plan, wave: PlannedWave, direction: Direction, attempt: int, states: tuple[str, ...]
    ) -> WaveReport:
        self.steering = Steering(number=self.steering.number + 1, paused=self.steering.paused)
        order = WaveOrder(
            campaign=workflow.info().workflow_id,
            run=self.book.run,
            plan=plan.digest,
            image=plan.image,
            spec=self.spec,
            zones=plan.zones,
            wave=wave,
            direction=direction,
            attempt=attempt,
            states=states,
            unrestored=self.book.unrestored(besides=wave.number),
            steering=self.steering,
        )
        self.phase = State.RUNNING if direction is Direction.CHANGE else State.ROLLING_BACK
        self.wave = WaveProgress(number=wave.number, direction=direction, started_at=workflow.now())
        try:
            child = await workflow.start_child_workflow(
                PatchWave.run,
                order,
                id=order.workflow_id,
                parent_close_policy=ParentClosePolicy.REQUEST_CANCEL,
            )
            report = await steer_child(child, order.steering, lambda: self.steering)
        finally:
            self.wave = None
        self.book.take_in(report)
        return report

    # -- what people and bad news do to it

    async def _heed(self) -> None:
        """Wait while paused; then carry out what was decided meanwhile."""
        await workflow.wait_condition(lambda: not self.steering.paused or self.decision is not None)
        decision, self.decision = self.decision, None
        if decision is Verb.REJECT:
            raise _EndedError(State.ABORTED)
        if decision is Verb.ABORT:
            await self._restore_failed()
            raise _EndedError(State.ABORTED)
        if decision is Verb.ROLL_BACK:
            await self._roll_back(self.scope)

    async def _halt(self, reason: str) -> None:
        """Stand open until a person decides; returns only for a retry."""
        restoring = self.phase is State.ROLLING_BACK
        self.phase, self.reason = State.HALTED, reason
        await workflow.wait_condition(lambda: self.decision is not None)
        self.phase = State.RUNNING
        if self.decision is Verb.RETRY:
            self.decision, self.reason = None, ""
        elif self.decision is Verb.ABORT and restoring:  # it was tried: what is not restored is reported
            raise _EndedError(State.ABORTED)
        await self._heed()

    async def _insist(self, what: str, step: Callable[[], Awaitable[_Result]]) -> _Result:
        """Carry out a step whose failure is the platform's or the engine's: a person decides, then again."""
        while True:
            try:
                return await step()
            except (ActivityError, ChildWorkflowError) as error:
                await self._halt(f"{what}: {root_cause(error)}")

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
            await workflow.wait_condition(lambda: self.stale)
            self.stale = False
            await self._go_on_if_sound()

    async def _go_on_if_sound(self) -> None:
        try:
            problems = await self._check(self.book.plan) if self.book.plan else ()
        except ActivityError as error:
            problems = (root_cause(error),)
        if problems:
            self.reason = f"paused still: {'; '.join(problems)}; resume looks again"
        else:
            self.go_on()

    async def _check(self, plan: Plan) -> tuple[str, ...]:
        check = FleetCheck(
            plan=plan,
            checks=self.spec.health_checks,
            tolerance=at_most(self.spec.failure_tolerance.hosts, plan.hosts),
            campaign=workflow.info().workflow_id,
        )
        findings = await workflow.execute_activity_method(Fleet.check_fleet, check, **SLOW)
        self.book.warn(*findings.drift)
        return findings.problems

    async def _roll_back(self, scope: RollbackScope) -> None:
        """Restore the last wave, or all, last first; then close as rolled back."""
        plan = self.book.plan
        begun = [wave for wave in reversed(plan.waves) if wave.number in self.book.reports] if plan else []
        for wave in begun if scope is RollbackScope.CAMPAIGN else begun[:1]:
            if plan:
                await self._restore_wave(plan, wave, {HostState.CHANGED, *_UNRESTORED})
        raise _EndedError(State.ROLLED_BACK)

    async def _restore_failed(self) -> None:
        """Leave no failed host behind; hosts done stay."""
        waves = self.book.plan.waves if self.book.plan else ()
        for wave in reversed(waves):
            report = self.book.reports.get(wave.number)
            if self.book.plan and report and any(report.letters(state) for state in _UNRESTORED):
                await self._restore_wave(self.book.plan, wave, _UNRESTORED)

    async def _restore_wave(self, plan: Plan, wave: PlannedWave, which: set[HostState]) -> None:
        """Restore a wave's hosts; when its own stop rule ends it early, a person decides."""
        while True:
            self.phase = State.ROLLING_BACK
            states = tuple(masked(shard, which) for shard in self.book.reports[wave.number].states)
            if not any(letter != HostState.UNTOUCHED for shard in states for letter in shard):
                return
            await self._restore_once(plan, wave, states)
            left = sum(self.book.reports[wave.number].letters(state) for state in which)
            if not left:
                return
            await self._halt(f"the rollback of wave {wave.number} stopped: {left} hosts are not restored")

    async def _restore_once(self, plan: Plan, wave: PlannedWave, states: tuple[str, ...]) -> None:
        attempt = self.book.attempts.get(wave.number, 1)
        await self._insist(
            f"rollback of wave {wave.number}",
            lambda: self._conduct_wave(plan, wave, Direction.RESTORE, attempt, states),
        )

    def _cancelled(self) -> None:
        """Treat a cancel of the workflow as an abort; a rollback under way is carried to its end."""
        if self.decision is None and not self.phase.closed and self.phase is not State.ROLLING_BACK:
            self.decision, self.reason = Verb.ABORT, "the workflow was cancelled"
            self.steer(paused=False, stop=True)

    # -- the fleet is held while hosts are changed, and always given back

    async def _hold_groups(self, plan: Plan) -> None:
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

    async def _owe_unless(self, obligation: str, step: Callable[[], Awaitable[None]]) -> None:
        try:
            await step()
        except ActivityError as error:
            workflow.logger.error("obligation left open: %s: %s", obligation, root_cause(error))
            self.book.obligations = [*self.book.obligations, f"{obligation} ({root_cause(error)})"]

    async def _adopt(self, plan: Plan) -> None:
        adoption = ImageAdoption(plan=plan, campaign=workflow.info().workflow_id)
        await workflow.execute_activity_method(Fleet.adopt_image, adoption, **QUICK)

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

    # -- what a person sees

    async def _keep_showing(self) -> None:
        while True:
            self._show()
            await workflow.wait_condition(lambda: self._shown() != self._showing)

    def _show(self) -> None:
        status = self.status()
        self._showing = self._shown()
        workflow.set_current_details(details(status))
        if self.order.search_attributes:
            wave = self.wave.number if self.wave else max(self.book.reports, default=0)
            workflow.upsert_search_attributes(attributes(status, wave))

    def _shown(self) -> tuple[object, ...]:
        """Say what search attributes follow: each new value costs an event, so not every host."""
        return (self.state, self.reason, self.wave.number if self.wave else 0, len(self.book.reports))


_UNRESTORED = {HostState.FAILED, HostState.LOST}


async def _refusing(call: Awaitable[_Result]) -> _Result:
    """Fail the campaign with the activity's own words."""
    try:
        return await call
    except ActivityError as error:
        raise _refused(root_cause(error)) from error


def _refused(problem: str) -> ApplicationError:
    return ApplicationError(problem, type="RefusedError", non_retryable=True)
