"""Have a workflow succeed on a new version before any other work is given to it."""

import secrets
from datetime import timedelta

from temporalio.client import Client, WorkflowFailureError
from temporalio.common import PinnedVersioningOverride, WorkerDeploymentVersion

from steadfleet_durable.deployments import look
from steadfleet_durable.failures import words_of
from steadfleet_durable.rollout_order import Gate, RolloutRefusedError, Say


async def pass_gate(client: Client, gate: Gate, build_id: str, patience: timedelta, say: Say) -> None:
    """Run the gate's workflow on the version; raise `RolloutRefusedError` unless it succeeds in time."""
    name = f"gate/{gate.deployment}/{build_id}/{secrets.token_hex(4)}"
    handle = await client.start_workflow(
        gate.workflow,
        gate.argument,
        id=name,
        task_queue=await _queue(client, gate, build_id),
        execution_timeout=patience,
        versioning_override=PinnedVersioningOverride(WorkerDeploymentVersion(gate.deployment, build_id)),
    )
    try:
        await handle.result()
    except WorkflowFailureError as error:
        raise RolloutRefusedError(
            f"nothing is changed: the gate {gate.workflow} did not succeed on {build_id} of"
            f" {gate.deployment} within {patience.total_seconds():g} s: {words_of(error)}",
            f"see the workflow {name}",
        ) from error
    say(f"{gate.deployment}: the gate {gate.workflow} succeeded on {build_id}")


async def _queue(client: Client, gate: Gate, build_id: str) -> str:
    deployment = await look(client, gate.deployment)
    version = deployment.version(build_id) if deployment else None
    queues = sorted(queue.name for queue in version.queues if queue.kind == "workflow") if version else []
    if len(queues) != 1:
        raise RolloutRefusedError(
            f"nothing is changed: a gate needs one queue of workflows, but {gate.deployment} has"
            f" {len(queues)} for {build_id}",
            "leave the gate out, or gate another deployment",
        )
    return queues[0]
