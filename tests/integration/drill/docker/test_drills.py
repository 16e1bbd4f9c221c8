"""A whole drill on one host: a PostgreSQL from its backup, and containers that ask it and each other."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from integration.drill.docker.conftest import Yard
from integration.drill.postgres.sources import PASSWORD, VARIABLE, SourceServer, binaries, copy_of
from temporalio.testing import ActivityEnvironment

from steadfleet_activities.drill.docker.joining import TYPE
from steadfleet_activities.drill.drills import PlatformDrills
from steadfleet_activities.drill.postgres.programs import Programs
from steadfleet_activities.drill.postgres.stores import PostgresStores
from steadfleet_activities.drill.resolving import Resolving
from steadfleet_activities.drill.secrets import Secrets
from steadfleet_activities.reports import ReportFolder
from steadfleet_core.drill.order import Drill, DrillOrder
from steadfleet_core.drill.plan import DrillPlan
from steadfleet_core.drill.steps import StepKind, steps_of
from steadfleet_ports.drill import (
    DrillInspection,
    DrillPreparation,
    IsolationProbe,
    StepRequest,
    ValidationRequest,
)

pytestmark = pytest.mark.docker


@pytest.fixture
def source(tmp_path: Path) -> Iterator[SourceServer]:
    server = SourceServer(tmp_path / "source")
    server.folder.mkdir()
    try:
        server.begin()
        yield server
    finally:
        server.end()


@pytest.fixture
def orders(source: SourceServer) -> dict[str, Any]:
    """Give a store with a backup."""
    backup = source.folder / "backup"
    source.write("first")
    source.back_up(backup, "-F", "tar", "-X", "none")
    source.write("second")
    source.switch()
    copy_of(source.archive, backup / "wal")
    return {
        "name": "orders",
        "type": "postgres",
        "host": "127.0.0.1",
        "port": source.port,
        "database": "orders",
        "user": "app",
        "password": {"environment": VARIABLE},
        "backup": str(backup),
    }


def drills_of(yard: Yard, folder: Path) -> PlatformDrills:
    secrets = Secrets({VARIABLE: PASSWORD}, lambda _region, name: name)
    nowhere: Any = None  # no report is kept here
    return PlatformDrills(
        {"postgres": PostgresStores(secrets, Programs(binaries()), folder)},
        {TYPE: yard.services},
        {TYPE: yard.networks},
        secrets=secrets,
        reports=ReportFolder(nowhere, "drills"),
        resolving=Resolving(),
    )


async def run(activity: Any, request: Any) -> Any:
    return await ActivityEnvironment().run(activity, request)


async def recovered(drills: PlatformDrills, drill: Drill) -> dict[str, dict[str, str]]:
    """Carry out every step as the workflow would."""
    activities = {
        StepKind.ISOLATE: drills.isolate_drill,
        StepKind.RESTORE: drills.restore_store,
        StepKind.PROVISION: drills.provision_service,
        StepKind.START: drills.start_service,
    }
    made: dict[str, dict[str, str]] = {}
    waiting = list(steps_of(drill.plan.spec))
    while waiting:
        step = next(one for one in waiting if set(one.needs) <= set(made))
        answer = await run(activities[step.kind], StepRequest(drill=drill, step=step, made=made))
        made[step.name] = answer.facts
        waiting.remove(step)
    return made


def plan_of(yard: Yard, orders: dict[str, Any]) -> DrillPlan:
    asked = {"WHO": "${orders.host}:${orders.port}", "NEXT": "${next.host} ${next.port}"}
    web = yard.web(dependsOn=["orders"], environment=asked)
    following = yard.web(name="next", environment={"WHO": "next"})
    plan = yard.plan(web, following, stores=(orders,)).model_dump(mode="json", by_alias=True)
    plan["spec"]["validations"] = [
        {"type": "http", "name": "serves", "service": "next", "body": "by next"},
        {"type": "command", "name": "asks", "service": "web", "run": "nc -w 3 $NEXT -e true"},
        {
            "type": "sql",
            "name": "all orders",
            "store": "orders",
            "query": "SELECT count(*) FROM ledger",
            "expected": "2",
        },
    ]
    return DrillPlan.model_validate(plan)


async def test_containers_ask_the_store_and_each_other_and_do_not_reach_the_source(
    yard: Yard, orders: dict[str, Any], tmp_path: Path
) -> None:
    drills, at = drills_of(yard, tmp_path / "drills"), datetime.now(UTC)
    order = DrillOrder(plan=plan_of(yard, orders), requested_by="ada")
    preparation = DrillPreparation(order=order, run=yard.run, at=at, expires_at=at + timedelta(hours=1))
    drill = await run(drills.prepare_drill, preparation)
    try:
        preflight = await run(drills.inspect_drill, DrillInspection(drill=drill, at=at))
        assert preflight.blocking == ()
        made = await recovered(drills, drill)

        gateway = made["isolate"]["container_gateway"]
        assert made["restore orders"]["host"] == gateway
        seen = await yard.services.run_command(
            drill, made["start web"], "cat /srv/index.html", timedelta(seconds=20)
        )
        assert f"{gateway}:{made['restore orders']['port']}" in seen.reason
        for check in drill.plan.spec.validations:
            request = ValidationRequest(drill=drill, validation=check, made=made)
            result = await run(drills.validate_recovery, request)
            assert (result.passed, result.proven) == (True, True), result
        isolation = await run(drills.probe_isolation, IsolationProbe(drill=drill, made=made))
        # Both prove it by the store, which answers them.
        assert (isolation.reached, isolation.problem) == ((), "")
        assert isolation.probed == (f"127.0.0.1:{orders['port']}",)
    finally:
        await run(drills.discard_drill, drill)
