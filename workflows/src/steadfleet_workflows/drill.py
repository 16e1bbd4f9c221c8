"""A drill: recovered in an isolated copy, watched by a witness, judged, and always torn down."""

import asyncio
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, FailureError, is_cancelled_exception

from steadfleet_core.drill.judging import concluded
from steadfleet_core.drill.measuring import DataLoss, SealedLedger
from steadfleet_core.drill.order import WITNESS_QUEUE, Drill, DrillOrder, ResolvedService
from steadfleet_core.drill.plan import AnyStore, ContainerService, Mode
from steadfleet_core.drill.report import CheckResult, DrillReport, DrillState, Finding, IsolationResult
from steadfleet_core.drill.steps import StepKind, StepState, steps_of
from steadfleet_core.drill.verdict import Verdict
from steadfleet_core.model import canonical, format_duration
from steadfleet_durable.options import LONG, QUICK, SLOW, UNDO, on_queue, within
from steadfleet_ports.drill import (
    DrillInspection,
    DrillPreparation,
    Drills,
    IsolationProbe,
    StoredReport,
    ValidationRequest,
)
from steadfleet_ports.lease import LeaseOrder, Owner, Sweep
from steadfleet_ports.witness import Declaration, Reconciliation, Watch, Witness
from steadfleet_workflows.drill_shown import DrillShown
from steadfleet_workflows.drill_steps import ATTEMPTS, DrillSteps, cancelled_all
from steadfleet_workflows.hosts import root_cause
from steadfleet_workflows.leasing import Leased
from steadfleet_workflows.outlasting import outlast_cancels
from steadfleet_workflows.owing import count_obligations
from steadfleet_workflows.refusal import refused
from steadfleet_workflows.reserving import Reserved

_MARGIN = timedelta(hours=1)
_ENDS = {
    Verdict.PASSED: DrillState.PASSED,
    Verdict.FAILED: DrillState.FAILED,
    Verdict.NOT_PROVEN: DrillState.NOT_PROVEN,
}


@workflow.defn
class DrDrill(DrillSteps):
    """Rehearse one plan. Whatever becomes of it, nothing that it made stays."""

    @workflow.init
    def __init__(self, order: DrillOrder) -> None:
        DrillShown.__init__(self, order)

    @workflow.run
    async def run(self, order: DrillOrder) -> DrillReport:
        self._work = asyncio.create_task(self._rehearse())
        cancelled = await outlast_cancels(self._work, self.abort_work)
        await workflow.wait_condition(workflow.all_handlers_finished)
        self._refuse_what_was_refused(self._work)
        report = await self._report()
        if cancelled is not None:
            raise cancelled
        return report

    # -- the story

    async def _rehearse(self) -> None:
        self._show()
        drill = self.drill = await self._prepared()
        await self._inspect(drill)
        if self.order.resolved_mode is Mode.TABLETOP:
            return
        async with Reserved(self.spec.fleet), Leased(self._lease(drill)) as lease:
            try:
                await asyncio.wait_for(self._recover(drill), self.spec.limits.time.total_seconds())
            except (FailureError, TimeoutError, asyncio.CancelledError) as error:
                self._tell(error)
            await self._tear_down(drill)
        self.residue = tuple(str(left) for left in lease.residue)
        self.removed += len(lease.removed)
        if lease.problem:
            self.obligations.append(lease.problem)

    async def _prepared(self) -> Drill:
        """Resolve every input. Whatever is wrong is said here, with nothing made."""
        limits = self.spec.limits
        preparation = DrillPreparation(
            order=self.order,
            run=self.run_name,
            at=workflow.now(),
            expires_at=workflow.now() + limits.time + limits.halt_time + _MARGIN,
        )
        drill = await workflow.execute_activity_method(Drills.prepare_drill, preparation, **SLOW)
        self.findings += [Finding(what=warning) for warning in drill.warnings]
        return drill

    async def _inspect(self, drill: Drill) -> None:
        request = DrillInspection(drill=drill, at=workflow.now())
        self.preflight = await workflow.execute_activity_method(Drills.inspect_drill, request, **SLOW)
        self.findings += self.preflight.findings
        blocking = self.preflight.blocking
        if blocking and self.order.resolved_mode is Mode.DRILL:
            raise refused("; ".join(f"{one.what} ({one.advice})" for one in blocking[:5]))

    async def _recover(self, drill: Drill) -> None:
        steps = steps_of(self.spec)
        self._enter(DrillState.STANDING_BY)
        await self._carry_out(drill, [step for step in steps if step.standing])
        await self._declare()
        watching = [asyncio.create_task(self._watch(drill, service)) for service in drill.services]
        try:
            await self._carry_out(drill, [step for step in steps if not step.standing])
            await asyncio.gather(*watching)
        except (FailureError, asyncio.CancelledError):
            await cancelled_all(watching)
            raise
        await self._validate(drill)
        await self._measure(drill)

    async def _declare(self) -> None:
        """Ask the witness, whose clock it is, when disaster was declared; it seals the ledgers as of then."""
        ledgers = tuple(dict.fromkeys(store.ledger for store in self.spec.stores if store.ledger))
        declared = await workflow.execute_activity_method(
            Witness.declare_disaster,
            Declaration(run=self.run_name, ledgers=ledgers),
            **on_queue(QUICK, WITNESS_QUEUE),
        )
        self.declared_at, self.declared_ledgers = declared.at, declared.ledgers
        self._enter(DrillState.RECOVERING)

    async def _watch(self, drill: Drill, service: ResolvedService) -> None:
        """Let the witness watch; what it could not see is a finding, and proves nothing."""
        spec = next(one for one in self.spec.services if one.name == service.name)
        limit = min(self.spec.limits.time, self.spec.objectives.rto + spec.start_time_limit)
        watch = Watch(
            run=self.run_name,
            service=service.name,
            host=service.address,
            port=service.port,
            readiness=spec.readiness,
            probing=self.spec.probing,
            declared_at=self.declared_at or workflow.now(),
            time_limit=limit,
        )
        options = within(on_queue(LONG, WITNESS_QUEUE), limit + _MARGIN)
        try:
            self.observations[service.name] = await workflow.execute_activity_method(
                Witness.watch_recovery, watch, activity_id=f"watch {service.name}", **options
            )
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            self.findings.append(Finding(what=f"{service.name} was not watched: {root_cause(error)}"))
        self._show()

    async def _validate(self, drill: Drill) -> None:
        self._enter(DrillState.VALIDATING)
        made = self._made()
        checks = [
            self._check(ValidationRequest(drill=drill, validation=one, made=made))
            for one in self.spec.validations
        ]
        probe = self._probe_isolation(IsolationProbe(drill=drill, made=made))
        self.isolation, self.validations = await asyncio.gather(probe, asyncio.gather(*checks))

    async def _check(self, request: ValidationRequest) -> CheckResult:
        validation = request.validation
        options = within(SLOW, validation.time_limit + timedelta(minutes=1), ATTEMPTS)
        try:
            return await workflow.execute_activity_method(Drills.validate_recovery, request, **options)
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            reason = f"could not be carried out: {root_cause(error)}"
            return CheckResult(
                name=validation.name, type=validation.type, passed=False, proven=False, reason=reason
            )

    async def _probe_isolation(self, probe: IsolationProbe) -> IsolationResult:
        try:
            return await workflow.execute_activity_method(
                Drills.probe_isolation, probe, **within(SLOW, timedelta(minutes=5), ATTEMPTS)
            )
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            return IsolationResult(problem=root_cause(error))

    async def _measure(self, drill: Drill) -> None:
        """Hold each ledger against the recovered store."""
        self._enter(DrillState.MEASURING)
        sealed = {ledger.name: ledger for ledger in self.declared_ledgers}
        for store in self.spec.stores:
            if store.ledger:
                self.losses.append(await self._loss(drill, store, sealed[store.ledger]))

    async def _loss(self, drill: Drill, store: AnyStore, sealed: SealedLedger) -> DataLoss:
        made = self._made().get(f"{StepKind.RESTORE} {store.name}", {})
        problem = sealed.problem or ("" if made else f"{store.name} was not restored")
        if problem or sealed.digest is None or self.declared_at is None:
            return _unknown(store, problem or "its ledger was not sealed")
        asked = not self.spec.recovery_point.latest
        request = Reconciliation(
            run=self.run_name,
            store=store.name,
            ledger=sealed.name,
            sealed=sealed.digest,
            as_of=(asked and drill.store(store.name).point) or self.declared_at,
            host=made["host"],
            port=int(made["port"]),
            database=store.database,
            user=store.user,
            password=store.password,
        )
        options = on_queue(within(SLOW, timedelta(minutes=15), ATTEMPTS), WITNESS_QUEUE)
        try:
            return await workflow.execute_activity_method(Witness.reconcile_ledger, request, **options)
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            return _unknown(store, root_cause(error))

    # -- its end

    def _tell(self, error: BaseException) -> None:
        """Keep why the recovery ended early: the verdicts say the rest."""
        if self.aborted:
            return
        limit = format_duration(self.spec.limits.time)
        # Nobody aborted it: only its time limit cancels it, and an activity may be the one that says so.
        late = isinstance(error, TimeoutError) or is_cancelled_exception(error)
        said = f"took longer than limits.time, {limit}" if late else root_cause(error)
        self.findings.append(Finding(what=f"the recovery ended early: {said}"))
        for name, progress in self.steps.items():
            if progress.state is StepState.RUNNING:
                self._note(name, state=StepState.FAILED, ended_at=workflow.now(), reason=said)

    async def _tear_down(self, drill: Drill) -> None:
        """Take away what lies on the worker's host; all else is the janitor's, when the lease closes."""
        self._enter(DrillState.TEARING_DOWN, self.aborted)
        try:
            discarded = await workflow.execute_activity_method(Drills.discard_drill, drill, **UNDO)
        except ActivityError as error:
            self.obligations.append(f"discard_drill gave up: {root_cause(error)}")
        else:
            self.removed += len(discarded)

    def _refuse_what_was_refused(self, work: asyncio.Task[None]) -> None:
        """Fail a drill that could not begin; one that began has a report, whatever it says."""
        error = None if work.cancelled() else work.exception()
        if error is None or self.aborted:
            return
        if isinstance(error, FailureError):
            self._enter(DrillState.REFUSED, root_cause(error))
            raise refused(root_cause(error)) from error
        raise error

    async def _report(self) -> DrillReport:
        status = self.verdict = concluded(self.status())
        end = DrillState.ABORTED if self.aborted else _ENDS[status.overall or Verdict.NOT_PROVEN]
        said = status.judgement.words if status.judgement else ""
        report = DrillReport(
            status=status.model_copy(update={"state": end, "reason": self.aborted or said}),
            ended_at=workflow.now(),
        )
        kept = StoredReport(plan=status.plan, run=status.run, content=canonical(report).decode())
        try:
            await workflow.execute_activity_method(Drills.store_report, kept, **UNDO)
        except ActivityError as error:
            workflow.logger.error("the report was not kept: %s", root_cause(error))
        self._enter(end, self.aborted or said)
        count_obligations(self.obligations)
        return report

    def _lease(self, drill: Drill) -> LeaseOrder:
        info = workflow.info()
        containers = any(isinstance(service, ContainerService) for service in self.spec.services)
        return LeaseOrder(
            sweep=Sweep(run=self.run_name, regions=(drill.region,), docker=containers),
            owner=Owner(workflow=info.workflow_id, run=info.first_execution_run_id),
        )


def _unknown(store: AnyStore, problem: str) -> DataLoss:
    return DataLoss(
        store=store.name, ledger=store.ledger or "", acknowledged=0, recovered=0, lost=0, problem=problem
    )
