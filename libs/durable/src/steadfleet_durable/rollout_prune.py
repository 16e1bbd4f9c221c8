"""Delete versions that nothing needs any more; the engine keeps at most a hundred of a deployment."""

from dataclasses import dataclass

from temporalio.api.deployment.v1 import WorkerDeploymentVersion
from temporalio.api.workflowservice.v1 import DeleteWorkerDeploymentVersionRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from steadfleet_durable.deployments import Version, VersionState, look


@dataclass(frozen=True)
class Pruned:
    """A version that was deleted, or `kept` for a reason."""

    deployment: str
    build_id: str
    kept: str | None


async def prune(client: Client, deployment_names: tuple[str, ...]) -> list[Pruned]:
    """Delete what is drained and polled by nobody; say of other replaced versions why they are kept."""
    pruned = []
    for name in deployment_names:
        deployment = await look(client, name)
        for version in deployment.versions if deployment else ():
            if version.state in {VersionState.DRAINING, VersionState.DRAINED}:
                kept = kept_because(version) or await _delete(client, name, version.build_id)
                pruned.append(Pruned(name, version.build_id, kept))
    return pruned


def kept_because(version: Version) -> str | None:
    if version.running:
        return f"not drained; running workflows pinned to it: {version.running}"
    if version.state is VersionState.DRAINING:
        return "not drained: the engine takes some minutes to see that nothing is pinned to it"
    if version.pollers:
        return f"drained, but still polled by {', '.join(sorted(version.pollers))}: stop them"
    return None


async def _delete(client: Client, deployment_name: str, build_id: str) -> str | None:
    version = WorkerDeploymentVersion(deployment_name=deployment_name, build_id=build_id)
    request = DeleteWorkerDeploymentVersionRequest(
        namespace=client.namespace, deployment_version=version, identity=client.identity
    )
    try:
        await client.workflow_service.delete_worker_deployment_version(request)
    except RPCError as error:
        if error.status != RPCStatusCode.FAILED_PRECONDITION:
            raise
        return f"the engine refuses: {error.message}"
    return None
