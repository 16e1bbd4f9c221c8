"""Whether a version is well: its queues are polled, and its workflow tasks do not fail."""

from collections.abc import AsyncIterator

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType, WorkflowTaskFailedCause
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflowservice.v1 import (
    DescribeWorkflowExecutionRequest,
    DescribeWorkflowExecutionResponse,
    GetWorkflowExecutionHistoryReverseRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from steadfleet_durable.deployments import Deployment, quoted

_MOST = 200
"""Workflows of one version that a look asks for, the newest first."""

_SURELY_FAILING = 3
"""Attempts after which a task fails whatever its history says: a worker that crashes reports nothing."""

_HARMLESS = {
    WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND,
    WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_RESET_STICKY_TASK_QUEUE,
}


async def illness_of(client: Client, deployment: Deployment, build_id: str) -> str | None:
    """Return what is wrong with a version that is given work, or None."""
    version = deployment.version(build_id)
    if version is None or version.unpolled:
        queues = ", ".join(map(str, sorted(version.unpolled))) if version else "any queue"
        return f"nobody polls {queues} for version {build_id} of {deployment.name} any more"
    query = _given_to(deployment, build_id, {queue.name for queue in version.queues})
    async for workflow_id, why in _failing(client, query, (deployment.name, build_id)):
        return f"version {build_id} of {deployment.name} fails the workflow tasks of {workflow_id}: {why}"
    return None


async def _failing(client: Client, query: str, version: tuple[str, str]) -> AsyncIterator[tuple[str, str]]:
    async for found in client.list_workflows(query, limit=_MOST):
        described = await _described(client, found.id, found.run_id)
        if described is None or described.pending_workflow_task.attempt <= 1:
            continue
        if _handled_by(described) == version:
            why = await _failure(client, found.id, found.run_id)
            if why or described.pending_workflow_task.attempt >= _SURELY_FAILING:
                yield found.id, why or f"attempt {described.pending_workflow_task.attempt}, with no answer"


def _given_to(deployment: Deployment, build_id: str, queues: set[str]) -> str:
    """
    Find what the version has, and what may be on its way to it.

    A task that fails moves nothing: a new workflow has no version yet, and a run that was continued
    on the current version is still written under the one it left.
    """
    mine = quoted(f"{deployment.name}:{build_id}")
    return (
        f'ExecutionStatus = "Running" AND TaskQueue IN ({", ".join(map(quoted, sorted(queues)))}) AND'
        f" (TemporalWorkerDeploymentVersion = {mine} OR TemporalWorkerDeploymentVersion IS NULL"
        ' OR TemporalWorkflowVersioningBehavior = "AutoUpgrade")'
    )


async def _described(
    client: Client, workflow_id: str, run_id: str
) -> DescribeWorkflowExecutionResponse | None:
    request = DescribeWorkflowExecutionRequest(
        namespace=client.namespace, execution=WorkflowExecution(workflow_id=workflow_id, run_id=run_id)
    )
    try:
        return await client.workflow_service.describe_workflow_execution(request)
    except RPCError as error:
        if error.status == RPCStatusCode.NOT_FOUND:
            return None
        raise


def _handled_by(described: DescribeWorkflowExecutionResponse) -> tuple[str, str]:
    """Return the version that has the pending task: the one it moves to, if it moves."""
    versioning = described.workflow_execution_info.versioning_info
    moving = versioning.version_transition.deployment_version
    version = moving if moving.build_id else versioning.deployment_version
    return version.deployment_name, version.build_id


async def _failure(client: Client, workflow_id: str, run_id: str) -> str | None:
    """Return the words of the last task, if it failed in a way that is the code's own."""
    request = GetWorkflowExecutionHistoryReverseRequest(
        namespace=client.namespace,
        execution=WorkflowExecution(workflow_id=workflow_id, run_id=run_id),
        maximum_page_size=10,
    )
    answer = await client.workflow_service.get_workflow_execution_history_reverse(request)
    return next(filter(None, map(_words, answer.history.events)), None)


def _words(event: HistoryEvent) -> str | None:
    failed = event.workflow_task_failed_event_attributes
    if event.event_type != EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED or failed.cause in _HARMLESS:
        return None
    return failed.failure.message or WorkflowTaskFailedCause.Name(failed.cause)
