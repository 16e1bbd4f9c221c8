"""What a person sees of a drill, and may say to it."""

import asyncio
from datetime import datetime

from temporalio import workflow

from steadfleet_core.campaign.lifecycle import Request
from steadfleet_core.drill.measuring import DataLoss, Observation, SealedLedger
from steadfleet_core.drill.order import Drill, DrillOrder
from steadfleet_core.drill.plan import Isolation
from steadfleet_core.drill.report import (
    CheckResult,
    DrillReceipt,
    DrillState,
    DrillStatus,
    Finding,
    IsolationResult,
    Preflight,
    Skipped,
)
from steadfleet_core.drill.steps import StepProgress, StepState, steps_of
from steadfleet_workflows.drill_visibility import drill_attributes, drill_details
from steadfleet_workflows.naming import run_name
from steadfleet_workflows.refusal import refused


class StepRequested(Request):
    """A verb that means one step; empty where only one waits for it."""

    step: str = ""


class DrillShown:
    """Answers the query, keeps the details up to date, and hears retry, skip and abort."""

    def __init__(self, order: DrillOrder) -> None:
        self.order = order
        self.spec = order.plan.spec
        self.run_name = run_name("drill", order.plan.name)
        self.state = DrillState.PREPARING
        self.reason = ""
        self.started_at = workflow.now()
        self.drill: Drill | None = None
        self.preflight: Preflight | None = None
        self.steps = {step.name: StepProgress(step=step) for step in steps_of(self.spec)}
        self.declared_ledgers: tuple[SealedLedger, ...] = ()
        self.declared_at: datetime | None = None
        self.observations: dict[str, Observation] = {}
        self.isolation: IsolationResult | None = None
        self.validations: list[CheckResult] = []
        self.losses: list[DataLoss] = []
        self.skipped: list[Skipped] = []
        self.findings: list[Finding] = []
        self.obligations: list[str] = []
        self.residue: tuple[str, ...] = ()
        self.removed = 0
        self.aborted = ""
        self.decisions: dict[str, StepState] = {}
        self.verdict: DrillStatus | None = None
        self._work: asyncio.Task[None] | None = None
        self._showing: DrillStatus | None = None

    @workflow.query
    def status(self) -> DrillStatus:
        """Say where the drill stands."""
        drill, plan = self.drill, self.order.plan
        said = DrillStatus(
            plan=plan.name,
            labels=plan.metadata.labels,
            mode=self.order.resolved_mode,
            strategy=self.spec.strategy,
            state=self.state,
            reason=self.reason,
            requested_by=self.order.requested_by,
            order=self.order.digest,
            run=self.run_name,
            region=self.spec.recovery.region,
            objectives=self.spec.objectives,
            isolation_enforced=self.spec.isolation is Isolation.ENFORCED,
            preflight=self.preflight,
            stores=drill.stores if drill else (),
            services=drill.services if drill else (),
            steps=tuple(self.steps.values()),
            started_at=self.started_at,
            declared_at=self.declared_at,
            ledgers=self.declared_ledgers,
            observations=tuple(self.observations.values()),
            isolation=self.isolation,
            validations=tuple(self.validations),
            losses=tuple(self.losses),
            skipped=tuple(self.skipped),
            findings=tuple(self.findings),
            obligations=tuple(self.obligations),
            residue=self.residue,
            removed=self.removed,
            aborted=self.aborted,
        )
        judged = self.verdict
        if judged is None:
            return said
        return said.model_copy(
            update={
                "critical_path": judged.critical_path,
                "recovery_time": judged.recovery_time,
                "judgement": judged.judgement,
            }
        )

    # -- verbs

    @workflow.update
    async def retry(self, request: StepRequested) -> DrillReceipt:
        step = self._meant(request.step)
        self.decisions[step] = StepState.RUNNING
        return self._receipt("retry", request, f"{step} is tried again; the clock runs on")

    @retry.validator
    def _may_retry(self, request: StepRequested) -> None:
        self._meant(request.step)

    @workflow.update
    async def skip(self, request: StepRequested) -> DrillReceipt:
        step = self._meant(request.step)
        self.decisions[step] = StepState.SKIPPED
        self.skipped.append(Skipped(step=step, by=request.by, reason=request.reason))
        self.findings.append(Finding(what=f"{step} was skipped by {request.by}: {request.reason}"))
        return self._receipt(
            "skip", request, f"{step} is left out: what needs it may fail, and it is a finding"
        )

    @skip.validator
    def _may_skip(self, request: StepRequested) -> None:
        self._meant(request.step)
        if not request.reason.strip():
            raise refused("a skipped step becomes a finding: expected a reason")

    @workflow.update
    async def abort(self, request: Request) -> DrillReceipt:
        receipt = self._receipt("abort", request, "everything that the drill made is torn down")
        why = f": {request.reason}" if request.reason else ""
        self.abort_work(f"aborted by {request.by}{why}")
        return receipt

    @abort.validator
    def _may_abort(self, request: Request) -> None:
        if problem := self._too_late():
            raise refused(problem)

    @workflow.signal(name="abort", description="Stop, and tear down everything that the drill made.")
    def abort_signal(self, request: Request | None = None) -> None:
        self.abort_work(f"aborted by {(request or Request()).by}")

    def abort_work(self, reason: str) -> None:
        """Cancel the recovery: what it made is torn down before the drill ends."""
        if problem := self._too_late():
            workflow.logger.warning("ignored: %s: %s", reason, problem)
        elif self._work is not None:
            self.aborted = self.reason = reason
            self._work.cancel()

    def _too_late(self) -> str | None:
        if self.aborted:
            return f"cannot abort: it was {self.aborted}"
        if self.state.closed or self.state is DrillState.TEARING_DOWN:
            return f"cannot abort while {self.state}: it is too late"
        return None

    def waiting(self) -> list[str]:
        """Name the failed steps that nobody has decided about."""
        return [
            step
            for step, progress in self.steps.items()
            if progress.state is StepState.FAILED and step not in self.decisions
        ]

    def _meant(self, name: str) -> str:
        """Return the failed step that a verb means, which waits for a decision."""
        waiting = self.waiting()
        if self.state is not DrillState.HALTED or not waiting:
            raise refused(f"no step waits for a decision while {self.state}")
        if name and name not in waiting:
            raise refused(f"{name} does not wait for a decision: expected one of {', '.join(waiting)}")
        if not name and len(waiting) > 1:
            raise refused(f"which step? expected one of {', '.join(waiting)}")
        return name or waiting[0]

    # -- what changes

    def _enter(self, state: DrillState, reason: str = "") -> None:
        self.state, self.reason = state, reason
        self._show()

    def _note(self, step: str, **facts: object) -> None:
        self.steps[step] = self.steps[step].model_copy(update=facts)
        self._show()

    def _show(self) -> None:
        status = self.status()
        if status == self._showing:
            return
        before, self._showing = self._showing, status
        workflow.set_current_details(drill_details(status))  # costs no event
        told = before is None or (before.state, before.reason) != (status.state, status.reason)
        if told and self.order.search_attributes:
            workflow.upsert_search_attributes(drill_attributes(status, self.spec.fleet or ""))

    def _receipt(self, verb: str, request: Request, effect: str) -> DrillReceipt:
        return DrillReceipt(verb=verb, by=request.by, reason=request.reason, at=workflow.now(), effect=effect)
