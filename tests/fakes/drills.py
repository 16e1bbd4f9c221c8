"""A platform to recover on, and a witness, in memory: they fail, hang or see what a test wants."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from temporalio import activity
from temporalio.client import WorkflowHandle
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from fakes.images import AWAY, FakeLeases, World
from steadfleet_core.drill.measuring import (
    DataLoss,
    LedgerEntry,
    Observation,
    Sample,
    SealedLedger,
    loss_of,
)
from steadfleet_core.drill.order import (
    QUEUE,
    WITNESS_QUEUE,
    Drill,
    DrillOrder,
    ResolvedService,
    ResolvedStore,
    workflow_id,
)
from steadfleet_core.drill.plan import DrillPlan
from steadfleet_core.drill.report import (
    CheckResult,
    DrillReport,
    Finding,
    IsolationResult,
    Preflight,
)
from steadfleet_core.model import Digest, digest_of
from steadfleet_durable import register, workflow_runner
from steadfleet_ports.drill import (
    DrillInspection,
    DrillPreparation,
    Drills,
    IsolationProbe,
    Made,
    PastReports,
    Reports,
    StepRequest,
    StoredReport,
    ValidationRequest,
)
from steadfleet_ports.lease import LeaseOrder, Left, Residue
from steadfleet_ports.reservation import Claim, Grant, Reservations
from steadfleet_ports.witness import Declaration, Declared, Reconciliation, Watch, Witness
from steadfleet_workflows.drill import DrDrill
from steadfleet_workflows.drill_inspection import DrillHistory, DrillPreflight

PRODUCTION = "10.0.0.5:5432"


@dataclass
class DrillWorld(World):
    """What is found on the way. `failures` fail a step so many times; `blind` services are never probed."""

    findings: tuple[Finding, ...] = ()
    failures: dict[str, int] = field(default_factory=dict)
    recovers_after: timedelta | None = timedelta(seconds=20)
    blind: bool = False
    reached: set[str] = field(default_factory=set)
    reachable: tuple[str, ...] = ()
    wrong: tuple[str, ...] = ()
    unproven: tuple[str, ...] = ()
    lost: int = 0
    left: tuple[str, ...] = ()
    reports: list[str] = field(default_factory=list)
    holder: str = ""
    requests: list[StepRequest] = field(default_factory=list)
    counted_until: datetime | None = None

    async def attempt(self, name: str, thing: str) -> None:
        """Carry out a step which fails as often as it was told to, after it took effect."""
        await self.step(name, thing)
        if self.failures.get(name, 0):
            self.failures[name] -= 1
            raise ApplicationError(f"{name} went wrong", type="PlantedError", non_retryable=True)


class FakeDrills(Drills):
    def __init__(self, world: DrillWorld) -> None:
        self.world = world

    @activity.defn
    async def prepare_drill(self, preparation: DrillPreparation) -> Drill:
        await self.world.step("prepare")
        plan = preparation.order.plan
        stores = [
            ResolvedStore(
                name=one.name,
                source="shop-orders",
                copy_id=f"{preparation.run}-{one.name}",
                point=plan.spec.recovery_point.at or preparation.at - timedelta(hours=1),
            )
            for one in plan.spec.stores
        ]
        services = [
            ResolvedService(name=one.name, image="ami-1", address=f"{one.name}.drill.internal", port=one.port)
            for one in plan.spec.services
        ]
        return Drill(
            plan=plan,
            run=preparation.run,
            region=plan.spec.recovery.region,
            expires_at=preparation.expires_at,
            stores=tuple(stores),
            services=tuple(services),
            production=(PRODUCTION,),
        )

    @activity.defn
    async def inspect_drill(self, inspection: DrillInspection) -> Preflight:
        await self.world.step("inspect")
        return Preflight(at=inspection.at, findings=self.world.findings, checked=("backups",))

    async def _made(self, request: StepRequest, **facts: str) -> Made:
        self.world.requests.append(request)
        await self.world.attempt(request.step.name, request.step.name)
        return Made(facts=facts)

    @activity.defn
    async def isolate_drill(self, request: StepRequest) -> Made:
        return await self._made(request)

    @activity.defn
    async def replicate_store(self, request: StepRequest) -> Made:
        return await self._made(request)

    @activity.defn
    async def restore_store(self, request: StepRequest) -> Made:
        return await self._made(request, host="10.9.0.5", port="5432")

    @activity.defn
    async def provision_service(self, request: StepRequest) -> Made:
        return await self._made(request)

    @activity.defn
    async def start_service(self, request: StepRequest) -> Made:
        return await self._made(request, host="10.9.0.6", port="8080", machines="i-1,i-2")

    @activity.defn
    async def probe_isolation(self, probe: IsolationProbe) -> IsolationResult:
        await self.world.step("probe isolation")
        return IsolationResult(probed=probe.drill.production, reached=self.world.reachable)

    @activity.defn
    async def validate_recovery(self, request: ValidationRequest) -> CheckResult:
        check = request.validation
        await self.world.step("validate", where=check.name)
        return CheckResult(
            name=check.name,
            type=check.type,
            passed=check.name not in (*self.world.wrong, *self.world.unproven),
            proven=check.name not in self.world.unproven,
            reason="it is not what was expected" if check.name in self.world.wrong else "",
        )

    @activity.defn
    async def discard_drill(self, drill: Drill) -> tuple[str, ...]:
        await self.world.step("discard")
        return ()

    @activity.defn
    async def store_report(self, report: StoredReport) -> Digest:
        self.world.reports.append(report.content)
        return digest_of(report.content.encode())

    @activity.defn
    async def past_reports(self, request: PastReports) -> Reports:
        return Reports(contents=tuple(self.world.reports[-request.most :]))


class FakeWitness(Witness):
    """Declares disaster when it is asked to, and sees a service recover at the time that it is told."""

    def __init__(self, world: DrillWorld) -> None:
        self.world = world

    @activity.defn
    async def declare_disaster(self, declaration: Declaration) -> Declared:
        await self.world.step("declare")
        at = activity.info().scheduled_time
        ledgers = [
            SealedLedger(
                name=name, digest=digest_of(name.encode()), entries=100, first_at=at - timedelta(hours=1)
            )
            for name in declaration.ledgers
        ]
        return Declared(at=at, ledgers=tuple(ledgers))

    @activity.defn
    async def watch_recovery(self, watch: Watch) -> Observation:
        await self.world.step("watch", where=watch.service)
        if self.world.blind:
            raise ApplicationError("the witness is gone", non_retryable=True)
        seen = Observation(
            service=watch.service,
            declared_at=watch.declared_at,
            interval=watch.probing.interval,
            successes=watch.probing.successes,
        )
        good_after = self.world.recovers_after
        for number in range(1, 200):
            after = number * watch.probing.interval
            good = good_after is not None and after >= good_after
            sample = Sample(at=watch.declared_at + after, good=good, reason="" if good else "refused")
            seen = seen.seen(sample)
        return seen

    @activity.defn
    async def reconcile_ledger(self, reconciliation: Reconciliation) -> DataLoss:
        await self.world.step("reconcile", where=reconciliation.store)
        self.world.counted_until = reconciliation.as_of
        at = reconciliation.as_of
        entries = [
            LedgerEntry(sequence=n, acknowledged_at=at - timedelta(seconds=100 - n)) for n in range(100)
        ]
        found = [entry.sequence for entry in entries[: 100 - self.world.lost]]
        return loss_of(reconciliation.store, reconciliation.ledger, entries, found, at)


class DrillLeases(FakeLeases):
    """Takes away all that was made, but what is said to be left."""

    @activity.defn
    async def close_lease(self, order: LeaseOrder) -> Residue:
        residue = await super().close_lease(order)
        world = self.world
        assert isinstance(world, DrillWorld)
        removed = [Left(region=AWAY, type="thing", id=thing) for thing in sorted(world.things)]
        world.things.clear()
        left = [Left(region=AWAY, type="db-instance", id=one, why="it is stuck") for one in world.left]
        return residue.model_copy(update={"removed": tuple(removed), "left": tuple(left)})


class FakeReservations(Reservations):
    def __init__(self, world: DrillWorld) -> None:
        self.world = world

    @activity.defn
    async def reserve_fleet(self, claim: Claim) -> Grant:
        await self.world.step("reserve")
        holder = self.world.holder
        return Grant(
            granted=not holder, reason=f"fleet {claim.fleet} is reserved by {holder}" if holder else ""
        )

    @activity.defn
    async def release_fleet(self, claim: Claim) -> None:
        await self.world.step("release")


@asynccontextmanager
async def drill_workers(
    env: WorkflowEnvironment,
    world: DrillWorld,
    *workflows: type,
    reservations: Reservations | None = None,
    **options: Any,
) -> AsyncIterator[None]:
    """Work on both queues, as two services do: the witness is apart from the worker that recovers."""
    fakes = (FakeDrills(world), DrillLeases(world), reservations or FakeReservations(world))
    quick = timedelta(milliseconds=100)
    options = {
        "max_heartbeat_throttle_interval": quick,
        "default_heartbeat_throttle_interval": quick,
        **options,
    }
    async with (
        Worker(
            env.client,
            task_queue=QUEUE,
            workflows=[DrDrill, DrillPreflight, DrillHistory, *workflows],
            activities=[method for fake in fakes for method in register(fake)],
            workflow_runner=workflow_runner(),
            **options,
        ),
        Worker(env.client, task_queue=WITNESS_QUEUE, activities=register(FakeWitness(world)), **options),
    ):
        yield


def drill_plan(name: str = "shop", **spec: Any) -> DrillPlan:
    """Return a plan with one store and one service; `spec` replaces parts of it, in YAML's words."""
    defaults: dict[str, Any] = {
        "strategy": "backup-restore",
        "recovery": {"region": AWAY},
        "objectives": {"rto": "5m", "rpo": "1m"},
        "stores": [
            {
                "name": "orders",
                "type": "rds",
                "id": "shop-orders",
                "database": "shop",
                "user": "shop",
                "password": {"environment": "SHOP_PASSWORD"},
                "ledger": "orders",
            }
        ],
        "services": [
            {
                "name": "web",
                "type": "group",
                "dependsOn": ["orders"],
                "image": {"id": "ami-1"},
                "port": 8080,
                "environment": {"DATABASE_HOST": "${orders.host}"},
            }
        ],
        "validations": [
            {
                "name": "orders are there",
                "type": "sql",
                "store": "orders",
                "query": "select 1",
                "expected": "1",
            },
            {"name": "the shop is open", "type": "http", "service": "web"},
        ],
    }
    contract = {
        "apiVersion": "steadfleet.dev/v1",
        "kind": "DrillPlan",
        "metadata": {"name": name},
        "spec": {**defaults, **spec},
    }
    return DrillPlan.model_validate(contract)


def drill_order(name: str = "shop", **spec: Any) -> DrillOrder:
    return DrillOrder(plan=drill_plan(name, **spec), requested_by="ann", search_attributes=False)


async def start_drill(
    env: WorkflowEnvironment, workflow: Any = DrDrill.run, *, order: DrillOrder | None = None, **spec: Any
) -> WorkflowHandle[DrDrill, DrillReport]:
    order = order or drill_order(**spec)
    at = await _now(env)
    handle: WorkflowHandle[DrDrill, DrillReport] = await env.client.start_workflow(
        workflow,
        order,
        id=workflow_id(order.plan.name, at),
        task_queue=QUEUE,
        result_type=DrillReport,
        execution_timeout=timedelta(days=3),
    )
    return handle


async def _now(env: WorkflowEnvironment) -> datetime:
    return await env.get_current_time()
