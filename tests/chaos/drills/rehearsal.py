"""A drill under way, and short words for what a test does with it."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta

from temporalio.client import WorkflowFailureError, WorkflowHandle
from temporalio.service import RPCError

from steadfleet_core.campaign.lifecycle import Request
from steadfleet_core.drill.report import DrillReport, DrillStatus
from steadfleet_core.drill.verdict import Verdict
from steadfleet_workflows.drill import DrDrill

ENDED_WITHIN = timedelta(minutes=4)


@dataclass
class Rehearsal:
    """A drill under way; `since` is the number of the cloud's last entry before it."""

    handle: WorkflowHandle[DrDrill, DrillReport]
    run: str
    since: int

    async def abort(self) -> None:
        await self.handle.execute_update(DrDrill.abort, Request(by="chaos", reason="enough"))

    async def report(self) -> DrillStatus:
        """Await the end through however many deaths of the engine."""
        async with asyncio.timeout(ENDED_WITHIN.total_seconds()):
            while True:
                try:
                    return (await self.handle.result()).status
                except RPCError:
                    await asyncio.sleep(0.2)

    async def failed(self) -> str:
        """Await the end of a drill that has no report: why it has none."""
        try:
            status = await self.report()
        except WorkflowFailureError as error:
            return type(error.cause).__name__
        raise AssertionError(f"it ended with a report: {status.state}")


def proven(status: DrillStatus) -> dict[str, Verdict]:
    assert status.judgement is not None
    judged = status.judgement
    named = {
        "recovery": judged.recovery,
        "data": judged.data,
        "clean-up": judged.cleanup,
        "isolation": judged.isolation,
    }
    return {name: one.verdict for name, one in named.items()}
