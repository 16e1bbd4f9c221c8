"""A drill as a person reads it before anything is made."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice

from steadfleet_cli.drill.cron import times
from steadfleet_cli.output import clock, section, table
from steadfleet_core.drill.order import DrillOrder
from steadfleet_core.drill.plan import (
    AnyService,
    AnyStore,
    DrillPlan,
    DrillSpec,
    GroupService,
    Isolation,
    Mode,
    RdsStore,
    Strategy,
    Validation,
)
from steadfleet_core.drill.steps import Step, steps_of
from steadfleet_core.model import format_duration

_SHOWN_RUNS = 3
_LOOK_AHEAD = timedelta(days=366)


def stages(steps: Sequence[Step]) -> list[tuple[Step, ...]]:
    """Group the steps by what they need: those of one stage may run side by side."""
    depth: dict[str, int] = {}
    for step in steps:  # what is needed comes first
        depth[step.name] = 1 + max((depth[name] for name in step.needs if name in depth), default=-1)
    deepest = max(depth.values(), default=-1)
    return [tuple(step for step in steps if depth[step.name] == level) for level in range(deepest + 1)]


def plan_text(order: DrillOrder, missing: Sequence[str] = (), now: datetime | None = None) -> str:
    return "\n".join(_lines(order, missing, now or datetime.now(UTC)))


def _lines(order: DrillOrder, missing: Sequence[str], now: datetime) -> Iterator[str]:
    plan, spec = order.plan, order.plan.spec
    mode = order.resolved_mode
    yield f"drill {plan.name}: {mode}, {spec.strategy}, recovered in {spec.recovery.region}"
    yield f"order {order.digest}"
    if mode is Mode.TABLETOP:
        yield "a tabletop only looks: of what follows nothing is made, and nothing is proven"
    yield from (f"{key}: {value}" for key, value in plan.metadata.labels.items())
    yield ""
    yield _steps_table(spec)
    yield from section("makes, and takes away again", list(_made(spec)))
    yield from section("objectives", list(_objectives(spec)))
    yield from section("validations", [_validation(check) for check in spec.validations])
    yield from section("limits", list(_limits(spec)))
    yield from section("schedule", list(_schedule(plan, now)))
    yield from section("not proven by this plan", list(unproven(spec)))
    yield from section("missing", missing)


def _steps_table(spec: DrillSpec) -> str:
    all_steps = steps_of(spec)
    rows = []
    for standing in (True, False):
        steps = [step for step in all_steps if step.standing is standing]
        for number, side_by_side in enumerate(stages(steps), 1):
            for step in side_by_side:
                when = "before" if standing else "after"
                rows.append((when, str(number), step.name, ", ".join(step.needs)))
    heading = ("clock", "stage", "step", "after")
    return table([heading, *rows]) + "\n" + "steps of one stage may run side by side"


def _made(spec: DrillSpec) -> Iterator[str]:
    yield f"a network without a way to production, with names that end in {spec.recovery.zone}"
    live = spec.strategy is not Strategy.BACKUP_RESTORE
    for store in spec.stores:
        yield f"{_copy(store)}{', replicated before the clock starts' if live else ''}"
    for service in spec.services:
        yield _machines(service)


def _copy(store: AnyStore) -> str:
    if isinstance(store, RdsStore):
        return f"{store.name}: a copy of DB instance {store.id}, {store.instance_class}"
    source = f" from {store.backup}" if store.backup else ""
    return f"{store.name}: a copy of the PostgreSQL server {store.host}:{store.port}{source}"


def _machines(service: AnyService) -> str:
    if isinstance(service, GroupService):
        machines = "machine" if service.count == 1 else "machines"
        what = f"{service.count} {machines} ({service.instance_type}) behind a load balancer"
    else:
        what = "1 container" if service.count == 1 else f"{service.count} containers"
    return f"{service.name}: {what}, from {service.image}, port {service.port}"


def _objectives(spec: DrillSpec) -> Iterator[str]:
    probing = spec.probing
    yield (
        f"RTO {format_duration(spec.objectives.rto)}: "
        f"recovered after {probing.successes} good probes in a row, {format_duration(probing.interval)} apart"
    )
    yield f"RPO {format_duration(spec.objectives.rpo)}: the age of the oldest acknowledged write that is lost"
    point = spec.recovery_point
    if point.at:
        yield f"data as of {clock(point.at)}"
    elif point.random_within:
        yield f"data as of a random moment within the last {format_duration(point.random_within)}"
    else:
        yield "data as of the latest moment that can be recovered"
    way = "fails the drill" if spec.isolation is Isolation.ENFORCED else "is told, and is never green"
    yield f"isolation {spec.isolation}: a way to production {way}"


def _validation(check: Validation) -> str:
    subject = check.store if check.type in {"sql", "checksum"} else check.service  # type: ignore[union-attr]
    return f"{check.name}: {check.type} of {subject}, within {format_duration(check.time_limit)}"


def _limits(spec: DrillSpec) -> Iterator[str]:
    hosts = sum(service.count for service in spec.services)
    yield f"{hosts} of at most {spec.limits.hosts} hosts"
    yield f"ended and torn down after {format_duration(spec.limits.time)} at the latest"
    yield f"a failed step waits {format_duration(spec.limits.halt_time)} for retry, skip or abort"
    if spec.fleet:
        yield f"fleet {spec.fleet} is reserved meanwhile: no campaign changes it"


def _schedule(plan: DrillPlan, now: datetime) -> Iterator[str]:
    schedule = plan.spec.schedule
    if schedule is None:
        return
    yield f"{schedule.cron} in {schedule.timezone}, once `steadfleet drill schedule create` has been run"
    if schedule.blocked_dates:
        yield f"never on {', '.join(map(str, sorted(schedule.blocked_dates)))}"
    coming = list(islice(times(schedule, now, now + _LOOK_AHEAD), _SHOWN_RUNS))
    yield f"next: {', '.join(map(clock, coming)) or 'not within a year'}"


def unproven(spec: DrillSpec) -> Iterator[str]:
    """Say what a drill of this plan cannot prove, however well it goes."""
    for store in spec.stores:
        if not store.ledger:
            yield f"{store.name} has no ledger: what it lost will not be known, so the drill cannot pass"
    if not spec.services:
        yield "there are no services, so nothing for the witness to see: the steps' own times count"
    if not spec.validations:
        yield "there are no validations: services that answer may still answer wrongly"


def plan_document(order: DrillOrder) -> dict[str, object]:
    """Return what would be done as JSON values."""
    spec = order.plan.spec
    steps = steps_of(spec)
    levels = {
        step.name: number
        for standing in (True, False)
        for number, stage in enumerate(stages([one for one in steps if one.standing is standing]), 1)
        for step in stage
    }
    return {
        "plan": order.plan.name,
        "mode": order.resolved_mode.value,
        "order": order.digest,
        "steps": [
            {
                "name": step.name,
                "kind": step.kind.value,
                "subject": step.subject,
                "needs": list(step.needs),
                "beforeTheClock": step.standing,
                "stage": levels[step.name],
            }
            for step in steps
        ],
        "makes": list(_made(spec)),
        "unproven": list(unproven(spec)),
    }
