"""Let idle workflows learn that another version is current.

A run is told so with its next task, and one that waits for nothing but a message has none.
"""

import asyncio

from temporalio.api.enums.v1 import RoutingConfigUpdateState
from temporalio.api.workflowservice.v1 import DescribeWorkerDeploymentRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from steadfleet_durable.deployments import pinned_to

LOOK_AGAIN = "look_again"
"""The signal; a workflow that does not listen for it goes on as it was."""

_PATIENCE = 10
_BETWEEN = 0.2


async def nudge(client: Client, deployment_name: str, build_id: str) -> None:
    """Have every workflow that is pinned to the version look whether it may move."""
    await _heard_everywhere(client, deployment_name)
    async for found in client.list_workflows(pinned_to(deployment_name, build_id)):
        try:
            await client.get_workflow_handle(found.id, run_id=found.run_id).signal(LOOK_AGAIN)
        except RPCError as error:
            if error.status != RPCStatusCode.NOT_FOUND:  # it has ended
                raise


async def _heard_everywhere(client: Client, deployment_name: str) -> None:
    """Wait, for a while, until the engine has told all task queues of the new routing."""
    request = DescribeWorkerDeploymentRequest(namespace=client.namespace, deployment_name=deployment_name)
    for _ in range(round(_PATIENCE / _BETWEEN)):
        answer = await client.workflow_service.describe_worker_deployment(request)
        state = answer.worker_deployment_info.routing_config_update_state
        if state != RoutingConfigUpdateState.ROUTING_CONFIG_UPDATE_STATE_IN_PROGRESS:
            return
        await asyncio.sleep(_BETWEEN)
