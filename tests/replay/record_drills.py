"""Record histories of drills: `PYTHONPATH=tests python -m replay.record_drills NAME…`."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from replay.record import HISTORIES, scrubbed
from temporalio.client import WorkflowFailureError, WorkflowHandle
from temporalio.testing import WorkflowEnvironment

from fakes.drills import DrillWorld, drill_order, drill_workers, start_drill
from fakes.worker import until
from steadfleet_core.campaign.lifecycle import Request
from steadfleet_core.drill.order import QUEUE
from steadfleet_core.drill.report import DrillReport, DrillState
from steadfleet_durable import data_converter
from steadfleet_workflows.drill import DrDrill
from steadfleet_workflows.drill_inspection import DrillPreflight
from steadfleet_workflows.drill_shown import StepRequested

DRILLS = HISTORIES / "drills"
DRILL, PREFLIGHT = "drill", "drill-preflight/shop"
Drilling = WorkflowHandle[DrDrill, DrillReport]


async def _untouched(drill: Drilling, world: DrillWorld) -> None: ...


async def _abort(drill: Drilling, world: DrillWorld) -> None:
    await until(lambda: "restore orders" in world.calls)
    await drill.execute_update(DrDrill.abort, Request(by="bob"))


async def _retry_and_skip(drill: Drilling, world: DrillWorld) -> None:
    for verb, request in (
        (DrDrill.retry, StepRequested(by="bob")),
        (DrDrill.skip, StepRequested(by="bob", reason="the old one stands")),
    ):
        await until(lambda: _halted(drill))
        await drill.execute_update(verb, request)


async def _halted(drill: Drilling) -> bool:
    return (await drill.query(DrDrill.status)).state is DrillState.HALTED


@dataclass
class Scenario:
    """A drill, and what becomes of it."""

    world: Callable[[], DrillWorld] = DrillWorld
    spec: dict[str, Any] = field(default_factory=dict)
    play: Callable[[Drilling, DrillWorld], Awaitable[None]] = _untouched


SCENARIOS = {
    "passed": Scenario(spec={"fleet": "web"}),
    "pilot-light": Scenario(spec={"strategy": "pilot-light"}),
    "late-and-not-clean": Scenario(lambda: DrillWorld(recovers_after=None, left=("copy",), lost=90)),
    "aborted-while-restoring": Scenario(lambda: DrillWorld(hanging={"restore orders"}), play=_abort),
    "retried-and-skipped": Scenario(lambda: DrillWorld(failures={"isolate": 2}), play=_retry_and_skip),
    "given-up": Scenario(lambda: DrillWorld(failures={"restore orders": 9})),
}


async def record(scenario: Scenario) -> dict[str, Any]:
    """Play a scenario, and a preflight of its plan, on a server of its own."""
    server = Path(sys.executable).with_name("temporal-test-server")
    async with await WorkflowEnvironment.start_time_skipping(
        test_server_existing_path=str(server), data_converter=data_converter(), identity="test"
    ) as env:
        world = scenario.world()
        async with drill_workers(env, world, identity="test"):
            drill = await start_drill(env, **scenario.spec)
            await scenario.play(drill, world)
            with suppress(WorkflowFailureError):
                await drill.result()
            preflight = await env.client.start_workflow(
                DrillPreflight.run, drill_order(), id=PREFLIGHT, task_queue=QUEUE
            )
            await preflight.result()
            return {DRILL: await _history(drill), PREFLIGHT: await _history(preflight)}


async def _history(handle: WorkflowHandle[Any, Any]) -> Any:
    return scrubbed(json.loads((await handle.fetch_history()).to_json()))


async def main(names: list[str]) -> None:
    """Write the histories of these scenarios; of all, without a name."""
    for name in names or SCENARIOS:
        text = json.dumps(await record(SCENARIOS[name]), separators=(",", ":"))
        (DRILLS / f"{name}.json").write_text(text + "\n")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
