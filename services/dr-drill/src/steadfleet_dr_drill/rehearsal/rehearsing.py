"""Run the controls one after another, on a production that is made for them and taken away again."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from temporalio.client import WorkflowUpdateFailedError
from temporalio.service import RPCError

from steadfleet_core.drill.report import DrillReport
from steadfleet_core.errors import RefusedError
from steadfleet_dr_drill.rehearsal.control import Control, Result, judge, missed
from steadfleet_dr_drill.rehearsal.leases import expect_cleaned
from steadfleet_dr_drill.rehearsal.ledgers import kept_besides
from steadfleet_dr_drill.rehearsal.local_cloud import LocalCloud
from steadfleet_dr_drill.rehearsal.production import ORDERS, Production
from steadfleet_dr_drill.rehearsal.scene import Rehearsal, Scene
from steadfleet_durable import connect

INTERVAL = "0.2s"
_FIRST_WRITES = 5

Say = Callable[[str], None]


@dataclass(frozen=True)
class Stage:
    """What of a running stack AWS's and Temporal's variables do not tell."""

    ledgers: Path
    witness: int


async def rehearse(
    controls: Iterable[type[Control]], stage: Stage, env: Mapping[str, str], say: Say
) -> list[Result]:
    """Return how each ended. Whatever happens, nothing of it stays; raises `RefusedError`."""
    cloud = LocalCloud.of_environment(env)
    async with _scene(cloud, stage, say) as scene:
        results = []
        for kind in controls:
            result = await tried(kind, scene)
            say(f"{result.control}: {'caught' if result.caught else 'MISSED'} in {result.seconds:.0f} s")
            results.append(result)
        return results


async def tried(kind: type[Control], scene: Scene) -> Result:
    """Plant the harm, run the drill and judge it; what could not be carried out is missed."""
    began, control = time.monotonic(), kind(scene)
    try:
        report = await _drilled(control, scene)
    except RefusedError as error:
        return missed(kind, str(error), time.monotonic() - began)
    return judge(kind, report, control.problems, time.monotonic() - began)


async def _drilled(control: Control, scene: Scene) -> DrillReport:
    """Return what the drill says; one that does not come to its end is ended, once the harm is mended."""
    starting = None
    try:
        async with control.harm():
            plan = scene.plan(control.name, control.plan())
            starting = asyncio.ensure_future(Rehearsal.started(scene.client, plan))
            drill = await asyncio.shield(starting)
            _, report = await asyncio.gather(control.meanwhile(drill), drill.report())
            await control.afterwards(report, drill)
            return report
    except BaseException:
        if starting is not None:
            await _taken_away(scene, starting)
        raise


async def _taken_away(scene: Scene, starting: Awaitable[Rehearsal]) -> None:
    """End a drill, also one whose start nobody has answered yet: the engine may have begun it."""
    with suppress(RPCError, WorkflowUpdateFailedError):
        drill = await starting
        await drill.end()
        await expect_cleaned(scene.client, drill.name, drill)


@asynccontextmanager
async def _scene(cloud: LocalCloud, stage: Stage, say: Say) -> AsyncIterator[Scene]:
    client = await connect()
    production = Production(cloud, f"controls-{secrets.token_hex(3)}")
    say(f"making the production {production.name}")
    try:
        production.make()
        with kept_besides(stage.ledgers, production.ledger(production.database, INTERVAL)):
            production.await_writes(_FIRST_WRITES)
            production.back_up()
            yield Scene(
                client=client,
                cloud=cloud,
                production=production,
                witness=stage.witness,
                right=production.release("1.0.0"),
                fixed=production.release("1.0.1", orders=ORDERS),
                wrong=production.release("1.0.2", orders=0),
            )
    finally:
        say(f"taking the production {production.name} away")
        production.remove()
