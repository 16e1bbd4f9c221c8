"""The worker under measurement, in a process of its own so that its memory is its own."""

import asyncio
import sys
from datetime import UTC, datetime, timedelta

from memory_fleet import MemoryFleet
from raw import Beating, RawCampaign, RawShard, beat_on, no_op
from temporalio import activity

from steadfleet_durable import build_worker, connect, exit_now, register
from steadfleet_durable.settings import WorkerSettings
from steadfleet_ports.lease import LeaseOrder, Leases, LeaseState, LeaseStatus, Residue
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


class LeasesForEver(Leases):
    """No janitor: campaigns are measured, not what clears up after them."""

    @activity.defn
    async def open_lease(self, order: LeaseOrder) -> LeaseStatus:
        term = timedelta(days=1)
        return LeaseStatus(
            run=order.sweep.run,
            owner=order.owner,
            term=term,
            expires_at=datetime.now(UTC) + term,
            state=LeaseState.HELD,
        )

    @activity.defn
    async def close_lease(self, order: LeaseOrder) -> Residue:
        return Residue()


async def main() -> None:
    worker = build_worker(
        await connect(),
        task_queue=TASK_QUEUE,
        workflows=[PatchCampaign, PatchWave, PatchShard, RawCampaign, RawShard, Beating],
        activities=[
            *register(MemoryFleet()),
            *register(GrantsAll()),
            *register(LeasesForEver()),
            no_op,
            beat_on,
        ],
        settings=WorkerSettings(max_concurrent_activities=200),
    )
    async with worker:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)  # until the benchmark closes it


if __name__ == "__main__":
    asyncio.run(main())
    exit_now(0)
