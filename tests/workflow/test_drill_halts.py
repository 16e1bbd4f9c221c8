"""A halt of a drill ends when all is decided, and takes nobody's time but that of what failed."""

import gc

from temporalio.client import WorkflowExecutionStatus
from temporalio.testing import WorkflowEnvironment

from fakes.drills import DrillWorld, drill_plan, drill_workers, start_drill
from fakes.worker import decide, until
from steadfleet_core.campaign.lifecycle import Request
from steadfleet_core.drill.report import DrillState
from steadfleet_core.drill.steps import StepState
from steadfleet_workflows.drill import DrDrill
from steadfleet_workflows.drill_shown import StepRequested


async def test_a_drill_whose_failed_step_is_retried_is_no_longer_halted(
    time_skipping: WorkflowEnvironment,
) -> None:
    world = DrillWorld(failures={"restore orders": 1}, hanging={"start web"})
    async with drill_workers(time_skipping, world):
        drill = await start_drill(time_skipping)

        async def is_in(state: DrillState) -> bool:
            return (await drill.query(DrDrill.status)).state is state

        await until(lambda: is_in(DrillState.HALTED))
        await decide(drill, DrDrill.retry, StepRequested(by="bob"))
        await until(lambda: is_in(DrillState.RECOVERING))
        await until(lambda: "start web" in world.calls)
        await decide(drill, DrDrill.abort, Request(by="bob", reason="over"), running=1)
        await drill.result()


async def test_a_step_that_is_given_up_ends_the_others_without_asking_for_each(
    time_skipping: WorkflowEnvironment,
) -> None:
    (orders,) = drill_plan().spec.stores
    carts = orders.model_copy(update={"name": "carts", "ledger": None})
    stores = [one.model_dump(by_alias=True) for one in (orders, carts)]
    world = DrillWorld(failures={"restore orders": 9}, hanging={"restore carts"})
    async with drill_workers(time_skipping, world):
        # A second, as time is not skipped while something hangs.
        drill = await start_drill(time_skipping, stores=stores, limits={"haltTime": "1s"})
        status = (await drill.result()).status

    steps = {one.step.name: one for one in status.steps}
    assert status.state is DrillState.FAILED
    assert steps["restore carts"].state is StepState.FAILED
    assert "restore orders" in steps["restore carts"].reason, "it was ended, it did not fail by itself"


async def test_a_worker_that_leaves_a_drill_under_way_makes_no_noise(
    time_skipping: WorkflowEnvironment,
) -> None:
    async with drill_workers(time_skipping, DrillWorld(hanging={"restore orders"})):
        drill = await start_drill(time_skipping)

        async def recovering() -> bool:
            return (await drill.query(DrDrill.status)).state is DrillState.RECOVERING

        await until(recovering)

    gc.collect()  # a coroutine that awaits while it is thrown away is told here, as an error
    assert (await drill.describe()).status is WorkflowExecutionStatus.RUNNING
