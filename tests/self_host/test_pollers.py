"""Who polls, as an engine sees it: here the embedded one, which needs nothing built."""

from datetime import UTC, datetime, timedelta

import pytest
from integration.durable.service import WaitsForSignal, work_for
from temporalio.testing import WorkflowEnvironment

from steadfleet_cli.self_host.pollers import pollers, still_polling
from steadfleet_durable import build_worker

BRIEF = timedelta(seconds=2)


async def test_an_engine_without_workers_has_no_pollers(dev_server: WorkflowEnvironment) -> None:
    assert await pollers(dev_server.client) == []
    assert await still_polling(dev_server.client, datetime.now(UTC), BRIEF) == []


@pytest.mark.parametrize("kind", ["workflows", "activities"])
async def test_a_worker_on_one_of_our_queues_is_seen_whatever_it_polls_for(
    dev_server: WorkflowEnvironment, kind: str
) -> None:
    does = {"workflows": {"workflows": [WaitsForSignal]}, "activities": {"activities": [work_for]}}[kind]
    began = datetime.now(UTC)
    async with build_worker(dev_server.client, task_queue="signer", **does):  # type: ignore[arg-type]
        alive = await still_polling(dev_server.client, began, timedelta(minutes=2))

    assert {one.task_queue for one in alive} == {"signer"}


async def test_a_worker_on_a_queue_of_its_own_is_seen_by_what_is_open_there(
    dev_server: WorkflowEnvironment,
) -> None:
    began = datetime.now(UTC)
    await dev_server.client.start_workflow(WaitsForSignal.run, id="theirs", task_queue="theirs")
    async with build_worker(dev_server.client, task_queue="theirs", workflows=[WaitsForSignal]):
        alive = await still_polling(dev_server.client, began, timedelta(minutes=2))

    assert {one.task_queue for one in alive} == {"theirs"}


async def test_a_worker_that_has_left_is_told_from_one_that_polls(dev_server: WorkflowEnvironment) -> None:
    async with build_worker(dev_server.client, task_queue="signer", activities=[work_for]):
        while not await pollers(dev_server.client):
            pass

    assert await still_polling(dev_server.client, datetime.now(UTC), BRIEF) == []
