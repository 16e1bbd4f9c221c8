"""What Temporal itself knows of a workflow, which needs no worker.

Read from the raw answers: the SDK's enum raises on a status that it does not know yet, such as
8, a workflow that was paused in Temporal itself.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.api.workflow.v1 import WorkflowExecutionInfo
from temporalio.api.workflowservice.v1 import (
    DescribeWorkflowExecutionRequest,
    ListWorkflowExecutionsRequest,
)
from temporalio.client import Client
from temporalio.converter import decode_typed_search_attributes
from temporalio.service import RPCError, RPCStatusCode

from steadfleet_workflows.visibility import KEYS

RUNNING = "running"
COMPLETED = "completed"
NATIVELY_PAUSED = "paused in Temporal"
_STATUSES = {
    1: RUNNING,
    2: COMPLETED,
    3: "failed",
    4: "canceled",
    5: "terminated",
    6: "continued as new",
    7: "timed out",
    8: NATIVELY_PAUSED,
}
_OPEN = {1, 8}


@dataclass(frozen=True)
class Execution:
    """One run of a workflow; `attributes` are its search attributes by name."""

    workflow_id: str
    run_id: str
    status: str
    open: bool
    started_at: datetime
    ended_at: datetime | None
    attributes: dict[str, object]

    def word(self, attribute: str) -> str:
        value = self.attributes.get(attribute)
        return "" if value is None else str(value)


async def describe(client: Client, workflow_id: str) -> Execution | None:
    """Return the newest run of that id, or None if there has been none."""
    request = DescribeWorkflowExecutionRequest(
        namespace=client.namespace, execution=WorkflowExecution(workflow_id=workflow_id)
    )
    try:
        answer = await client.workflow_service.describe_workflow_execution(request)
    except RPCError as error:
        if error.status == RPCStatusCode.NOT_FOUND:
            return None
        raise
    return execution_of(answer.workflow_execution_info)


async def search(client: Client, query: str, most: int) -> AsyncIterator[Execution]:
    """Yield the runs that visibility finds, the newest first."""
    token = b""
    while most > 0:
        request = ListWorkflowExecutionsRequest(
            namespace=client.namespace, query=query, page_size=min(most, 100), next_page_token=token
        )
        answer = await client.workflow_service.list_workflow_executions(request)
        for info in answer.executions[:most]:
            yield execution_of(info)
        most -= len(answer.executions)
        token = answer.next_page_token
        if not token:
            return


async def attributes_registered(client: Client) -> bool:
    """Whether the namespace knows all of our search attributes: one unknown would block a workflow."""
    request = ListSearchAttributesRequest(namespace=client.namespace)
    try:
        answer = await client.operator_service.list_search_attributes(request)
    except RPCError:
        return False
    return all(key.name in answer.custom_attributes for key in KEYS)


def execution_of(info: WorkflowExecutionInfo) -> Execution:
    pairs = decode_typed_search_attributes(info.search_attributes)
    return Execution(
        workflow_id=info.execution.workflow_id,
        run_id=info.execution.run_id,
        status=_STATUSES.get(info.status, f"status {int(info.status)}"),
        # A status from the future is shown as open: what is closed says when it ended.
        open=info.status in _OPEN or (info.status not in _STATUSES and not info.HasField("close_time")),
        started_at=_time(info.start_time),
        ended_at=_time(info.close_time) if info.HasField("close_time") else None,
        attributes={pair.key.name: pair.value for pair in pairs},
    )


def _time(stamp: Timestamp) -> datetime:
    return stamp.ToDatetime(tzinfo=UTC)
