"""What a drill adds to the work of recovering: from the declared start to the end of the last step.

`python benchmarks/drill.py` prints the table of README.md, in about six minutes.
"""

import asyncio
import os
import statistics
import time
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bench import HEAD, Row, machine, middle, show, up
from temporalio.client import Client, WorkflowHandle

from steadfleet_core.drill.steps import StepState
from steadfleet_dr_drill.rehearsal.catalogue import store, whole
from steadfleet_dr_drill.rehearsal.ledgers import kept_besides
from steadfleet_dr_drill.rehearsal.local_cloud import LocalCloud
from steadfleet_dr_drill.rehearsal.production import AWAY, Production
from steadfleet_dr_drill.rehearsal.scene import Rehearsal, Scene
from steadfleet_durable import connect, exit_now

PARTS = ("engine", "cloud", "driller", "witness", "janitor")
RUNS = 5
AIM = 1.1
RESTORE = "RestoreDBInstanceFromDBSnapshot"
SLOW = 20.0
"""Seconds that a slow restore is kept back by the platform: a short one of AWS takes minutes."""


@dataclass(frozen=True)
class Recovery:
    """Seconds of one drill: by the clock, and those of the critical path in which a step was at work."""

    clock: float
    work: float
    steps: int
    platform: float
    """Seconds from the call that restores the database to its being available, by the cloud's own record."""

    @property
    def ratio(self) -> float:
        return self.clock / self.work


async def main() -> None:
    print(f"{machine()}; the stack as `steadfleet up` starts it\n\n{HEAD}")
    with up(*PARTS, machines="process") as environment:
        # The connection of this process is that of the stack, as for any program that uses it.
        os.environ.update(environment)
        await measured(environment)


async def measured(environment: dict[str, str]) -> None:
    client = await connect()
    production = Production(LocalCloud.of_environment(environment), "bench")
    production.make()
    ledgers = Path(environment["STEADFLEET_RUN_DIR"]) / "ledgers.yaml"
    with kept_besides(ledgers, production.ledger(production.database, "0.2s")):
        production.await_writes(5)
        production.back_up()
        image = production.release("1.0.0")
        scene = Scene(client, production.cloud, production, witness=0, right=image, fixed=image, wrong=image)
        show(rows("store and service, local cloud", await recoveries(scene, whole(scene))))
        with ExitStack() as faults:
            faults.enter_context(scene.fault("slow-restore", region=AWAY, seconds=SLOW))
            slow = await recoveries(scene, {"stores": [store(scene)]})
        show(rows(f"a store that is {SLOW:g} s in the making", slow))


async def recoveries(scene: Scene, spec: dict[str, Any]) -> list[Recovery]:
    """Recover several times; the first warms up."""
    return [await recovery(scene, spec) for _ in range(RUNS + 1)][1:]


async def recovery(scene: Scene, spec: dict[str, Any]) -> Recovery:
    drill = await Rehearsal.started(scene.client, scene.plan("drill", spec))
    status = (await drill.report()).status
    worked = await work_of(scene.client, drill.id)
    done = [one for one in status.steps if one.state is StepState.DONE and one.ended_at]
    if len(done) != len(status.steps) or status.declared_at is None:
        raise RuntimeError(f"{drill.id} did not recover: {status.reason}")
    last = max(one.ended_at for one in done if one.ended_at)
    path = [segment.name for segment in status.critical_path if segment.name in worked]
    return Recovery(
        clock=(last - status.declared_at).total_seconds(),
        work=sum(worked[name] for name in path),
        steps=len(path),
        platform=platform_time(scene.cloud, status.stores[0].copy_id),
    )


async def work_of(client: Client, identity: str) -> dict[str, float]:
    """Return how long each step's activity ran, from its start on a worker to its end, by the history."""
    handle: WorkflowHandle[Any, Any] = client.get_workflow_handle(identity)
    names: dict[int, str] = {}
    began: dict[int, datetime] = {}
    worked: dict[str, float] = {}
    async for event in handle.fetch_history_events():
        at = event.event_time.ToDatetime(UTC)
        if event.HasField("activity_task_scheduled_event_attributes"):
            # A step's activity is named after it and its attempt: `restore orders 1`.
            said = event.activity_task_scheduled_event_attributes.activity_id
            names[event.event_id] = said.rpartition(" ")[0]
        elif event.HasField("activity_task_started_event_attributes"):
            began[event.activity_task_started_event_attributes.scheduled_event_id] = at
        elif event.HasField("activity_task_completed_event_attributes"):
            scheduled = event.activity_task_completed_event_attributes.scheduled_event_id
            spent = (at - began[scheduled]).total_seconds()
            worked[names[scheduled]] = worked.get(names[scheduled], 0.0) + spent
    return worked


def platform_time(cloud: LocalCloud, copy: str) -> float:
    made = {
        entry["event"]: datetime.fromisoformat(entry["time"])
        for entry in cloud.get("record")
        if entry["kind"] == "database" and entry.get("database") == copy
    }
    [asked] = [
        datetime.fromisoformat(entry["time"])
        for entry in cloud.get("record")
        if entry["kind"] == "call"
        and entry["action"] == RESTORE
        and entry["parameters"].get("DBInstanceIdentifier") == copy
    ]
    return (made["created"] - asked).total_seconds()


def rows(what: str, found: list[Recovery]) -> list[Row]:
    ratio = statistics.median(one.ratio for one in found)
    added = [1000 * (one.clock - one.work) / one.steps for one in found]
    return [
        Row("declared start to the last step's end, seconds", what, middle([one.clock for one in found])),
        Row(
            "the same over its steps' own work",
            what,
            middle([one.ratio for one in found]),
            f"≤ {AIM}",
            ratio <= AIM,
        ),
        Row("added to each step, ms", what, middle(added)),
        Row(
            "the same over the platform's own restore",
            what,
            middle([one.clock / one.platform for one in found]),
        ),
    ]


if __name__ == "__main__":
    began_at = time.monotonic()
    asyncio.run(main())
    print(f"\nmeasured in {timedelta(seconds=round(time.monotonic() - began_at))}")
    exit_now(0)
