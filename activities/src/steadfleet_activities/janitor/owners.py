"""Whether an owner lives, or anything that winds down under it."""

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflow.v1 import WorkflowExecutionInfo
from temporalio.api.workflowservice.v1 import (
    DescribeWorkflowExecutionRequest,
    ListWorkflowExecutionsRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from steadfleet_ports.lease import Owner, OwnerState

_PAGE = 100
_NAMED = 3


async def look_at(client: Client, owner: Owner) -> OwnerState:
    """
    Look at the chain of runs that begins with the owner's run, and at its open children.

    Raw requests: the SDK's enum raises on the status of a workflow that is paused in Temporal itself.
    """
    said = await _standing(client, owner)
    if said is None:
        return OwnerState(open=True, said=f"{owner.workflow} is open")
    children = await _open_children(client, owner)
    if children:
        named = ", ".join(children[:_NAMED])
        return OwnerState(open=True, said=f"{said}, but {len(children)} under it are open: {named}")
    return OwnerState(open=False, said=said)


async def _standing(client: Client, owner: Owner) -> str | None:
    """Return how the owner is no longer open; None if it is."""
    info = await _describe(client, owner.workflow)
    if info is None:
        return f"{owner.workflow} is unknown"
    if info.first_run_id and info.first_run_id != owner.run:
        return f"{owner.workflow} has closed: another run of that name began since"
    return f"{owner.workflow} has closed" if info.HasField("close_time") else None


async def _open_children(client: Client, owner: Owner) -> list[str]:
    """Name the open workflows under the owner's name, but for those of another run of that name."""
    query = f'WorkflowId STARTS_WITH "{owner.workflow}/" AND CloseTime IS NULL'
    found: list[str] = []
    token = b""
    while True:
        answer = await client.workflow_service.list_workflow_executions(
            ListWorkflowExecutionsRequest(
                namespace=client.namespace, query=query, page_size=_PAGE, next_page_token=token
            )
        )
        found += [one.execution.workflow_id for one in answer.executions if await _under(client, owner, one)]
        token = answer.next_page_token
        if not token:
            return found


async def _under(client: Client, owner: Owner, child: WorkflowExecutionInfo) -> bool:
    """Say whether the child descends from the owner's own chain; where nobody can tell, it does."""
    root = child.root_execution
    if root.workflow_id != owner.workflow:
        return True
    info = await _describe(client, root.workflow_id, root.run_id)
    return info is None or not info.first_run_id or info.first_run_id == owner.run


async def _describe(client: Client, workflow_id: str, run_id: str = "") -> WorkflowExecutionInfo | None:
    request = DescribeWorkflowExecutionRequest(
        namespace=client.namespace, execution=WorkflowExecution(workflow_id=workflow_id, run_id=run_id)
    )
    try:
        answer = await client.workflow_service.describe_workflow_execution(request)
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return None
        raise
    return answer.workflow_execution_info
