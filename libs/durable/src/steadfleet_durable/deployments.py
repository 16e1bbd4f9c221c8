"""Worker Deployments: which version of a worker takes new work."""

from temporalio.api.workflowservice.v1 import DescribeWorkerDeploymentRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode


async def deployment_problem(client: Client, deployment_name: str) -> str | None:
    """
    Return why a versioned deployment takes no new work and what to do, or None.

    Without a current version new workflows stay at their first event, Running, with no error anywhere.
    """
    request = DescribeWorkerDeploymentRequest(namespace=client.namespace, deployment_name=deployment_name)
    try:
        answer = await client.workflow_service.describe_worker_deployment(request)
    except RPCError as error:
        if error.status != RPCStatusCode.NOT_FOUND:
            raise
        return (
            f"worker deployment {deployment_name!r} is unknown in namespace {client.namespace!r}: it exists"
            " once a worker with TEMPORAL_DEPLOYMENT_NAME and TEMPORAL_WORKER_BUILD_ID has polled; start one"
        )
    deployment = answer.worker_deployment_info
    current = deployment.routing_config.current_deployment_version
    if current.build_id:
        return None
    builds = [summary.deployment_version.build_id for summary in deployment.version_summaries]
    return (
        f"worker deployment {deployment_name!r} has no current version, so new workflows never start"
        f" (versions seen: {', '.join(builds) or 'none'}): `temporal worker deployment set-current-version"
        f" --deployment-name {deployment_name} --build-id {builds[0] if builds else '<build>'} -y`"
    )
