"""An activity whose result is over the engine's limit."""

from temporalio import activity, workflow

from steadfleet_durable import QUICK

attempts: list[int] = []


@activity.defn
async def large() -> str:
    attempts.append(activity.info().attempt)
    return "x" * 3_000_000


@workflow.defn
class Large:
    @workflow.run
    async def run(self) -> str:
        return await workflow.execute_activity(large, **QUICK)
