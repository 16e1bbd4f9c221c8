"""The engine alone: one activity a host with the same concurrency, and nothing else."""

import asyncio

from temporalio import activity, workflow

from steadfleet_durable import Heartbeat
from steadfleet_durable.options import LONG


@activity.defn
async def no_op(host_time: float) -> None:
    await asyncio.sleep(host_time)


@activity.defn
async def beat_on(seconds: float) -> None:
    async with Heartbeat():
        await asyncio.sleep(seconds)


@workflow.defn
class Beating:
    """Run one activity that beats as a host's does."""

    @workflow.run
    async def run(self, seconds: float) -> None:
        await workflow.execute_activity(beat_on, seconds, **LONG)


@workflow.defn
class RawShard:
    """Run `count` activities, `at_once` in flight."""

    @workflow.run
    async def run(self, count: int, at_once: int, host_time: float) -> None:
        slots = asyncio.Semaphore(at_once)

        async def one() -> None:
            async with slots:
                await workflow.execute_activity(no_op, host_time, **LONG)

        await asyncio.gather(*(one() for _ in range(count)))


@workflow.defn
class RawCampaign:
    """Run shards of 500 one after another, as a strict wave does."""

    @workflow.run
    async def run(self, count: int, at_once: int, host_time: float) -> None:
        for start in range(0, count, 500):
            await workflow.execute_child_workflow(
                RawShard.run,
                args=[min(500, count - start), at_once, host_time],
                id=f"{workflow.info().workflow_id}/{start}",
            )
