"""What was decided upon a campaign, carried out: waves, halts, abort and rollback."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError, ChildWorkflowError
from temporalio.workflow import ParentClosePolicy

from steadfleet_core.campaign.book import masked, waves_of
from steadfleet_core.campaign.lifecycle import State, Verb
from steadfleet_core.campaign.plan import Plan, PlannedWave
from steadfleet_core.campaign.policy import RollbackScope
from steadfleet_core.campaign.wave import Direction, Steering, WaveOrder, WaveProgress, WaveReport
from steadfleet_core.fleet import HostState
from steadfleet_core.model import at_most
from steadfleet_workflows.hosts import root_cause
from steadfleet_workflows.shown import Shown
from steadfleet_workflows.steering import steer_child
from steadfleet_workflows.wave import PatchWave

_Result = TypeVar("_Result")


class EndedError(Exception):
    """Leaves the story from wherever it stands; the state is how the campaign closes."""

    def __init__(self, state: State) -> None:
        super().__init__(state)
        self.state = state


class Decisions(Shown):
    """Sends waves out, either way, and does what people and bad news demand."""

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
            failed=self.book.failed_before(wave.number) if direction is Direction.CHANGE else 0,
            states=states,
            # A host that is lost elsewhere must not keep this wave on a bad image.
            unrestored=self.book.unrestored(besides=wave.number) if direction is Direction.CHANGE else {},
            steering=self.steering,
        )
        self.phase = State.RUNNING if direction is Direction.CHANGE else State.ROLLING_BACK
        self.wave = WaveProgress(
            number=wave.number,
            direction=direction,
            counts=waves_of(self.book)[wave.number].counts,
            started_at=workflow.now(),
        )
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
            self.phase = State.RUNNING if self.phase is State.BAKING else self.phase
        self.book.take_in(report)
        return report

    async def _heed(self) -> None:
        """Wait while paused; then carry out what was decided meanwhile."""
        await workflow.wait_condition(lambda: not self.steering.paused or self.decision is not None)
        decision, self.decision = self.decision, None
        if decision is Verb.REJECT:
            raise EndedError(State.ABORTED)
        if decision is Verb.ABORT:
            await self._restore_failed()
            raise EndedError(State.ABORTED)
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
            raise EndedError(State.ABORTED)
        await self._heed()

    async def _insist(self, what: str, step: Callable[[], Awaitable[_Result]]) -> _Result:
        """Carry out a step whose failure is the platform's or the engine's: a person decides, then again."""
        while True:
            try:
                return await step()
            except (ActivityError, ChildWorkflowError) as error:
                await self._halt(f"{what}: {root_cause(error)}")

    async def _roll_back(self, scope: RollbackScope) -> None:
        """Restore the last wave, or all, last first; then close as rolled back."""
        plan = self.book.plan
        begun = [wave for wave in reversed(plan.waves) if wave.number in self.book.reports] if plan else []
        for wave in begun if scope is RollbackScope.CAMPAIGN else begun[:1]:
            if plan:
                await self._restore_wave(plan, wave, {HostState.CHANGED, HostState.FAILED, HostState.LOST})
        raise EndedError(State.ROLLED_BACK)

    async def _restore_failed(self) -> None:
        """Leave no failed host behind; hosts done stay, and a lost one was tried already."""
        waves = self.book.plan.waves if self.book.plan else ()
        for wave in reversed(waves):
            report = self.book.reports.get(wave.number)
            if self.book.plan and report and report.letters(HostState.FAILED):
                await self._restore_wave(self.book.plan, wave, {HostState.FAILED})

    async def _restore_wave(self, plan: Plan, wave: PlannedWave, which: set[HostState]) -> None:
        """Restore a wave's hosts; when its own stop rule ends it early, a person decides."""
        while True:
            self.phase = State.ROLLING_BACK
            states = tuple(masked(shard, which) for shard in self.book.reports[wave.number].states)
            if not any(letter != HostState.UNTOUCHED for shard in states for letter in shard):
                return
            await self._restore_once(plan, wave, states)
            left = sum(self.book.reports[wave.number].letters(state) for state in which)
            lost = self.book.reports[wave.number].letters(HostState.LOST) if HostState.LOST in which else 0
            if left == lost <= at_most(self.spec.failure_tolerance.hosts, wave.hosts):
                return
            await self._halt(f"the rollback of wave {wave.number} stopped: {left} hosts are not restored")

    async def _restore_once(self, plan: Plan, wave: PlannedWave, states: tuple[str, ...]) -> None:
        attempt = self.book.attempts.get(wave.number, 1)
        await self._insist(
            f"rollback of wave {wave.number}",
            lambda: self._conduct_wave(plan, wave, Direction.RESTORE, attempt, states),
        )
