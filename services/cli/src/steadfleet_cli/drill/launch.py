"""Start a drill, or attach to the same one that runs; ask for a preflight."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from temporalio.client import Client
from temporalio.common import SearchAttributePair, TypedSearchAttributes, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError

from steadfleet_cli.differences import differences
from steadfleet_cli.drill.orders import order_of, preflight_id
from steadfleet_cli.drill.reading import drills_of
from steadfleet_cli.engine import CAMPAIGNS, DRILLS, JANITOR, WITNESS, polled, result_of, ui_link
from steadfleet_cli.executions import Execution, attributes_registered
from steadfleet_cli.exits import CommandError, ExitCode
from steadfleet_core.drill.order import DrillOrder, workflow_id
from steadfleet_core.drill.plan import Mode
from steadfleet_core.model import Digest, Model
from steadfleet_workflows.drill import DrDrill
from steadfleet_workflows.drill_inspection import DrillPreflight, Inspected
from steadfleet_workflows.visibility import FLEET, PLAN

_UNLISTED = "`steadfleet drill list` will show no verdicts: `steadfleet doctor` says why"
_MOST_OF_PREFLIGHT = timedelta(hours=1)


class Outcome(StrEnum):
    STARTED = "started"
    ATTACHED = "attached"


class Launch(Model):
    """What `drill run` did."""

    plan: str
    workflow_id: str
    outcome: Outcome
    order: Digest
    mode: Mode
    ui: str
    notes: tuple[str, ...] = ()


async def begin(client: Client, order: DrillOrder, ask: Callable[[tuple[str, ...]], None]) -> Launch:
    """Attach, or `ask` with what is missing and start; `ask` raises to go no further."""
    running = await _running(client, order)
    if running is not None:
        return _launch(client, order, running.workflow_id, Outcome.ATTACHED)
    missing = await missing_workers(client, order)
    ask(missing)
    registered = await attributes_registered(client)
    identity = workflow_id(order.plan.name, datetime.now(UTC))
    try:
        await start(client, order.model_copy(update={"search_attributes": registered}), identity)
    except WorkflowAlreadyStartedError:  # in this very second: the name of a drill is its time
        return _launch(client, order, identity, Outcome.ATTACHED)
    return _launch(client, order, identity, Outcome.STARTED, missing if registered else (*missing, _UNLISTED))


async def start(client: Client, order: DrillOrder, identity: str) -> None:
    await client.start_workflow(
        DrDrill.run,
        order,
        id=identity,
        task_queue=DRILLS.task_queue,
        id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
        static_summary=summary(order),
        search_attributes=attributes(order),
    )


def summary(order: DrillOrder) -> str:
    spec = order.plan.spec
    return f"{order.resolved_mode} of {order.plan.name}: {spec.strategy} in {spec.recovery.region}"


def attributes(order: DrillOrder) -> TypedSearchAttributes:
    """Return what lists find a drill by, from its first moment; nothing where the namespace lacks it."""
    if not order.search_attributes:
        return TypedSearchAttributes.empty
    fleet = order.plan.spec.fleet
    pairs = [SearchAttributePair(PLAN, order.plan.name)]
    return TypedSearchAttributes([*pairs, SearchAttributePair(FLEET, fleet)] if fleet else pairs)


async def _running(client: Client, order: DrillOrder) -> Execution | None:
    """Return the drill that this order would repeat; refuse where the plan is rehearsed otherwise."""
    async for execution in drills_of(client, order.plan.name, 1, running=True):
        there = await order_of(client, execution.workflow_id, execution.run_id)
        if (there.digest, there.resolved_mode) == (order.digest, order.resolved_mode):
            return execution
        differing = list(differences(there.plan, order.plan))
        if there.resolved_mode is not order.resolved_mode:
            differing.append(f"it is a {there.resolved_mode} there and a {order.resolved_mode} here")
        raise CommandError(
            f"{execution.workflow_id} runs from a different order: {'; '.join(differing)}",
            ExitCode.NAME_TAKEN,
            f"wait for its end, or `steadfleet drill abort {execution.workflow_id} --reason TEXT`",
        )
    return None


async def missing_workers(client: Client, order: DrillOrder) -> tuple[str, ...]:
    """Say which services nobody runs, and what the drill would do without each."""
    needed = {DRILLS: "the drill would wait at its first step"}
    if order.resolved_mode is Mode.DRILL:
        needed[JANITOR] = "no lease would be granted, and so nothing made"
        needed[WITNESS] = "nobody would see when disaster is declared, and what is recovered"
        if order.plan.spec.fleet:
            needed[CAMPAIGNS] = "the fleet could not be reserved"
    return tuple(
        [
            f"no worker polls task queue {service.task_queue}: {effect}; {service.advice}"
            for service, effect in needed.items()
            if not await polled(client, service)
        ]
    )


async def preflight(client: Client, order: DrillOrder) -> Inspected:
    """Have everything looked at that a drill would need; nothing is made."""
    registered = await attributes_registered(client)
    order = order.model_copy(update={"search_attributes": registered})
    handle = await client.start_workflow(
        DrillPreflight.run,
        order,
        id=preflight_id(order.plan.name, datetime.now(UTC)),
        task_queue=DRILLS.task_queue,
        execution_timeout=_MOST_OF_PREFLIGHT,
        static_summary=f"preflight of {order.plan.name}",
        search_attributes=attributes(order),
    )
    return await result_of(client, handle, DRILLS, "correct the plan, or what it names")


def _launch(
    client: Client, order: DrillOrder, identity: str, outcome: Outcome, notes: tuple[str, ...] = ()
) -> Launch:
    return Launch(
        plan=order.plan.name,
        workflow_id=identity,
        outcome=outcome,
        order=order.digest,
        mode=order.resolved_mode,
        ui=ui_link(client, identity),
        notes=notes,
    )
