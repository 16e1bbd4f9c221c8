"""The sandbox lets our pure packages through, and nothing more; replays use the same one."""

import uuid
from datetime import timedelta

import pytest
import structlog
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner, Worker
from workflow.durable import identity
from workflow.durable.three_disks import Disks, Order, ThreeDisks

import steadfleet_core
import steadfleet_durable
import steadfleet_ports
from steadfleet_durable import build_worker, data_converter, register, workflow_runner


async def test_our_packages_are_the_process_s_and_workflow_modules_are_not(
    time_skipping: WorkflowEnvironment,
) -> None:
    queue = uuid.uuid4().hex
    async with build_worker(time_skipping.client, task_queue=queue, workflows=[identity.Identity]):
        *ours, here = await time_skipping.client.execute_workflow(
            identity.Identity.run, id=queue, task_queue=queue
        )
    assert ours == [
        id(module) for module in (steadfleet_core, steadfleet_ports, steadfleet_durable, structlog)
    ]
    assert here != id(identity.HERE)


@pytest.mark.parametrize("sandboxed", [True, False])
async def test_a_history_replays_with_the_same_runner_and_converter(
    time_skipping: WorkflowEnvironment, *, sandboxed: bool
) -> None:
    disks, queue = Disks(), uuid.uuid4().hex
    disks.go_on.set()
    runner = workflow_runner() if sandboxed else UnsandboxedWorkflowRunner()
    worker = Worker(
        time_skipping.client,
        task_queue=queue,
        workflows=[ThreeDisks],
        activities=register(disks),
        workflow_runner=runner,
    )
    async with worker:
        handle = await time_skipping.client.start_workflow(
            ThreeDisks.run, Order(), id=queue, task_queue=queue, execution_timeout=timedelta(days=1)
        )
        assert await handle.result() == "made"
    replayer = Replayer(workflows=[ThreeDisks], workflow_runner=runner, data_converter=data_converter())
    assert (await replayer.replay_workflow(await handle.fetch_history())).replay_failure is None
