"""What a workflow's activities do just now, as Temporal heard it last: it needs no worker."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from temporalio.api.common.v1 import Payload, WorkflowExecution
from temporalio.api.workflow.v1 import PendingActivityInfo
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionRequest
from temporalio.client import Client
from temporalio.exceptions import FailureError

from steadfleet_cli.executions import Execution


@dataclass(frozen=True)
class Step:
    """One activity under way: what its heartbeat said last, and why the attempt before failed."""

    activity: str
    attempt: int
    since: datetime | None = None
    said: str = ""
    failure: str = ""


async def steps_of(client: Client, execution: Execution) -> tuple[Step, ...]:
    request = DescribeWorkflowExecutionRequest(
        namespace=client.namespace,
        execution=WorkflowExecution(workflow_id=execution.workflow_id, run_id=execution.run_id),
    )
    answer = await client.workflow_service.describe_workflow_execution(request)
    return tuple([await _step(client, activity) for activity in answer.pending_activities])


async def _step(client: Client, activity: PendingActivityInfo) -> Step:
    begun = activity.HasField("last_started_time")
    return Step(
        activity=activity.activity_type.name,
        attempt=activity.attempt,
        since=activity.last_started_time.ToDatetime(tzinfo=UTC) if begun else None,
        said=await _said(client, activity.heartbeat_details.payloads),
        failure=await _failure(client, activity),
    )


async def _failure(client: Client, activity: PendingActivityInfo) -> str:
    """Return the words of the last failure, which may be encrypted."""
    if not activity.HasField("last_failure"):
        return ""
    error = await client.data_converter.decode_failure(activity.last_failure)
    return error.message if isinstance(error, FailureError) else str(error)


async def _said(client: Client, details: Sequence[Payload]) -> str:
    """Return the step that the heartbeat names; what comes after it is the activity's own."""
    if not details:
        return ""
    (said,) = await client.data_converter.decode(details[:1])
    return said if isinstance(said, str) else ""
