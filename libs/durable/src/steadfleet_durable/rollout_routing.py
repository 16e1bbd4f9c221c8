"""Say which version new work goes to; the engine refuses where somebody else has said otherwise since."""

from collections.abc import Awaitable
from typing import TypeVar

from temporalio.api.workflowservice.v1 import (
    SetWorkerDeploymentCurrentVersionRequest,
    SetWorkerDeploymentRampingVersionRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from steadfleet_durable.deployments import Deployment
from steadfleet_durable.rollout_order import RolloutRefusedError

_Answer = TypeVar("_Answer")
_REFUSALS = {RPCStatusCode.FAILED_PRECONDITION, RPCStatusCode.INVALID_ARGUMENT, RPCStatusCode.NOT_FOUND}


async def make_current(client: Client, deployment: Deployment, build_id: str) -> None:
    """Send all new work to the version; this also ends its ramp."""
    request = SetWorkerDeploymentCurrentVersionRequest(
        namespace=client.namespace,
        deployment_name=deployment.name,
        build_id=build_id,
        conflict_token=deployment.token,
        identity=client.identity,
    )
    await _accepted(deployment.name, client.workflow_service.set_worker_deployment_current_version(request))


async def ramp(client: Client, deployment: Deployment, build_id: str, percentage: float) -> None:
    """Send this share of new work to the version; an empty build id sends all to the current one."""
    request = SetWorkerDeploymentRampingVersionRequest(
        namespace=client.namespace,
        deployment_name=deployment.name,
        build_id=build_id,
        percentage=percentage,
        conflict_token=deployment.token,
        identity=client.identity,
    )
    await _accepted(deployment.name, client.workflow_service.set_worker_deployment_ramping_version(request))


async def _accepted(deployment_name: str, change: Awaitable[_Answer]) -> None:
    try:
        await change
    except RPCError as error:
        if error.status not in _REFUSALS:
            raise
        raise RolloutRefusedError(
            f"{deployment_name}: the engine refuses to change its routing: {error.message}",
            "see `steadfleet workers list`, and run it again: it goes on from where it stands",
        ) from error
