"""Ask the fleet's own workflow for the fleet."""

from datetime import timedelta

from temporalio import activity
from temporalio.client import Client, WithStartWorkflowOperation, WorkflowExecutionStatus
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.service import RPCError, RPCStatusCode

from steadfleet_activities.client import client_of
from steadfleet_durable import get_logger
from steadfleet_ports.reservation import RESERVATION_WORKFLOW, Claim, Grant, Reservations, reservation_id

# An update waits for the fleet's workflow, whose worker may be starting: then the activity is retried.
_PATIENCE = timedelta(seconds=30)
_log = get_logger(__name__)


class TemporalReservations(Reservations):
    """Grants come from `fleet/<name>`, started when it is first asked; it knows who holds, not who lives."""

    def __init__(self, client: Client | None = None) -> None:
        self._given = client

    @property
    def _client(self) -> Client:
        return client_of(self._given)

    @activity.defn
    async def reserve_fleet(self, claim: Claim) -> Grant:
        grant = await self._reserve(claim)
        if grant.granted or not grant.holder or not await self._closed(grant.holder, grant.holder_run):
            return grant
        _log.warning("fleet taken from a closed holder", fleet=claim.fleet, holder=grant.holder)
        await self._release(claim.model_copy(update={"holder": grant.holder, "run": grant.holder_run}))
        return await self._reserve(claim)

    @activity.defn
    async def release_fleet(self, claim: Claim) -> None:
        await self._release(claim)

    async def _reserve(self, claim: Claim) -> Grant:
        start: WithStartWorkflowOperation[object, object] = WithStartWorkflowOperation(
            RESERVATION_WORKFLOW,
            id=reservation_id(claim.fleet),
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            task_queue=claim.task_queue,
        )
        grant: Grant = await self._client.execute_update_with_start_workflow(
            "reserve", claim, start_workflow_operation=start, result_type=Grant, rpc_timeout=_PATIENCE
        )
        return grant

    async def _release(self, claim: Claim) -> None:
        try:
            handle = self._client.get_workflow_handle(reservation_id(claim.fleet))
            await handle.execute_update("release", claim, rpc_timeout=_PATIENCE)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:  # never reserved, so nothing is held
                raise

    async def _closed(self, holder: str, run: str) -> bool:
        """
        Say whether the holder's execution has ended.

        Its first run names the whole chain of runs: another chain under the same id holds nothing.
        """
        try:
            described = await self._client.get_workflow_handle(holder).describe()
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return True
            raise
        first = described.raw_description.workflow_execution_info.first_run_id
        another = bool(run and first) and run != first
        return another or described.status is not WorkflowExecutionStatus.RUNNING
