"""Reports of drills, told from what happened: the verdicts are drawn from it as in a real one."""

from datetime import UTC, datetime, timedelta

from steadfleet_core.drill.judging import concluded
from steadfleet_core.drill.measuring import DataLoss, Observation, SealedLedger, Stretch
from steadfleet_core.drill.order import ResolvedService, ResolvedStore
from steadfleet_core.drill.plan import Mode, Objectives, Strategy
from steadfleet_core.drill.report import (
    CheckResult,
    DrillReport,
    DrillState,
    DrillStatus,
    Finding,
    IsolationResult,
    Preflight,
    Skipped,
)
from steadfleet_core.drill.steps import Step, StepKind, StepProgress, StepState
from steadfleet_core.drill.verdict import Verdict

DECLARED = datetime(2026, 3, 7, 2, 30, tzinfo=UTC)
_ENDS = {
    Verdict.PASSED: DrillState.PASSED,
    Verdict.FAILED: DrillState.FAILED,
    Verdict.NOT_PROVEN: DrillState.NOT_PROVEN,
}


def at(seconds: float) -> datetime:
    """Return a moment after the declared start."""
    return DECLARED + timedelta(seconds=seconds)


def step(kind: StepKind, subject: str, start: float, end: float, *needs: str) -> StepProgress:
    return StepProgress(
        step=Step(kind=kind, subject=subject, needs=needs, standing=end <= 0),
        state=StepState.DONE,
        attempts=1,
        started_at=at(start),
        ended_at=at(end),
    )


def observation(service: str = "shop", recovered: float = 510) -> Observation:
    first_good = recovered - 10
    return Observation(
        service=service,
        declared_at=DECLARED,
        interval=timedelta(seconds=5),
        successes=3,
        first_good_at=at(first_good),
        recovered_at=at(recovered),
        last_probe_at=at(recovered),
        probes=int(recovered // 5),
        longest_gap=timedelta(seconds=6),
        stretches=(
            Stretch(
                good=False, first_at=at(0), last_at=at(first_good - 80), count=83, reason="connection refused"
            ),
            Stretch(good=True, first_at=at(first_good - 75), last_at=at(first_good - 65), count=2),
            Stretch(
                good=False, first_at=at(first_good - 60), last_at=at(first_good - 5), count=12, reason="503"
            ),
            Stretch(good=True, first_at=at(first_good), last_at=at(recovered), count=3),
        ),
    )


def pilot_light_steps() -> tuple[StepProgress, ...]:
    return (
        step(StepKind.ISOLATE, "", -1500, -1460),
        step(StepKind.REPLICATE, "orders", -1460, -120, "isolate"),
        step(StepKind.RESTORE, "orders", 12, 210, "replicate orders"),
        step(StepKind.PROVISION, "shop", 12, 95, "isolate"),
        step(StepKind.START, "shop", 214, 480, "provision shop", "restore orders"),
    )


def loss(**changed: object) -> DataLoss:
    known = DataLoss(
        store="orders",
        ledger="orders",
        acknowledged=36000,
        recovered=35988,
        lost=12,
        oldest_lost_age=timedelta(seconds=1.2),
        newest_recovered_at=at(-1.3),
        covered=timedelta(hours=1),
    )
    return known.model_copy(update=changed)


def drill_status(**changed: object) -> DrillStatus:
    """Return a pilot light that was recovered; `changed` is what happened otherwise."""
    happened = DrillStatus(
        plan="shop-dr",
        labels={"tier": "1"},
        mode=Mode.DRILL,
        strategy=Strategy.PILOT_LIGHT,
        state=DrillState.MEASURING,
        requested_by="alice",
        order=f"sha256:{'a' * 64}",
        run="shop-dr-20260307T020000Z",
        region="eu-central-1",
        objectives=Objectives(rto=timedelta(minutes=15), rpo=timedelta(minutes=5)),
        preflight=Preflight(at=at(-1700), checked=("quotas", "backups of orders")),
        stores=(
            ResolvedStore(name="orders", source="orders-prod", engine="postgres 16", copy_id="d-orders"),
        ),
        services=(ResolvedService(name="shop", image="ami-1", address="shop.drill.internal", port=8080),),
        steps=pilot_light_steps(),
        started_at=at(-1800),
        declared_at=DECLARED,
        ledgers=(
            SealedLedger(
                name="orders",
                digest=f"sha256:{'b' * 64}",
                entries=36000,
                first_at=at(-3600),
                last_at=at(-0.1),
            ),
        ),
        observations=(observation(),),
        isolation=IsolationResult(probed=("orders-prod.internal:5432", "10.0.3.7:8080")),
        validations=(
            CheckResult(name="front page", type="http", passed=True, seconds=0.21),
            CheckResult(name="order count", type="sql", passed=True, seconds=1.4),
        ),
        losses=(loss(),),
        findings=(Finding(what="the quota leaves room for 2 more hosts", advice="ask for more"),),
        removed=17,
    )
    return happened.model_copy(update=changed)


def drill_report(ended: float = 900, /, **changed: object) -> DrillReport:
    """Judge it, and close it."""
    judged = concluded(drill_status(**changed))
    aborted = DrillState.ABORTED if judged.aborted else None
    state = aborted or _ENDS[judged.overall or Verdict.NOT_PROVEN]
    return DrillReport(status=judged.model_copy(update={"state": state}), ended_at=at(ended))


def days_before(days: int, recovered: float = 300, **changed: object) -> DrillReport:
    """Return an earlier drill of the plan, which took `recovered` seconds."""
    report = drill_report(900, **{"observations": (observation(recovered=recovered),)} | changed)
    begun = at(-1800) - timedelta(days=days)
    update = {"started_at": begun, "run": f"shop-dr-{begun:%Y%m%dT%H%M%SZ}"}
    return report.model_copy(update={"status": report.status.model_copy(update=update)})


def full_report() -> DrillReport:
    """Return a report with something in every field, so that none can be forgotten."""
    loud = drill_report(
        preflight=Preflight(
            at=at(-1700),
            findings=(Finding(what="no quota", blocks=True, predicts="start shop", advice="ask for more"),),
            checked=("quotas",),
        ),
        stores=(
            ResolvedStore(
                name="orders",
                source="orders-prod",
                engine="postgres 16",
                copy_id="d-orders",
                point=at(-90),
                point_id="snap-1",
                facts={"subnets": "db-1"},
            ),
        ),
        services=(
            ResolvedService(
                name="shop",
                image="ami-1",
                content=f"sha256:{'c' * 64}",
                address="shop.drill.internal",
                port=8080,
                facts={"kind": "group"},
            ),
        ),
        steps=tuple(
            one.model_copy(update={"reason": f"why {one.step.name}", "facts": {"host": f"h-{one.step.kind}"}})
            for one in pilot_light_steps()
        ),
        ledgers=(
            SealedLedger(
                name="orders",
                digest=f"sha256:{'b' * 64}",
                entries=36000,
                first_at=at(-3600),
                last_at=at(-1),
                problem="its end was torn",
            ),
        ),
        isolation=IsolationResult(
            probed=("10.0.0.1:5432", "10.0.0.2:5432"), reached=("10.0.0.1:5432",), problem="half of it"
        ),
        validations=(CheckResult(name="rows", type="sql", passed=True, seconds=1.5, reason="a bit late"),),
        losses=(
            loss(duplicates=2, unacknowledged=3, uncertainty=timedelta(seconds=4), problem="one row unread"),
        ),
        skipped=(Skipped(step="provision shop", by="bob", reason="it was there"),),
        residue=("volume vol-1",),
        obligations=("ask the janitor",),
    )
    told = {"reason": "halted once", "aborted": "aborted by carol"}
    return loud.model_copy(update={"status": loud.status.model_copy(update=told)})
