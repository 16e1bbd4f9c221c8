"""Open and close leases, through the lease's own workflow on the janitor's queue."""

import asyncio
from datetime import timedelta

from temporalio import activity
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import (
    Client,
    WithStartWorkflowOperation,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from steadfleet_activities.client import client_of
from steadfleet_ports.lease import (
    JANITOR_QUEUE,
    LEASE_WORKFLOW,
    TERM,
    LeaseOrder,
    Leases,
    LeaseStatus,
    Residue,
    lease_id,
)

_PATIENCE = timedelta(seconds=30)
"""An update waits for the janitor's worker and its rehearsal: then the activity asks again."""

_GRACE = timedelta(seconds=15)
_LOOK_EVERY = timedelta(seconds=0.5)

_NO_JANITOR = (
    f"no janitor answers on queue {JANITOR_QUEUE}: start steadfleet-janitor (`steadfleet up` does on this "
    "machine); without it nothing is created or held"
)


class TemporalLeases(Leases):
    """`term` and `region` are what an order means that names none."""

    def __init__(self, *, region: str, term: timedelta = TERM, client: Client | None = None) -> None:
        self._region = region
        self._term = term
        self._given = client

    @activity.defn
    async def open_lease(self, order: LeaseOrder) -> LeaseStatus:
        client = client_of(self._given)
        await _expect_janitor(client)
        order = self._completed(order)
        start: WithStartWorkflowOperation[object, object] = WithStartWorkflowOperation(
            LEASE_WORKFLOW,
            order,
            id=lease_id(order.sweep.run),
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            task_queue=JANITOR_QUEUE,
        )
        try:
            status: LeaseStatus = await client.execute_update_with_start_workflow(
                "open",
                order,
                # The same for every try of this activity, which so finds the answer of the one before; not
                # for the next activity: it may ask again what was refused.
                id=f"open {activity.info().workflow_run_id} {activity.info().activity_id}",
                start_workflow_operation=start,
                result_type=LeaseStatus,
                rpc_timeout=_PATIENCE,
            )
        except WorkflowUpdateFailedError as error:
            raise _words_of(error) from error
        except WorkflowUpdateRPCTimeoutOrCancelledError as error:
            raise _no_answer() from error
        return status

    @activity.defn
    async def close_lease(self, order: LeaseOrder) -> Residue:
        handle = client_of(self._given).get_workflow_handle(lease_id(order.sweep.run))
        try:
            residue: Residue = await handle.execute_update(
                "close",
                order.owner,
                id=f"close {order.owner.run}",
                result_type=Residue,
                rpc_timeout=_PATIENCE,
            )
        except WorkflowUpdateFailedError as error:
            raise _words_of(error) from error
        except WorkflowUpdateRPCTimeoutOrCancelledError as error:
            raise _no_answer() from error
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                raise _no_lease(order) from error
            raise
        return residue

    def _completed(self, order: LeaseOrder) -> LeaseOrder:
        sweep = order.sweep
        if not (sweep.regions or sweep.docker):
            sweep = sweep.model_copy(update={"regions": (self._region,)})
        obligations = tuple(
            one.model_copy(update={"region": one.region or self._region}) for one in order.obligations
        )
        update = {"sweep": sweep, "obligations": obligations, "term": order.term or self._term}
        return order.model_copy(update=update)


async def _expect_janitor(client: Client) -> None:
    """Refuse before a lease is started that nobody would work on; one that restarts is waited for."""
    end = asyncio.get_running_loop().time() + _GRACE.total_seconds()
    while not await _polled(client):
        if asyncio.get_running_loop().time() > end:
            raise ApplicationError(_NO_JANITOR, type="NoJanitorError", non_retryable=True)
        await asyncio.sleep(_LOOK_EVERY.total_seconds())


async def _polled(client: Client) -> bool:
    request = DescribeTaskQueueRequest(
        namespace=client.namespace,
        task_queue=TaskQueue(name=JANITOR_QUEUE),
        task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
    )
    try:
        seen = await client.workflow_service.describe_task_queue(request)
    except RPCError as error:
        if error.status is RPCStatusCode.UNIMPLEMENTED:  # the time-skipping server
            return True
        raise
    return bool(seen.pollers)


def _no_answer() -> ApplicationError:
    return ApplicationError(
        f"a janitor has polled queue {JANITOR_QUEUE} of late, but does not answer: see the log of "
        "steadfleet-janitor",
        type="NoJanitorError",
    )


def _no_lease(order: LeaseOrder) -> ApplicationError:
    run = order.sweep.run
    return ApplicationError(
        f"there is no open {lease_id(run)}: it was terminated, or ended by itself, so nobody has looked now; "
        f"`steadfleet sweep --run {run}` does",
        type="NoLeaseError",
        non_retryable=True,
    )


def _words_of(error: WorkflowUpdateFailedError) -> ApplicationError:
    """Return what the lease itself said."""
    cause = error.cause
    if isinstance(cause, ApplicationError):
        return ApplicationError(cause.message, type=cause.type, non_retryable=cause.non_retryable)
    return ApplicationError(str(cause), type="LeaseError")
