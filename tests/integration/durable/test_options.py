"""What the named policies do on a real engine."""

import uuid

import pytest
from integration.durable.large_result import Large, attempts, large
from temporalio.client import WorkflowFailureError
from temporalio.exceptions import ActivityError, ApplicationError
from temporalio.testing import WorkflowEnvironment

from steadfleet_durable import build_worker


async def test_a_result_too_large_is_not_tried_again(dev_server: WorkflowEnvironment) -> None:
    queue = uuid.uuid4().hex
    async with build_worker(dev_server.client, task_queue=queue, workflows=[Large], activities=[large]):
        with pytest.raises(WorkflowFailureError) as failure:
            await dev_server.client.execute_workflow(Large.run, id=queue, task_queue=queue)
    assert isinstance(failure.value.cause, ActivityError)
    assert isinstance(failure.value.cause.cause, ApplicationError)
    assert failure.value.cause.cause.type == "PayloadsTooLarge"
    assert attempts == [1]
