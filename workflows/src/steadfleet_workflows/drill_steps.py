"""The steps of a drill: each as soon as what it needs is done; one that fails waits for a person."""

import asyncio
from collections.abc import Collection, Iterable
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, FailureError, is_cancelled_exception

from steadfleet_core.drill.order import Drill
from steadfleet_core.drill.report import DrillState
from steadfleet_core.drill.steps import Step, StepKind, StepState
from steadfleet_durable.options import LONG, within
from steadfleet_ports.drill import Drills, Made, StepRequest
from steadfleet_workflows.drill_shown import DrillShown
from steadfleet_workflows.hosts import root_cause

_METHODS = {
    StepKind.ISOLATE: Drills.isolate_drill,
    StepKind.REPLICATE: Drills.replicate_store,
    StepKind.RESTORE: Drills.restore_store,
    StepKind.PROVISION: Drills.provision_service,
    StepKind.START: Drills.start_service,
}
_NETWORK_LIMIT = timedelta(minutes=15)
ATTEMPTS = 3
"""Of a step, by itself: then it waits for a person, as the clock runs."""


class StepGivenUpError(ApplicationError):
    """A step failed, and nobody decided otherwise in time."""

    def __init__(self, step: str, reason: str) -> None:
        super().__init__(f"{step}: {reason}", type="StepGivenUpError", non_retryable=True)


class DrillSteps(DrillShown):
    """Carries out the steps, side by side where they do not need one another."""

    async def _carry_out(self, drill: Drill, steps: Iterable[Step]) -> None:
        """Run them all; the first that is given up ends the others."""
        tasks: dict[str, asyncio.Task[None]] = {}
        for step in steps:  # in an order where what is needed comes first
            needed = [tasks[name] for name in step.needs if name in tasks]
            tasks[step.name] = asyncio.create_task(self._after(needed, drill, step))
        try:
            await asyncio.gather(*tasks.values())
        except (FailureError, asyncio.CancelledError):  # not an eviction, in which nothing can be awaited
            await cancelled_all(tasks.values())
            raise

    async def _after(self, needed: Iterable[asyncio.Task[None]], drill: Drill, step: Step) -> None:
        await asyncio.gather(*(asyncio.shield(task) for task in needed))
        while self.steps[step.name].state not in {StepState.DONE, StepState.SKIPPED}:
            try:
                await self._attempt(drill, step)
            except ActivityError as error:
                if is_cancelled_exception(error) or self.aborted:
                    raise
                await self._decided(step, root_cause(error))

    async def _attempt(self, drill: Drill, step: Step) -> None:
        before = self.steps[step.name]
        started = before.started_at or workflow.now()
        self._note(
            step.name,
            state=StepState.RUNNING,
            attempts=before.attempts + 1,
            started_at=started,
            reason="",
        )
        request = StepRequest(drill=drill, step=step, made=self._made())
        made: Made = await workflow.execute_activity_method(
            _METHODS[step.kind],
            request,
            activity_id=f"{step.name} {before.attempts + 1}",
            **within(LONG, self._limit(step), ATTEMPTS),
        )
        self._note(step.name, state=StepState.DONE, ended_at=workflow.now(), facts=made.facts)

    async def _decided(self, step: Step, reason: str) -> None:
        """Wait for a person: to try again, to leave it out, or for nobody."""
        self._note(step.name, state=StepState.FAILED, ended_at=workflow.now(), reason=reason)
        self._enter(DrillState.HALTED, f"{step.name}: {reason}; retry, skip or abort")
        try:
            await workflow.wait_condition(
                lambda: step.name in self.decisions, timeout=self.spec.limits.halt_time
            )
        except TimeoutError as error:
            raise StepGivenUpError(step.name, reason) from error
        decision = self.decisions.pop(step.name)
        left_out = decision is StepState.SKIPPED
        self._note(step.name, state=StepState.SKIPPED if left_out else StepState.WAITING)
        if not self.waiting():
            self._enter(self._before_halt())

    def _before_halt(self) -> DrillState:
        return DrillState.RECOVERING if self.declared_at else DrillState.STANDING_BY

    def _made(self) -> dict[str, dict[str, str]]:
        return {name: one.facts for name, one in self.steps.items() if one.state is StepState.DONE}

    def _limit(self, step: Step) -> timedelta:
        if step.kind in {StepKind.RESTORE, StepKind.REPLICATE}:
            return next(one.restore_time_limit for one in self.spec.stores if one.name == step.subject)
        if step.kind is StepKind.ISOLATE:
            return _NETWORK_LIMIT
        return next(one.start_time_limit for one in self.spec.services if one.name == step.subject)


async def cancelled_all(tasks: Collection[asyncio.Task[None]]) -> None:
    """Cancel them, and wait until each has ended, however it does."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
