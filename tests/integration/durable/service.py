"""A service as ours are, run by the tests as a process of its own."""

import asyncio
from datetime import timedelta

from temporalio import activity, workflow

from steadfleet_durable import Heartbeat, get_logger, run_service, serve

TASK_QUEUE = "service"


@activity.defn
async def work_for(seconds: float) -> int:
    """Return the attempt; the first one can be cut off, the next is at once done."""
    attempt = activity.info().attempt
    async with Heartbeat():
        await asyncio.sleep(seconds if attempt == 1 else 0)
    return attempt


@workflow.defn
class OneActivity:
    @workflow.run
    async def run(self, seconds: float) -> int:
        return await workflow.execute_activity(
            work_for,
            seconds,
            start_to_close_timeout=timedelta(minutes=5),
            heartbeat_timeout=timedelta(seconds=30),
        )


@workflow.defn
class WaitsForSignal:
    """Tells which build finishes it."""

    def __init__(self) -> None:
        self._go = False

    @workflow.run
    async def run(self) -> str:
        await workflow.wait_condition(lambda: self._go)
        get_logger("service").info("finishing")
        version = workflow.info().get_current_deployment_version()
        return version.build_id if version else "unversioned"

    @workflow.signal
    def go(self) -> None:
        self._go = True


if __name__ == "__main__":
    run_service(
        serve(
            "test-service",
            task_queue=TASK_QUEUE,
            workflows=[OneActivity, WaitsForSignal],
            activities=[work_for],
        )
    )
