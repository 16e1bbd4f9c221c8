"""Up to 500 hosts of one wave: as many at once as budget and tolerance admit."""

import asyncio
from collections import Counter, deque
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, is_cancelled_exception

from steadfleet_core.campaign.budget import Window, limits_of
from steadfleet_core.campaign.counts import tally
from steadfleet_core.campaign.wave import TELLS, Direction, ShardOrder, ShardProgress, ShardReport
from steadfleet_core.fleet import Host, HostFailure, HostOutcome, HostState
from steadfleet_durable.options import QUICK
from steadfleet_ports.fleet import Fleet, ShardRef
from steadfleet_workflows.hosts import restore_host, root_cause, start_change
from steadfleet_workflows.steering import Steered, wind_down

TELL_TIME = timedelta(seconds=1)

# What each direction works on. A change passes over hosts that are changed already.
_WORK = {
    Direction.CHANGE: {HostState.UNTOUCHED, HostState.FAILED},
    Direction.RESTORE: {HostState.CHANGED, HostState.FAILED, HostState.LOST},
}
# Out of service until somebody restores them.
_OUT = {HostState.FAILED, HostState.LOST}


@workflow.defn
class PatchShard(Steered):
    """Change, or restore, the hosts of a shard, never more at once than the limits admit."""

    @workflow.init
    def __init__(self, order: ShardOrder) -> None:
        self.wave = order.wave
        self.steering = order.steering
        restoring = order.wave.direction is Direction.RESTORE
        limits = limits_of(order.wave.spec, order.wave.zones, order.wave.wave.hosts, restoring=restoring)
        self.window = Window(limits, failed=order.failed, unrestored=Counter(order.unrestored))
        self.hosts: tuple[Host, ...] = ()
        self.states: list[HostState] = []
        self.failures: list[HostFailure] = []
        self._running: dict[int, workflow.ActivityHandle[HostOutcome]] = {}
        self._busy = self._done = 0
        self._told: tuple[int, datetime] | None = None

    @workflow.run
    async def run(self, order: ShardOrder) -> ShardReport:
        return await wind_down(self._roll_out(order), on_cancel=self.stop)

    async def _roll_out(self, order: ShardOrder) -> ShardReport:
        await self._load(order)
        telling = asyncio.create_task(self._tell_when_held())
        waiting = self._waiting()
        tasks: list[asyncio.Task[None]] = []
        while waiting and not self._ending:
            await workflow.wait_condition(
                lambda: self._ending or self._idle or self._next(waiting) is not None
            )
            index = self._next(waiting)
            if index is not None and not self._ending:
                self._take(waiting, index)
                tasks.append(asyncio.create_task(self._work_on(index)))
            elif self._idle:  # hosts out of service use up the budget: nothing here will change that
                break
        await asyncio.gather(*tasks)
        telling.cancel()
        await workflow.wait_condition(workflow.all_handlers_finished)
        return self._report()

    async def _load(self, order: ShardOrder) -> None:
        ref = ShardRef(plan=self.wave.plan, wave=self.wave.wave.number, shard=order.shard)
        shard = await workflow.execute_activity_method(Fleet.load_shard, ref, **QUICK)
        self.hosts = shard.hosts
        self.states = [HostState(letter) for letter in order.states or HostState.UNTOUCHED * len(shard.hosts)]
        self.window.unrestored.update(self._unrestored())

    def _waiting(self) -> dict[str, deque[int]]:
        """Queue the hosts to work on by zone, those first that are out of service already."""
        work = _WORK[self.wave.direction]
        waiting: dict[str, deque[int]] = {}
        hosts = [(state not in _OUT, index) for index, state in enumerate(self.states) if state in work]
        for _, index in sorted(hosts):
            waiting.setdefault(self.hosts[index].zone, deque()).append(index)
        return waiting

    @property
    def _ending(self) -> bool:
        return self.steering.stop or not self.window.healthy

    @property
    def _idle(self) -> bool:
        return not (self._busy or self.steering.paused)

    def _next(self, waiting: dict[str, deque[int]]) -> int | None:
        """Return the first waiting host, in plan order, whose zone admits one more."""
        if self.steering.paused:
            return None
        return min(
            (queue[0] for zone, queue in waiting.items() if self._admits(zone, queue[0])), default=None
        )

    def _admits(self, zone: str, index: int) -> bool:
        # A failed host is out of service already: working on it takes no more from the budget.
        return self.window.admits(zone, already_out=self.states[index] in _OUT)

    def _take(self, waiting: dict[str, deque[int]], index: int) -> None:
        zone = self.hosts[index].zone
        waiting[zone].popleft()
        if not waiting[zone]:
            del waiting[zone]
        if self.states[index] in _OUT:
            self.window.restore(zone)  # what it consumes, it now consumes as a host in flight
        self.window.start(zone)
        self.states[index] = HostState.IN_FLIGHT
        self._busy += 1

    async def _work_on(self, index: int) -> None:
        if self.wave.direction is Direction.CHANGE:
            await self._change(index)
        else:
            await self._undo(index)
        self._busy, self._done = self._busy - 1, self._done + 1
        await self._tell()

    async def _change(self, index: int) -> None:
        host = self.hosts[index]
        outcome = await self._act(index)
        if outcome is None:  # aborted in flight
            restored = await restore_host(self.wave, host)
            self.window.succeed(host.zone)
            self._settle(index, restored, "aborted in flight")
        elif outcome.state is HostState.CHANGED:
            self.window.succeed(host.zone)
            self.states[index] = HostState.CHANGED
        elif outcome.state is HostState.UNTOUCHED:
            self.window.succeed(host.zone)
            self.states[index] = HostState.GONE
            workflow.logger.warning("%s is left alone: %s", host.id, outcome.reason)
        else:
            self.window.fail(host.zone)
            await self._fail(index, outcome)

    async def _act(self, index: int) -> HostOutcome | None:
        """Change the host; None when an abort cancelled the change."""
        host = self.hosts[index]
        handle = self._running[index] = start_change(self.wave, host)
        try:
            return await handle
        except ActivityError as error:
            if is_cancelled_exception(error):
                return None
            return HostOutcome(host=host.id, state=HostState.FAILED, reason=root_cause(error))
        finally:
            del self._running[index]

    async def _fail(self, index: int, outcome: HostOutcome) -> None:
        host = self.hosts[index]
        if not (self.wave.spec.rollback.automatic or self.steering.stop):
            self.states[index] = HostState.FAILED
            self._note(host, outcome.reason, restored=False)
            return
        restored = await restore_host(self.wave, host)
        if restored.state is HostState.LOST:
            self._settle(index, restored, outcome.reason)
        else:
            self.window.restore(host.zone)
            self.states[index] = HostState.RESTORED
            self._note(host, outcome.reason, restored=True)

    async def _undo(self, index: int) -> None:
        """Restore a host for a rollback; its failure is a lost host, and counts for the stop rule."""
        host = self.hosts[index]
        outcome = await restore_host(self.wave, host)
        if outcome.state is HostState.LOST:
            self.window.fail(host.zone)
        else:
            self.window.succeed(host.zone)
        if outcome.state is HostState.UNTOUCHED:  # nothing of ours was left: its before serves
            outcome = outcome.model_copy(update={"state": HostState.RESTORED})
        self._settle(index, outcome, "rolled back")

    def _settle(self, index: int, outcome: HostOutcome, what: str) -> None:
        self.states[index] = outcome.state
        if outcome.state is HostState.LOST:
            self._note(self.hosts[index], f"{what}; its restore failed: {outcome.reason}", restored=False)

    def _note(self, host: Host, reason: str, *, restored: bool) -> None:
        number = self.wave.wave.number
        self.failures.append(
            HostFailure(host=host.id, zone=host.zone, wave=number, reason=reason, restored=restored)
        )

    def on_stop(self) -> None:
        """Cancel what is being changed: each host is then restored. A restore is never cancelled."""
        for handle in self._running.values():
            handle.cancel()

    async def _tell_when_held(self) -> None:
        told = 0
        while True:
            await workflow.wait_condition(lambda: self._held > told)
            told = self._held
            await self._send()

    @property
    def _held(self) -> int:
        """The number of the pause under which nothing is in flight; 0 while something is, or may start."""
        return self.steering.number if self.steering.paused and not self._busy else 0

    async def _tell(self) -> None:
        """Tell the wave, but not of every host of a large shard."""
        count, at = self._told or (-len(self.states), workflow.now() - TELL_TIME)
        if (self._done - count) * TELLS >= len(self.states) and workflow.now() - at >= TELL_TIME:
            self._told = (self._done, workflow.now())
            await self._send()

    async def _send(self) -> None:
        parent = workflow.info().parent
        if parent is None:
            return
        progress = ShardProgress(
            counts=tally(["".join(self.states)], failed=self.window.failed), held=self._held
        )
        try:
            await workflow.get_external_workflow_handle(parent.workflow_id).signal("shard_progress", progress)
        except ApplicationError:
            workflow.logger.warning("the wave is gone; nobody hears the progress")

    def _report(self) -> ShardReport:
        return ShardReport(
            states="".join(self.states),
            failed=self.window.failed,
            failures=tuple(self.failures),
            unrestored=dict(sorted(self._unrestored().items())),
        )

    def _unrestored(self) -> Counter[str]:
        """Count by zone this shard's hosts that are out of service until somebody restores them."""
        return Counter(
            host.zone for host, state in zip(self.hosts, self.states, strict=True) if state in _OUT
        )
