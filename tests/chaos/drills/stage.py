"""A whole stack that rehearses disaster recovery, whose parts can be killed: two regions, real databases."""

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from chaos.drills.production import AWAY, DATABASE, HOME, PARAMETER, Production
from chaos.drills.rehearsal import ENDED_WITHIN, Rehearsal
from chaos.moments import APP, Moment, Stop
from chaos.stage import Killable, connected, nudge, ready, replaced
from temporalio.client import Client

from fakes.residue import Grounds, Holdings, Kept, residue
from steadfleet_cli.parts import BUCKETS, Addresses, stack
from steadfleet_cli.trust import make_trust
from steadfleet_core.drill.order import QUEUE, DrillOrder, workflow_id
from steadfleet_core.drill.plan import DrillPlan
from steadfleet_local_cloud import LocalCloud
from steadfleet_ports.lease import Residue, lease_id
from steadfleet_workflows.drill import DrDrill

HERE = Path(__file__).parent
WORKERS = ("driller", "witness", "janitor")
KEPT = (
    Kept("objects", rf"{BUCKETS[0]}/ledgers/[0-9a-f]{{64}}\.jsonl", "what was acknowledged, by its digest"),
    Kept("objects", rf"{BUCKETS[0]}/drills/[a-z0-9-]+/[a-zA-Z0-9-]+\.json", "it says how the drill went"),
)
"""What a drill leaves by intent, however it ends."""

_SETTINGS = {
    "STEADFLEET_HEARTBEAT_TIMEOUT": "2s",
    "STEADFLEET_MAX_HEARTBEAT_THROTTLE": "1s",
    "STEADFLEET_LEASE_TERM": "4s",
    # What a dead worker had in its cache waits ten seconds for it; so they keep none, and replay.
    "STEADFLEET_MAX_CACHED_WORKFLOWS": "0",
}
_TASK_TIMEOUT = timedelta(seconds=2)
"""Of a workflow's task that a worker took and died with."""


@dataclass
class Stage:
    """The cloud in our process, all else as processes of their own."""

    cloud: LocalCloud
    client: Client
    engine: Killable
    workers: dict[str, Killable]
    production: Production
    before: Holdings = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def grounds(self) -> Grounds:
        return Grounds(self.cloud, self.client)

    async def look(self) -> None:
        """Look at all that there is: later `residue` says what is new, gone or changed since."""
        self.before = await self.grounds.holdings()

    async def residue(self) -> tuple[str, ...]:
        return residue(self.before, await self.grounds.holdings(), KEPT)

    async def start(self, **spec: Any) -> Rehearsal:
        plan = plan_of(f"shop-{next(self.numbers)}", self.production, **spec)
        order = DrillOrder(plan=plan, requested_by="chaos")
        since = len(self.cloud.record())
        wanted = workflow_id(plan.name, datetime.now(UTC))
        handle = await self.client.start_workflow(
            DrDrill.run, order, id=wanted, task_queue=QUEUE, task_timeout=_TASK_TIMEOUT
        )
        return Rehearsal(handle, (await handle.query(DrDrill.status)).run, since)

    async def at(self, rehearsal: Rehearsal, moment: Moment) -> Stop:
        """Stop the drill at the moment."""
        stop = Stop(self.cloud, moment)
        try:
            reached, ended = asyncio.create_task(stop.reached()), asyncio.create_task(rehearsal.report())
            await asyncio.wait({reached, ended}, return_when=asyncio.FIRST_COMPLETED)
            assert not ended.done(), f"it never came to {moment}: {ended.result()}"
            ended.cancel()
            await reached
        except BaseException:
            stop.let_go("drop")
            raise
        return stop

    async def lease_of(self, rehearsal: Rehearsal) -> Residue:
        """Await the end of the drill's lease."""
        handle = self.client.get_workflow_handle(lease_id(rehearsal.run), result_type=Residue)
        async with asyncio.timeout(ENDED_WITHIN.total_seconds()):
            residue: Residue = await handle.result()
        return residue

    def creates(self, rehearsal: Rehearsal) -> Counter[str]:
        """Count the calls that made something for a drill, as the cloud took them down."""
        words = ("Create", "Copy", "Restore")
        return Counter(
            entry["action"]
            for entry in self.cloud.record(since=rehearsal.since)
            if entry["kind"] == "call"
            and entry["action"].startswith(words)
            and entry["status"] in range(200, 300)
            and "driller" in entry["user_agent"]
            and rehearsal.run in str(entry["parameters"])
        )

    def machines(self, rehearsal: Rehearsal) -> int:
        """Count the machines that were begun in the recovery region since a drill was started."""
        begun = {
            entry["instance"]
            for entry in self.cloud.record(since=rehearsal.since)
            if entry["kind"] == "machine" and entry.get("region") == AWAY
        }
        return len(begun)

    @asynccontextmanager
    async def spared(self) -> AsyncIterator[None]:
        """Spare meanwhile the waits before retries."""
        nudging = asyncio.create_task(nudge(self.client))
        try:
            yield
        finally:
            nudging.cancel()

    @asynccontextmanager
    async def program(self, worker: str, program: Path) -> AsyncIterator[None]:
        """Let another program do a worker's work meanwhile."""
        killable = self.workers[worker]
        part = killable.part
        killable.part = replaced(part, program)
        killable.kill()
        await ready(killable)
        try:
            yield
        finally:
            killable.part = part
            killable.kill()
            await ready(killable)


def plan_of(name: str, production: Production, **spec: Any) -> DrillPlan:
    store = {
        "type": "rds",
        "name": "orders",
        "id": DATABASE,
        "database": "shop",
        "user": "owner",
        "password": {"parameter": PARAMETER},
        "ledger": "orders",
        "restoreTimeLimit": "2m",
    }
    service = {
        "type": "group",
        "name": "web",
        "dependsOn": ["orders"],
        "image": {"id": production.image},
        "port": 8080,
        "readiness": {"path": "/healthz"},
        "environment": {"DATABASE": "${orders.host}:${orders.port}"},
        "startTimeLimit": "2m",
    }
    said = {
        "strategy": "backup-restore",
        "recovery": {"region": AWAY},
        "objectives": {"rto": "10m", "rpo": "1h"},
        "stores": [store],
        "services": [service],
        "probing": {"interval": "2s", "successes": 1},
        "isolation": "observed",
        "limits": {"time": "10m", "haltTime": "1s"},
        **spec,
    }
    return DrillPlan.model_validate(
        {"apiVersion": "steadfleet.dev/v1", "kind": "DrillPlan", "metadata": {"name": name}, "spec": said}
    )


@asynccontextmanager
async def staged() -> AsyncIterator[Stage]:
    with TemporaryDirectory(prefix="sf-") as name:
        folder = Path(name)
        with LocalCloud(state=folder / "cloud", regions=(HOME, AWAY), probe_scale=0.1) as cloud:
            make_trust(folder)
            addresses = Addresses.free()
            parts = {part.name: part for part in stack(addresses, folder)}
            engine = Killable(parts["engine"], folder / "engine.log")
            settings = {
                **addresses.environment,
                **_SETTINGS,
                "AWS_ENDPOINT_URL": cloud.endpoint,
                "STEADFLEET_RESOLVER": "{}:{}".format(*cloud.resolver),
                "STEADFLEET_LEDGERS": str(folder / "ledgers.yaml"),
            }
            workers = {
                worker: Killable(parts[worker], folder / f"{worker}.log", {**settings, APP: worker})
                for worker in WORKERS
            }
            try:
                engine.start()
                production = await asyncio.to_thread(Production, cloud)
                production.write_ledgers(folder / "ledgers.yaml")
                client = await connected(engine.part, addresses)
                for worker in workers.values():
                    worker.start()
                await asyncio.to_thread(production.back_up)
                for worker in workers.values():
                    await ready(worker)
                yield Stage(cloud, client, engine, workers, production)
            finally:
                for process in (*workers.values(), engine):
                    process.stop()
