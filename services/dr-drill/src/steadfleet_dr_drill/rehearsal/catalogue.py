"""The controls: the smallest plan that shows each harm."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack, asynccontextmanager
from typing import Any, ClassVar

from steadfleet_core.drill.report import DrillReport
from steadfleet_core.drill.verdict import Verdict
from steadfleet_dr_drill.rehearsal.control import Control, Wanted
from steadfleet_dr_drill.rehearsal.leases import expect_cleaned, expect_open
from steadfleet_dr_drill.rehearsal.production import AWAY, HOME, ORDERS, USER, count_writes
from steadfleet_dr_drill.rehearsal.scene import Rehearsal, Scene, soon

STORE, SERVICE = "orders", "shop"
LEAST_LOST = 15
"""Writes that the stale copy must lack: at 0.2s each, three seconds, well over its RPO."""

_COUNTED = {"type": "sql", "store": STORE, "query": "select count(*) from orders", "expected": str(ORDERS)}
_SHOWN = {"type": "http", "service": SERVICE, "path": "/orders", "body": f'"orders": {ORDERS}'}


def store(scene: Scene, parameter: str | None = None) -> dict[str, Any]:
    production = scene.production
    return {
        "name": STORE,
        "type": "rds",
        "id": production.database,
        "database": USER,
        "user": USER,
        "password": {"parameter": parameter or production.parameter},
        "ledger": scene.ledger,
    }


def service(image: str, **more: Any) -> dict[str, Any]:
    return {
        "name": SERVICE,
        "type": "group",
        "image": {"id": image},
        "port": 8080,
        "readiness": {"path": "/healthz"},
        **more,
    }


def whole(scene: Scene) -> dict[str, Any]:
    """Recover the store and the service that asks it, as a person's plan would."""
    environment = {
        "DATABASE_HOST": f"${{{STORE}.host}}",
        "DATABASE_PORT": f"${{{STORE}.port}}",
        "PASSWORD_PARAMETER": scene.production.parameter,
        "AWS_ENDPOINT_URL": scene.cloud.url,
    }
    return {
        "stores": [store(scene)],
        "services": [service(scene.right, dependsOn=[STORE], environment=environment)],
        "validations": [
            {"name": "all orders are there", **_COUNTED},
            {"name": "the shop shows them", **_SHOWN},
        ],
    }


class Healthy(Control):
    name = "healthy"
    planted = "nothing: the control of the controls"
    wanted: ClassVar[Mapping[str, Wanted]] = {}

    def plan(self) -> dict[str, Any]:
        return whole(self.scene)


class DroppedTable(Control):
    name = "dropped-table"
    planted = "the table of the orders was dropped, and the copy follows"
    wanted: ClassVar[Mapping[str, Wanted]] = {
        "data": Wanted(Verdict.FAILED, ("all orders are there", '"orders" does not exist'))
    }

    def plan(self) -> dict[str, Any]:
        validations = [{"name": "all orders are there", **_COUNTED}]
        return {"strategy": "pilot-light", "stores": [store(self.scene)], "validations": validations}

    @asynccontextmanager
    async def harm(self) -> AsyncIterator[None]:
        with self.scene.production.connected() as connection:
            connection.execute("drop table orders")
        try:
            yield
        finally:
            self.scene.production.make_orders()


class StaleReplica(Control):
    name = "stale-replica"
    planted = f"the copy hears nothing of {LEAST_LOST} writes and more before disaster strikes"
    wanted: ClassVar[Mapping[str, Wanted]] = {
        "data": Wanted(Verdict.FAILED, (f"{STORE} lost ", " acknowledged writes", "RPO 1s"))
    }
    kept: int = 0
    """Writes that the copy holds, counted in it by the control."""

    def plan(self) -> dict[str, Any]:
        objectives = {"rto": "2m", "rpo": "1s"}
        return {"strategy": "pilot-light", "stores": [store(self.scene)], "objectives": objectives}

    @asynccontextmanager
    async def harm(self) -> AsyncIterator[None]:
        scene = self.scene
        copy = f"drill-{scene.name(self.name)}*"
        with ExitStack() as faults:
            faults.enter_context(scene.fault("stale-replica", database=copy, region=AWAY))
            # The answer of this call is kept back, so that the clock cannot start before enough is lost.
            self.held = faults.enter_context(
                scene.fault("hold", action="CreateDBInstanceReadReplica", region=AWAY, when="after", count=1)
            )
            yield

    async def meanwhile(self, drill: Rehearsal) -> None:
        production = self.scene.production
        status = await drill.until("its copy was made", lambda _: self.scene.cloud.holds(self.held))
        name = status.stores[0].copy_id
        await soon(name, lambda: production.copy_of(name).get("DBInstanceStatus") == "available")
        endpoint = production.copy_of(name)["Endpoint"]
        before = self._count(endpoint)
        await soon("the next writes", lambda: production.writes() >= before + LEAST_LOST)
        self.kept = self._count(endpoint)
        if self.kept != before:
            self.problems.append("the fault did not bite: the copy still hears of writes")
        self.scene.cloud.end_fault(self.held)

    async def afterwards(self, report: DrillReport, _drill: Rehearsal) -> None:
        """Hold the witness's count against the control's own: exact, or missed."""
        [loss] = report.status.losses
        if (loss.recovered, loss.lost) != (self.kept, loss.acknowledged - self.kept):
            self.problems.append(
                f"{loss.lost} of {loss.acknowledged} are lost, and the copy held {self.kept}"
            )
        if loss.lost < LEAST_LOST:
            self.problems.append(f"{loss.lost} are lost, expected {LEAST_LOST} or more")

    def _count(self, endpoint: Mapping[str, Any]) -> int:
        with self.scene.production.connected_to(endpoint) as connection:
            return count_writes(connection)


class WrongSecret(Control):
    name = "wrong-secret"
    planted = "the recovery region's parameter holds another password"
    wanted: ClassVar[Mapping[str, Wanted]] = {
        "recovery": Wanted(Verdict.FAILED, (f"restore {STORE}", "password")),
        "data": Wanted(Verdict.NOT_PROVEN),
    }

    @property
    def parameter(self) -> str:
        return f"{self.scene.production.parameter}-{self.name}"

    def plan(self) -> dict[str, Any]:
        return {"stores": [store(self.scene, self.parameter)]}

    @asynccontextmanager
    async def harm(self) -> AsyncIterator[None]:
        production = self.scene.production
        production.put_parameter(HOME, self.parameter, production.password)
        production.put_parameter(AWAY, self.parameter, "not-the-password")
        yield


class WrongData(Control):
    name = "wrong-data"
    planted = "a release that answers 200, and shows no orders"
    wanted: ClassVar[Mapping[str, Wanted]] = {
        "recovery": Wanted(Verdict.FAILED, ("the shop shows them", f"has no '\"orders\": {ORDERS}'"))
    }

    def plan(self) -> dict[str, Any]:
        shown = {"name": "the shop shows them", **_SHOWN}
        return {"services": [service(self.scene.wrong)], "validations": [shown]}


class DarkResolver(Control):
    name = "dark-resolver"
    planted = "the resolver answers nobody"
    wanted: ClassVar[Mapping[str, Wanted]] = {
        "recovery": Wanted(Verdict.FAILED, ("has no address: the resolver",))
    }

    def plan(self) -> dict[str, Any]:
        # It is watched for the RTO and the time to start: no longer than a start may need.
        return {
            "objectives": {"rto": "1s", "rpo": "1h"},
            "services": [service(self.scene.fixed, startTimeLimit="15s")],
        }

    @asynccontextmanager
    async def harm(self) -> AsyncIterator[None]:
        with self.scene.fault("dark-resolver"):
            yield


class BlindWitness(Control):
    name = "blind-witness"
    planted = "the witness stood still for two seconds while the service came up"
    wanted: ClassVar[Mapping[str, Wanted]] = {
        "recovery": Wanted(Verdict.NOT_PROVEN, ("the witness was blind for",))
    }

    def plan(self) -> dict[str, Any]:
        return {"services": [service(self.scene.fixed)]}

    async def meanwhile(self, drill: Rehearsal) -> None:
        await drill.until("the witness watched", lambda status: status.declared_at is not None)
        with self.scene.witness_stopped():
            await asyncio.sleep(2)


class FailedDelete(Control):
    name = "failed-delete"
    planted = "the copy of the database cannot be deleted"
    wanted: ClassVar[Mapping[str, Wanted]] = {"cleanup": Wanted(Verdict.FAILED, ("left behind", "drill-"))}

    def plan(self) -> dict[str, Any]:
        return {"stores": [store(self.scene)]}

    @asynccontextmanager
    async def harm(self) -> AsyncIterator[None]:
        copy = f"drill-{self.scene.name(self.name)}*"
        with self.scene.fault("failed-delete", database=copy, region=AWAY) as self.fault:
            yield

    async def afterwards(self, report: DrillReport, drill: Rehearsal) -> None:
        """Expect a lease that is open, with an alarm; and that it cleans up once deletes succeed."""
        status = report.status
        said = status.judgement.words if status.judgement else ""
        if said != "recovered, not clean":
            self.problems.append(f"the drill says {said!r}, expected 'recovered, not clean'")
        client, run = self.scene.client, status.run
        self.problems += await expect_open(client, run)
        self.scene.cloud.end_fault(self.fault)
        self.problems += await expect_cleaned(client, run, drill)
        copy = status.stores[0].copy_id
        if self.scene.production.copy_of(copy):
            self.problems.append(f"{copy} is still there, although the lease says that it has ended")


class LeakingIsolation(Control):
    name = "leaking-isolation"
    planted = "production is reached from inside, where isolation is enforced"
    wanted: ClassVar[Mapping[str, Wanted]] = {
        "isolation": Wanted(Verdict.FAILED, ("production is reached from inside: ",))
    }

    def plan(self) -> dict[str, Any]:
        return {**whole(self.scene), "isolation": "enforced"}

    async def afterwards(self, report: DrillReport, _drill: Rehearsal) -> None:
        endpoint = self.scene.production.endpoint
        address = f"{endpoint['Address']}:{endpoint['Port']}"
        isolation = report.status.isolation
        if isolation is None or address not in isolation.reached:
            self.problems.append(f"{address} is not among the addresses that were reached")


CATALOGUE: Mapping[str, type[Control]] = {
    one.name: one
    for one in (
        Healthy,
        DroppedTable,
        StaleReplica,
        WrongSecret,
        WrongData,
        DarkResolver,
        BlindWitness,
        FailedDelete,
        LeakingIsolation,
    )
}
