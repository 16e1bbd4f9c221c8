"""The drill commands as processes, against a real engine and workers with a fake platform."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from conftest import StartEngine
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from fakes.drills import DrillLeases, DrillWorld, drill_workers
from fakes.worker import until
from steadfleet_cli.drill.launch import start
from steadfleet_cli.drill.orders import read_order
from steadfleet_core.drill.report import DrillReport, Finding
from steadfleet_durable import register
from steadfleet_workflows.visibility import KEYS

STEADFLEET = Path(sys.executable).with_name("steadfleet")
PLAN = """\
apiVersion: steadfleet.dev/v1
kind: DrillPlan
metadata: {name: shop, labels: {ticket: OPS-7}}
spec:
  strategy: backup-restore
  recovery: {region: eu-central-1}
  objectives: {rto: 5m, rpo: 1m}
  stores:
    - name: orders
      type: rds
      id: shop-orders
      database: shop
      user: shop
      password: {environment: SHOP_PASSWORD}
      ledger: orders
  services:
    - {name: web, type: group, dependsOn: [orders], image: {id: ami-1}, port: 8080}
  validations:
    - {name: the shop is open, type: http, service: web}
  schedule: {cron: "30 2 * * *", timezone: Europe/Berlin}
"""


@dataclass
class Answer:
    """What a command printed, and how it ended."""

    code: int | None
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


@dataclass
class Shell:
    """A folder with a plan, and the engine that the commands talk to."""

    environment: WorkflowEnvironment
    folder: Path

    async def drill(self, *argv: str, by: str = "ann") -> Answer:
        address = self.environment.client.service_client.config.target_host
        process = await asyncio.create_subprocess_exec(
            STEADFLEET,
            "drill",
            *argv,
            cwd=self.folder,
            env={**os.environ, "TEMPORAL_ADDRESS": address, "USER": by, "LOGNAME": by},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        return Answer(process.returncode, out.decode(), err.decode())

    def write(self, text: str = PLAN) -> None:
        (self.folder / "drill.yaml").write_text(text)

    async def shown(self, holds: Callable[[Any], bool], *argv: str) -> Any:
        """Ask until what is shown holds; return the document."""
        document: Any = None

        async def true() -> bool:
            nonlocal document
            document = (await self.drill(*argv, "--output", "json")).document
            return holds(document)

        await until(true, f"{argv} tells it")
        return document

    @asynccontextmanager
    async def services(self, world: DrillWorld) -> AsyncIterator[None]:
        """Run the driller and the witness with fakes, and somebody who polls as the janitor does."""
        client = self.environment.client
        janitor = Worker(client, task_queue="janitor", activities=register(DrillLeases(world)))
        async with drill_workers(self.environment, world), janitor:
            yield


@pytest.fixture
async def shell(start_engine: StartEngine, tmp_path: Path) -> AsyncIterator[Shell]:
    async with start_engine(search_attributes=KEYS) as environment:
        shell = Shell(environment, tmp_path)
        shell.write()
        yield shell


def is_halted(document: Any) -> bool:
    return bool(document["status"]["state"] == "halted")


async def test_a_drill_is_run_watched_listed_and_reported(shell: Shell) -> None:
    async with shell.services(DrillWorld()):
        ran = await shell.drill("run", "--watch")
        listed = await shell.drill("list", "shop", "--output", "json")
        first = listed.document[0]["id"]
        again = await shell.drill("run", "--wait", "--output", "json")
        status = await shell.drill("status", first)
        report = await shell.drill("report", first, "--json")
        page = await shell.drill("report", again.document["id"], "--html", "shop.html")

    assert ran.code == 0, ran
    assert "drill shop: drill, backup-restore, recovered in eu-central-1" in ran.out
    assert "witness: web recovered in 30s" in ran.out
    assert "overall: passed" in ran.out
    assert [(one["plan"], one["state"]) for one in listed.document] == [("shop", "passed")]
    assert (again.code, again.document["status"]["state"]) == (0, "passed")
    assert "recovery   passed  web recovered in 30s" in status.out
    assert DrillReport.model_validate_json(report.out).status.recovery_time == timedelta(seconds=30)
    assert (page.code, "<html" in (shell.folder / "shop.html").read_text()) == (0, True)


@pytest.mark.parametrize(
    ("world", "argv", "code", "said"),
    [
        (DrillWorld(lost=100), (), 6, "overall: failed"),
        (DrillWorld(findings=(Finding(what="no backup", blocks=True),)), (), 6, "refused — no backup"),
        (DrillWorld(), ("--mode", "tabletop"), 0, "tabletop: nothing was recovered"),
    ],
)
async def test_only_what_was_proven_ends_with_0(
    shell: Shell, world: DrillWorld, argv: tuple[str, ...], code: int, said: str
) -> None:
    async with shell.services(world):
        ended = await shell.drill("run", "--wait", *argv)

    assert (ended.code, said in ended.out) == (code, True), ended


@pytest.mark.slow
async def test_a_halted_drill_is_attached_to_retried_and_never_doubled(shell: Shell) -> None:
    world = DrillWorld(failures={"restore orders": 1})
    async with shell.services(world):
        started = await shell.drill("run", "--output", "json")
        identity = started.document["workflow_id"]
        await shell.shown(is_halted, "status", identity)
        attached = await shell.drill("run", "--output", "json", by="bob")
        other = await shell.drill("run", "--mode", "tabletop")
        early = await shell.drill("report", "shop")
        unmeant = await shell.drill("retry", "shop", "--step", "isolate")
        retried = await shell.drill("retry", "shop", "--as", "bob")
        ended = await shell.drill("watch", "shop")
        late = await shell.drill("abort", "shop", "--reason", "late")

    assert (attached.document["outcome"], attached.document["workflow_id"]) == ("attached", identity)
    assert (other.code, "it is a drill there and a tabletop here" in other.err) == (4, True)
    assert (early.code, "has not ended (halted)" in early.err) == (3, True)
    assert (unmeant.code, "expected one of restore orders" in unmeant.err) == (3, True)
    assert (retried.code, "restore orders is tried again" in retried.out) == (0, True)
    assert (ended.code, "step restore orders done" in ended.out) == (0, True)
    assert (late.code, "a closed drill takes no verbs" in late.err) == (3, True)


@pytest.mark.slow
async def test_a_step_is_skipped_and_a_drill_is_aborted(shell: Shell) -> None:
    async with shell.services(DrillWorld(failures={"provision web": 1})):
        await shell.drill("run")
        await shell.shown(is_halted, "status", "shop")
        skipped = await shell.drill("skip", "shop", "--step", "provision web", "--reason", "no capacity")
        unproven = await shell.drill("watch", "shop")
    async with shell.services(DrillWorld(hanging={"restore orders"})) as _:
        await shell.drill("run")
        await shell.shown(lambda told: told["status"]["declared_at"], "status", "shop")
        aborted = await shell.drill("abort", "shop", "--reason", "wrong night")
        ended = await shell.drill("watch", "shop")

    assert skipped.code == 0, skipped
    assert (unproven.code, "provision web was skipped by ann: no capacity" in unproven.out) == (6, True)
    assert (aborted.code, "torn down" in aborted.out) == (0, True)
    assert (ended.code, "aborted by ann: wrong night" in ended.out) == (6, True)


@pytest.mark.slow
async def test_without_workers_nothing_is_started_and_what_runs_is_told_from_temporal_alone(
    shell: Shell,
) -> None:
    refused = await shell.drill("run")
    started = await shell.drill("run", "--yes", "--output", "json")
    status = await shell.drill("status", started.document["workflow_id"])
    unknown = await shell.drill("status", "nobody")

    assert refused.code == 5
    assert all(f"task queue {queue}" in refused.err for queue in ("dr-drill", "janitor", "witness"))
    assert (status.code, "this is what Temporal itself knows" in status.out) == (5, True)
    assert (unknown.code, "Temporal knows of no drill nobody" in unknown.err) == (3, True)


async def test_a_preflight_ends_with_3_where_something_blocks(shell: Shell) -> None:
    world = DrillWorld()
    async with shell.services(world):
        good = await shell.drill("preflight")
        blocking = Finding(what="no backup", blocks=True, predicts="restore orders", advice="make one")
        world.findings = (blocking,)
        bad = await shell.drill("preflight")

    assert good.code == 0, good
    assert bad.code == 3
    assert "blocks: no backup (will fail restore orders); make one" in bad.out


async def test_a_schedule_is_made_once_changed_paused_and_forgotten(shell: Shell) -> None:
    created = await shell.drill("schedule", "create", "--output", "json")
    twice = await shell.drill("schedule", "create")
    await shell.drill("schedule", "create", "--preflight", "--cron", "0 6 * * *")
    paused = await shell.drill("schedule", "pause", "shop", "--reason", "release week")
    soon = datetime.fromisoformat(created.document["next"][0])
    shell.write(PLAN.replace("Europe/Berlin}", f"Europe/Berlin, blockedDates: [{soon.date()}]}}"))
    updated = await shell.drill("schedule", "update", "--output", "json")
    both = await shell.shown(lambda told: len(told) > 1, "schedule", "list")
    resumed = await shell.drill("schedule", "resume", "shop")
    gone = await shell.drill("schedule", "delete", "shop")
    absent = await shell.drill("schedule", "show", "shop")

    assert (twice.code, "steadfleet drill schedule update -f FILE" in twice.err) == (4, True)
    assert paused.code == resumed.code == gone.code == 0
    assert updated.document["paused"] == "ann: release week"
    assert updated.document["next"][:4] == created.document["next"][1:5], "the blocked day is left out"
    assert [(one["id"], one["cron"]) for one in both] == [
        ("drill/shop", "30 2 * * *"),
        ("drill-preflight/shop", "0 6 * * *"),
    ]
    assert (absent.code, "there is no schedule of drills of shop" in absent.err) == (3, True)


async def test_what_a_schedule_cannot_mean_is_refused_before_anything(shell: Shell) -> None:
    shell.write(PLAN.replace("30 2 * * *", "30 2 13 * 5").replace("Europe/Berlin", "Europe/Nowhere"))
    bad = await shell.drill("schedule", "create")
    shell.write(PLAN[: PLAN.index("  schedule:")])
    none = await shell.drill("schedule", "create")
    listed = await shell.drill("schedule", "list")

    assert bad.code == 3
    assert "drill.yaml: spec.schedule.cron: 30 2 13 * 5 names days of the month and of the week" in bad.err
    assert "drill.yaml: spec.schedule.timezone: Europe/Nowhere is not known" in bad.err
    assert (none.code, "has no spec.schedule" in none.err) == (3, True)
    assert listed.out == "no schedules\n"


@pytest.mark.slow
async def test_trigger_and_backfill_start_drills_of_a_paused_schedule(shell: Shell) -> None:
    last = datetime.now(UTC).replace(hour=3, minute=0, second=0, microsecond=0) - timedelta(days=1)
    shell.write(PLAN.replace("30 2", "0 3").replace("Europe/Berlin", "UTC"))
    moment = last.isoformat()
    async with shell.services(DrillWorld()):
        await shell.drill("schedule", "create")
        await shell.drill("schedule", "pause", "shop", "--reason", "release week")
        triggered = await shell.drill("schedule", "trigger", "shop", "--output", "json")
        watched = await shell.drill("watch", triggered.document["started"])
        # Both ends count: the period is no longer than a second.
        later = (last + timedelta(seconds=1)).isoformat()
        filled = await shell.drill("schedule", "backfill", "shop", "--from", moment, "--to", later)
        due = f"drill/shop-{last:%Y-%m-%dT%H:%M:%SZ}"
        timetable = await shell.shown(
            lambda told: [one["state"] for one in told["runs"]] == ["passed", "passed"],
            "schedule",
            "show",
            "shop",
        )
        listed = await shell.drill("list", "shop", "--output", "json")
        nothing = await shell.drill(
            "schedule", "backfill", "shop", "--from", later, "--to", later[:17] + "59Z"
        )

    assert (watched.code, filled.code) == (0, 0), (watched, filled)
    assert "1 of shop would start, one after another, even where the schedule is paused" in filled.out
    started = {triggered.document["started"], due}
    assert {one["id"] for one in timetable["runs"]} == {one["id"] for one in listed.document} == started
    assert (nothing.code, "no run was due" in nothing.err) == (3, True)


@pytest.mark.slow
async def test_a_verb_that_could_mean_two_drills_means_none(shell: Shell) -> None:
    async with shell.services(DrillWorld(hanging={"restore orders"})):
        await shell.drill("schedule", "create")
        triggered = await shell.drill("schedule", "trigger", "shop", "--output", "json")
        by_hand = f"drill/shop/{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
        await start(shell.environment.client, read_order(shell.folder / "drill.yaml", None, "ann"), by_hand)
        await shell.shown(lambda told: len(told) == 2, "list", "shop", "--running")
        both = await shell.drill("abort", "shop", "--reason", "wrong night")
        one = await shell.drill("abort", by_hand, "--reason", "wrong night")
        twice = await shell.drill("schedule", "trigger", "shop")
        await shell.drill("abort", triggered.document["started"], "--reason", "over")
        await shell.shown(lambda told: not told, "list", "shop", "--running")

    assert (both.code, f"several drills of shop run: {by_hand}" in both.err) == (3, True)
    assert one.code == 0, one
    assert twice.code == 3
    assert f"{triggered.document['started']} of this schedule still runs" in twice.err
