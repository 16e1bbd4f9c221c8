"""A wave: its hosts, then its bake, then its verdict."""

import asyncio
from collections import Counter
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError
from temporalio.workflow import ParentClosePolicy

from steadfleet_core.campaign.counts import Counts, tally
from steadfleet_core.campaign.forecast import bake_time
from steadfleet_core.campaign.plan import SHARD
from steadfleet_core.campaign.verdict import MISSED_SAMPLES, Sample, Verdict, sample_pause
from steadfleet_core.campaign.wave import (
    MOST_FAILURES,
    Direction,
    ShardOrder,
    ShardProgress,
    WaveOrder,
    WaveProgress,
    WaveReport,
)
from steadfleet_core.fleet import Host, HostFailure, HostState
from steadfleet_core.model import at_most
from steadfleet_durable.options import QUICK, SLOW
from steadfleet_ports.fleet import Fleet, Probe, ShardRef
from steadfleet_workflows.hosts import restore_host
from steadfleet_workflows.shard import PatchShard
from steadfleet_workflows.steering import Steered, steer_child, wind_down


@workflow.defn
class PatchWave(Steered):
    """Change the hosts of one wave, watch them, and judge; or restore them."""

    @workflow.init
    def __init__(self, order: WaveOrder) -> None:
        self.order = order
        self.steering = order.steering
        self.states = list(order.states) or _untouched(order)
        self.failed = order.failed
        self.failures: list[HostFailure] = []
        self.unrestored: dict[int, Counter[str]] = {}
        self.verdict: Verdict | None = None
        self.reason = ""
        changing = order.direction is Direction.CHANGE
        self.progress = WaveProgress(
            number=order.wave.number,
            direction=order.direction,
            bake=bake_time(order.spec, order.wave.number) if changing else timedelta(0),
            started_at=workflow.now(),
        )
        self._shard: ShardProgress | None = None
        self._telling = asyncio.Lock()

    @workflow.run
    async def run(self, order: WaveOrder) -> WaveReport:
        return await wind_down(self._roll_out(order), on_cancel=self.stop)

    @workflow.signal
    async def shard_progress(self, progress: ShardProgress) -> None:
        self._shard = progress
        await self._tell()

    async def _roll_out(self, order: WaveOrder) -> WaveReport:
        for number in range(len(order.wave.shards)):
            if not self._ending:
                await self._run_shard(number)
        self.progress = self.progress.model_copy(update={"changed_at": workflow.now()})
        if self.progress.bake and not (self._ending or self._starved):
            await self._bake()
        self._judge()
        await workflow.wait_condition(workflow.all_handlers_finished)
        return self._report()

    @property
    def _ending(self) -> bool:
        return self.steering.stop or self.failed > self._tolerance

    @property
    def _starved(self) -> int:
        """Count the hosts that no budget was left for: others are out of service until restored."""
        return sum(shard.count(HostState.UNTOUCHED) for shard in self.states)

    @property
    def _tolerance(self) -> int:
        return at_most(self.order.spec.failure_tolerance.hosts, self.order.wave.hosts)

    async def _run_shard(self, number: int) -> None:
        order = ShardOrder(
            wave=self.order.model_copy(update={"states": ()}),
            shard=number,
            failed=self.failed,
            states=self.states[number],
            unrestored=dict(Counter(self.order.unrestored) + self._unrestored(besides=number)),
            steering=self.steering,
        )
        shard = await workflow.start_child_workflow(
            PatchShard.run, order, id=order.workflow_id, parent_close_policy=ParentClosePolicy.REQUEST_CANCEL
        )
        report = await steer_child(shard, order.steering, lambda: self.steering)
        self._shard = None
        self.states[number] = report.states
        self.failed = report.failed
        self.unrestored[number] = Counter(report.unrestored)
        self.failures += report.failures
        await self._tell()

    async def _bake(self) -> None:
        """Watch the changed hosts until they were seen healthy for the bake time, not counting pauses.

        Time counts only when the look at its end found every host healthy.
        """
        self.progress = self.progress.model_copy(update={"baking": True})
        await self._tell()
        taken = missed = 0
        while self.progress.baked < self.progress.bake and not self._ending:
            watched = await self._watch(taken, missed)
            if self._ending:
                return
            sample = await self._sample()
            taken, missed = taken + 1, missed + 1 if sample.unknown else 0
            if missed >= MISSED_SAMPLES:
                self.verdict, self.reason = Verdict.INCONCLUSIVE, _unseen(sample)
                return
            if not (sample.unknown or sample.unhealthy):
                self._credit(watched)
            await self._take_in(sample)
            await self._tell()
            if self.steering.advance and not sample.unknown:
                return

    async def _watch(self, taken: int, missed: int) -> timedelta:
        """Wait until the next sample is due, not counting pauses; return how long was watched."""
        remaining = self.progress.bake - self.progress.baked
        due = min(sample_pause(self.progress.bake, self.order.spec.bake.interval, taken), remaining)
        watched = timedelta(0)
        while watched < due and not self._ending:
            await self._hold()
            watched += await self._wait(due - watched, missed)
            if self.steering.advance and not (missed or self.steering.paused):
                break
        return watched

    async def _wait(self, due: timedelta, missed: int) -> timedelta:
        """Wait until `due`, or until somebody pauses, ends or advances; hosts unseen are not advanced."""
        began = workflow.now()
        try:
            await workflow.wait_condition(
                lambda: self.steering.paused or self._ending or (self.steering.advance and not missed),
                timeout=due,
                timeout_summary=f"bake of wave {self.order.wave.number}",
            )
        except TimeoutError:
            return due
        return workflow.now() - began

    async def _hold(self) -> None:
        if self.steering.paused:
            await self._tell()
        await workflow.wait_condition(lambda: not self.steering.paused or self.steering.stop)

    def _credit(self, watched: timedelta) -> None:
        self.progress = self.progress.model_copy(update={"baked": self.progress.baked + watched})

    async def _sample(self) -> Sample:
        """Look at every changed host; what cannot be looked at is unknown, never healthy."""
        samples = await asyncio.gather(*(self._probe(number) for number in range(len(self.states))))
        shifted = [(number * SHARD, sample) for number, sample in enumerate(samples) if sample]
        return Sample(
            healthy=sum(sample.healthy for _, sample in shifted),
            unhealthy=tuple(offset + index for offset, sample in shifted for index in sample.unhealthy),
            unknown=tuple(offset + index for offset, sample in shifted for index in sample.unknown),
            reasons={
                offset + index: why for offset, sample in shifted for index, why in sample.reasons.items()
            },
        )

    async def _probe(self, number: int) -> Sample | None:
        changed = tuple(i for i, letter in enumerate(self.states[number]) if letter == HostState.CHANGED)
        if not changed:
            return None
        probe = Probe(
            shard=ShardRef(plan=self.order.plan, wave=self.order.wave.number, shard=number),
            indexes=changed,
            campaign=self.order.campaign,
            checks=self.order.spec.health_checks,
        )
        try:
            return await workflow.execute_activity_method(Fleet.probe_hosts, probe, **SLOW)
        except ActivityError as error:
            return Sample(
                healthy=0, unknown=changed, reasons=dict.fromkeys(changed, str(error.cause or error))
            )

    async def _take_in(self, sample: Sample) -> None:
        """Count hosts that fell ill after their change; within the tolerance restore them at once.

        Beyond it the campaign decides what becomes of the whole wave.
        """
        if not sample.unhealthy:
            return
        self.failed += len(sample.unhealthy)
        for number, indexes in self._by_shard(sample.unhealthy).items():
            ref = ShardRef(plan=self.order.plan, wave=self.order.wave.number, shard=number)
            shard = await workflow.execute_activity_method(Fleet.load_shard, ref, **QUICK)
            for position, index in indexes:
                reason = f"fell ill while baking: {sample.reasons.get(position, 'unhealthy')}"
                await self._take_out(shard.hosts[index], number, index, reason)
        self.reason = self.failures[-1].reason

    async def _take_out(self, host: Host, number: int, index: int, reason: str) -> None:
        out = self.unrestored.setdefault(number, Counter())
        out[host.zone] += 1
        letter = HostState.FAILED
        if self.order.spec.rollback.automatic and not self._ending:
            letter = (await restore_host(self.order, host)).state
        restored = letter is HostState.RESTORED
        if restored:
            out[host.zone] -= 1
        states = self.states[number]
        self.states[number] = states[:index] + letter + states[index + 1 :]
        wave = self.order.wave.number
        self.failures.append(
            HostFailure(host=host.id, zone=host.zone, wave=wave, reason=reason, restored=restored)
        )

    def _by_shard(self, positions: tuple[int, ...]) -> dict[int, list[tuple[int, int]]]:
        """Group positions in the wave by shard, each with its index there."""
        shards: dict[int, list[tuple[int, int]]] = {}
        for position in positions:
            number, index = divmod(position, SHARD)
            shards.setdefault(number, []).append((position, index))
        return shards

    def _unrestored(self, besides: int | None = None) -> Counter[str]:
        """Count by zone this wave's hosts that are out of service until somebody restores them."""
        return sum((out for number, out in self.unrestored.items() if number != besides), Counter[str]())

    def _judge(self) -> None:
        ended = {"baking": False, "ended_at": workflow.now()}
        self.progress = self.progress.model_copy(update=ended)
        if self.order.direction is Direction.RESTORE or self.steering.stop:
            return
        if self.failed > self._tolerance:
            self.verdict = Verdict.UNHEALTHY
        elif self._starved:
            self.verdict, self.reason = Verdict.UNHEALTHY, _no_budget(self._starved)
        elif self.verdict is None:
            self.verdict = Verdict.HEALTHY

    async def _tell(self) -> None:
        parent = workflow.info().parent
        if parent is None:
            return
        campaign = workflow.get_external_workflow_handle(parent.workflow_id)
        async with self._telling:  # in order
            try:
                await campaign.signal("wave_progress", self._progress())
            except ApplicationError:
                workflow.logger.warning("the campaign is gone; nobody hears the progress")

    def _progress(self) -> WaveProgress:
        resting = self.progress.baking and self.steering.paused
        held = self._shard.held if self._shard else (self.steering.number if resting else 0)
        return self.progress.model_copy(
            update={"counts": self._counts(), "verdict": self.verdict, "held": held}
        )

    def _counts(self) -> Counts:
        if self._shard is None:
            return tally(self.states, failed=self.failed)
        return self._shard.counts

    def _report(self) -> WaveReport:
        return WaveReport(
            progress=self._progress(),
            states=tuple(self.states),
            failures=tuple(self.failures[:MOST_FAILURES]),
            unrestored=dict(sorted(self._unrestored().items())),
            reason=self.reason or (self.failures[0].reason if self.failures else ""),
            stopped=self.steering.stop,
        )


def _untouched(order: WaveOrder) -> list[str]:
    return [HostState.UNTOUCHED * size for size in order.wave.sizes]


def _no_budget(hosts: int) -> str:
    return f"no disruption budget is left for {hosts} hosts: those out of service must be restored first"


def _unseen(sample: Sample) -> str:
    some = next(iter(sample.reasons.values()), "no answer")
    return f"{len(sample.unknown)} hosts could not be seen {MISSED_SAMPLES} times in a row: {some}"
