"""The worker under measurement, in a process of its own so that its memory is its own."""

import asyncio
import sys

from memory_fleet import MemoryFleet
from raw import RawCampaign, RawShard, no_op
from temporalio import activity

from steadfleet_durable import build_worker, connect, exit_now, register
from steadfleet_durable.settings import WorkerSettings
from steadfleet_ports.reservation import Claim, Grant, Reservations
from steadfleet_workflows.campaign import PatchCampaign
from steadfleet_workflows.shard import PatchShard
from steadfleet_workflows.wave import PatchWave

TASK_QUEUE = "benchmark"


class GrantsAll(Reservations):
    """No reservation: campaigns are measured, not their exclusion."""

    @activity.defn
    async def reserve_fleet(self, claim: Claim) -> Grant:
        return Grant(granted=True)

    @activity.defn
    async def release_fleet(self, claim: Claim) -> None: ...


async def main() -> None:
    worker = build_worker(
        await connect(),
        task_queue=TASK_QUEUE,
        workflows=[PatchCampaign, PatchWave, PatchShard, RawCampaign, RawShard],
        activities=[*register(MemoryFleet()), *register(GrantsAll()), no_op],
        settings=WorkerSettings(max_concurrent_activities=200),
    )
    async with worker:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)  # until the benchmark closes it


if __name__ == "__main__":
    asyncio.run(main())
    exit_now(0)
