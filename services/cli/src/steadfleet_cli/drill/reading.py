"""Read where a drill stands: from its worker, from its result, or from what Temporal itself knows."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta

from temporalio.client import (
    Client,
    WorkflowFailureError,
    WorkflowQueryFailedError,
    WorkflowQueryRejectedError,
)
from temporalio.service import RPCError

from steadfleet_cli.drill.orders import Drilled, drill_handle, order_of, plan_of
from steadfleet_cli.engine import DRILLS, cause_of
from steadfleet_cli.executions import COMPLETED, NATIVELY_PAUSED, Execution, describe, search
from steadfleet_cli.exits import CommandError, ExitCode
from steadfleet_cli.pending import Step, steps_of
from steadfleet_core.drill.plan import Isolation
from steadfleet_core.drill.report import DrillReport, DrillState, DrillStatus
from steadfleet_workflows.drill import DrDrill
from steadfleet_workflows.visibility import REASON, STATE

_ANSWER_TIME = timedelta(seconds=5)
_LOOK_EVERY = timedelta(seconds=1)
MOST_LOOKED_AT = 1000
_KILLED = {"terminated", "timed out"}
_REPORTED = {"running", "completed", "failed", "canceled"}


@dataclass(frozen=True)
class Standing:
    """A drill's status and what it does just now; `silent` is why only Temporal answers."""

    status: DrillStatus
    execution: Execution
    activities: tuple[Step, ...] = ()
    silent: str = ""

    @property
    def ended(self) -> bool:
        return not self.execution.open

    @property
    def identity(self) -> str:
        return self.execution.workflow_id


async def drills_of(
    client: Client, plan: str | None, most: int, *, running: bool = False
) -> AsyncIterator[Execution]:
    """Yield the drills of a plan, or of all, the newest first; found by their ids, which need no worker."""
    query = "WorkflowType = 'DrDrill'"
    if running:
        query += " AND (ExecutionStatus = 'Running' OR ExecutionStatus = 'Paused')"
    if plan:
        # One plan's name may begin another's, and drills of a schedule have no slash after it.
        quoted = plan.replace("\\", "\\\\").replace("'", "\\'")
        query += f" AND WorkflowId STARTS_WITH 'drill/{quoted}'"
    async for execution in search(client, query, MOST_LOOKED_AT):
        if most > 0 and (plan is None or plan_of(execution.workflow_id) == plan):
            most -= 1
            yield execution


def told_state(execution: Execution) -> str:
    """Trust the drill's own word only while Temporal's does not contradict it."""
    said = execution.word(STATE.name)
    return said if said and execution.status in _REPORTED else execution.status


async def find(client: Client, drill: Drilled) -> Execution:
    """Return the drill that is meant; raise when there is none."""
    if drill.workflow_id:
        found = await describe(client, drill.workflow_id)
    else:
        found = await anext(drills_of(client, drill.plan, 1), None)
    if found is None:
        raise CommandError(
            f"Temporal knows of no drill {drill}",
            ExitCode.REFUSED,
            "`steadfleet drill list` shows the drills that it remembers",
        )
    return found


async def find_open(client: Client, drill: Drilled) -> Execution:
    """Return the drill that a verb means: of a plan the one that runs, for a verb must not hit another."""
    if drill.workflow_id:
        return await find(client, drill)
    running = [one async for one in drills_of(client, drill.plan, MOST_LOOKED_AT, running=True)]
    if len(running) > 1:
        raise CommandError(
            f"several drills of {drill.plan} run: {', '.join(one.workflow_id for one in running)}",
            ExitCode.REFUSED,
            "name one of them in place of the plan",
        )
    return running[0] if running else await find(client, drill)


async def read_standing(client: Client, drill: Drilled) -> Standing:
    return await standing_of(client, await find(client, drill))


async def standing_of(client: Client, execution: Execution) -> Standing:
    if execution.status == COMPLETED:
        return Standing((await result_of(client, execution)).status, execution)
    activities = await steps_of(client, execution) if execution.open else ()
    try:
        status = await _ask(client, execution)
    except (RPCError, WorkflowQueryFailedError, WorkflowQueryRejectedError) as error:
        return Standing(await _known(client, execution), execution, activities, _silence(execution, error))
    return Standing(status, execution, activities)


async def follow_standing(client: Client, identity: str) -> AsyncIterator[Standing | CommandError]:
    """Yield where it stands, every second, until it has ended; an error when the engine is away."""
    while True:
        try:
            standing = await read_standing(client, Drilled(plan_of(identity), identity))
        except RPCError as error:
            yield CommandError(str(error), ExitCode.UNREACHABLE, "")
        else:
            yield standing
            if standing.ended:
                return
        await asyncio.sleep(_LOOK_EVERY.total_seconds())


async def result_of(client: Client, execution: Execution) -> DrillReport:
    return await drill_handle(client, execution.workflow_id, execution.run_id).result()


async def read_report(client: Client, drill: Drilled) -> DrillReport:
    """Return the report of a drill that has ended."""
    standing = await read_standing(client, drill)
    ended_at = standing.execution.ended_at
    if ended_at is None and standing.status.state.closed:  # the engine's list is a moment late
        return await result_of(client, standing.execution)
    if ended_at is None:
        raise CommandError(
            f"{standing.identity} has not ended ({standing.status.state}): its report comes at its end",
            ExitCode.REFUSED,
            f"`steadfleet drill watch {standing.identity}`",
        )
    if standing.execution.status == COMPLETED:
        return await result_of(client, standing.execution)
    return DrillReport(status=standing.status, ended_at=ended_at)


async def _ask(client: Client, execution: Execution) -> DrillStatus:
    handle = drill_handle(client, execution.workflow_id, execution.run_id)
    status = await handle.query(DrDrill.status, rpc_timeout=_ANSWER_TIME)
    if execution.status not in _KILLED:
        return status
    killed = f"{execution.status} in Temporal while {status.state}: its lease takes away what it had made"
    return status.model_copy(update={"state": DrillState.ABORTED, "reason": killed})


async def _known(client: Client, execution: Execution) -> DrillStatus:
    """Put together what needs no worker: the order, the search attributes, how it was closed."""
    order = await order_of(client, execution.workflow_id, execution.run_id)
    plan, spec = order.plan, order.plan.spec
    state, reason = execution.word(STATE.name) or DrillState.PREPARING, execution.word(REASON.name)
    if not execution.open:
        state = DrillState.REFUSED if execution.status == "failed" else DrillState.ABORTED
        reason = await _end_of(client, execution)
    return DrillStatus(
        plan=plan.name,
        labels=plan.metadata.labels,
        mode=order.resolved_mode,
        strategy=spec.strategy,
        state=DrillState(state),
        reason=reason,
        requested_by=order.requested_by,
        order=order.digest,
        run="",
        region=spec.recovery.region,
        objectives=spec.objectives,
        isolation_enforced=spec.isolation is Isolation.ENFORCED,
        started_at=execution.started_at,
    )


async def _end_of(client: Client, execution: Execution) -> str:
    handle = client.get_workflow_handle(execution.workflow_id, run_id=execution.run_id)
    try:
        await handle.result(follow_runs=False)
    except WorkflowFailureError as error:
        return cause_of(error) if execution.status == "failed" else f"{execution.status} in Temporal"
    return execution.status


def _silence(execution: Execution, error: Exception) -> str:
    if execution.status == NATIVELY_PAUSED:
        unpause = f"`temporal workflow unpause -w {execution.workflow_id}`"
        return f"it was paused in Temporal itself, and answers nothing until {unpause}"
    return f"no worker answers on {DRILLS.task_queue} ({cause_of(error)}); this is what Temporal itself knows"
