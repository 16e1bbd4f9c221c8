"""A store that containers ask listens in their network, for them alone."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from integration.drill.docker.conftest import Yard, silent
from integration.drill.postgres.sources import PASSWORD, VARIABLE, SourceServer, binaries, copy_of

from steadfleet_activities.drill.postgres.programs import Programs
from steadfleet_activities.drill.postgres.stores import PostgresStores
from steadfleet_activities.drill.secrets import Secrets
from steadfleet_core.drill.order import DrillOrder
from steadfleet_core.drill.steps import Step, StepKind
from steadfleet_ports.drill import DrillPreparation, StepRequest

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
async def stores(yard: Yard, tmp_path: Path) -> AsyncIterator[PostgresStores]:
    secrets = Secrets({VARIABLE: PASSWORD}, lambda _region, name: name)
    driver = PostgresStores(secrets, Programs(binaries()), tmp_path / "drills")
    yield driver
    await driver.discard(yard.run)


async def test_a_container_reaches_the_store_that_it_depends_on_and_not_the_source(
    yard: Yard, stores: PostgresStores, source: SourceServer
) -> None:
    source.write("first")
    backup = source.folder / "backup"
    source.back_up(backup, "-F", "tar", "-X", "none")
    source.write("second")
    source.switch()
    copy_of(source.archive, backup / "wal")
    orders = {
        "name": "orders",
        "type": "postgres",
        "host": "127.0.0.1",
        "port": source.port,
        "database": "orders",
        "user": "app",
        "password": {"environment": VARIABLE},
        "backup": str(backup),
    }
    plan = yard.plan(yard.web(dependsOn=["orders"]), stores=(orders,))
    store = plan.spec.stores[0]
    at = datetime.now(UTC)
    order = DrillOrder(plan=plan, requested_by="ada")
    found_store = await stores.resolve(
        store, DrillPreparation(order=order, run=yard.run, at=at, expires_at=at + timedelta(hours=1))
    )
    drill = await yard.prepared(plan, production=found_store.production)
    drill = drill.model_copy(update={"stores": (found_store.resolved,)})
    gateway = (await yard.isolated(drill))["container_gateway"]
    step = Step(kind=StepKind.RESTORE, subject="orders")
    restored = await stores.restore(store, StepRequest(drill=drill, step=step, made=yard.made), silent)

    assert restored["host"] == gateway
    with psycopg.connect(
        host=gateway, port=int(restored["port"]), user="app", password=PASSWORD, dbname="orders"
    ) as connection:
        assert connection.execute("SELECT word FROM ledger ORDER BY word").fetchall() == [
            ("first",),
            ("second",),
        ]
    facts = await yard.started(drill)
    control = f"{gateway}:{restored['port']}"
    found = await yard.services.probe_from_inside(drill, facts, drill.production, control)
    assert (found.reached, found.problem) == ((), "")
    assert found.probed == drill.production
