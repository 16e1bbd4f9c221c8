"""A drill of one store, and the requests that a workflow would make."""

from datetime import UTC, datetime, timedelta

from steadfleet_activities.drill.postgres.stores import PostgresStores
from steadfleet_core.drill.order import Drill, DrillOrder
from steadfleet_core.drill.plan import (
    DrillMetadata,
    DrillPlan,
    DrillSpec,
    Objectives,
    PostgresStore,
    Recovery,
    RecoveryPoint,
    Strategy,
)
from steadfleet_core.drill.steps import Step, StepKind
from steadfleet_ports.drill import DrillInspection, DrillPreparation, StepRequest

RUN = "drill-orders-20270131t040000z"


def plan_of(store: PostgresStore, strategy: Strategy, point: RecoveryPoint) -> DrillPlan:
    return DrillPlan(
        api_version="steadfleet.dev/v1",
        kind="DrillPlan",
        metadata=DrillMetadata(name="orders"),
        spec=DrillSpec(
            strategy=strategy,
            recovery=Recovery(region="eu-west-1"),
            recovery_point=point,
            objectives=Objectives(rto=timedelta(hours=1), rpo=timedelta(minutes=5)),
            stores=(store,),
        ),
    )


async def prepared(
    stores: PostgresStores,
    store: PostgresStore,
    strategy: Strategy = Strategy.BACKUP_RESTORE,
    point: RecoveryPoint | None = None,
    run: str = RUN,
) -> Drill:
    plan = plan_of(store, strategy, point or RecoveryPoint())
    at = datetime.now(UTC)
    expires_at = at + timedelta(hours=8)
    order = DrillOrder(plan=plan, requested_by="ada")
    found = await stores.resolve(store, DrillPreparation(order=order, run=run, at=at, expires_at=expires_at))
    return Drill(
        plan=plan,
        run=run,
        region="eu-west-1",
        expires_at=expires_at,
        stores=(found.resolved,),
        production=found.production,
    )


def request(drill: Drill, kind: StepKind = StepKind.RESTORE) -> StepRequest:
    return StepRequest(drill=drill, step=Step(kind=kind, subject="orders"))


def inspection(drill: Drill, at: datetime | None = None) -> DrillInspection:
    return DrillInspection(drill=drill, at=at or datetime.now(UTC))


def silent(_step: str) -> None:
    """Say nothing to nobody."""
