"""A beat keeps an activity alive, shows its step, carries its progress, and brings the abort."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from temporalio.client import WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import ActivityError, CancelledError, TimeoutError  # noqa: A004
from temporalio.testing import WorkflowEnvironment
from workflow.durable.host_change import Hosts, OneHost, Progress

from steadfleet_durable import WorkerSettings, build_worker, register


class Bench:
    def __init__(self, environment: WorkflowEnvironment, queue: str, hosts: Hosts) -> None:
        self.environment, self.queue, self.hosts = environment, queue, hosts

    async def start(self, name: str) -> WorkflowHandle[Any, Any]:
        return await self.environment.client.start_workflow(
            OneHost.run, name, id=self.queue, task_queue=self.queue
        )


@pytest.fixture
async def bench(dev_server: WorkflowEnvironment) -> AsyncIterator[Bench]:
    hosts, queue = Hosts(), uuid.uuid4().hex
    worker = build_worker(
        dev_server.client,
        task_queue=queue,
        workflows=[OneHost],
        activities=register(hosts),
        settings=WorkerSettings(max_heartbeat_throttle_interval=timedelta(seconds=0.3)),
    )
    async with worker:
        yield Bench(dev_server, queue, hosts)


async def test_a_long_activity_lives_by_the_background_beat(bench: Bench) -> None:
    assert await (await bench.start("beats_for_long")).result() == "changed"


async def test_without_it_the_same_activity_is_given_up(bench: Bench) -> None:
    with pytest.raises(WorkflowFailureError) as failure:
        await (await bench.start("is_silent_for_long")).result()
    assert isinstance(failure.value.cause, ActivityError)
    assert isinstance(failure.value.cause.cause, TimeoutError)


async def test_the_step_shows_and_an_abort_comes_promptly(bench: Bench) -> None:
    handle = await bench.start("drains")
    await bench.hosts.reached.wait()
    async with asyncio.timeout(5):
        while (shown := await _shown(handle)) != [b'"snapshot"', b'{"done":3,"took":"PT1M30S"}']:
            assert len(shown) in {0, 2}
    cancelled_at = time.monotonic()
    await handle.cancel()
    with pytest.raises(WorkflowFailureError) as failure:
        await handle.result()
    assert time.monotonic() - cancelled_at < 2
    assert isinstance(failure.value.cause, CancelledError)


async def _shown(handle: WorkflowHandle[Any, Any]) -> list[bytes]:
    described = (await handle.describe()).raw_description
    return [
        payload.data
        for pending in described.pending_activities
        for payload in pending.heartbeat_details.payloads
    ]


async def test_progress_reaches_the_next_attempts_as_its_model(bench: Bench) -> None:
    await (await bench.start("resumes")).result()
    left = Progress(done=3, took=timedelta(seconds=90))
    assert bench.hosts.seen == [None, left, left]
