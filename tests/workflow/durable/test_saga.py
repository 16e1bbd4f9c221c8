"""The saga keeps its promise, and its broken variants are caught by the same assertions."""

import asyncio
import uuid
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from temporalio.client import WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import CancelledError
from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment
from workflow.durable.three_disks import Disks, Order, ThreeDisks

from steadfleet_durable import WorkerSettings, build_worker, register


class Run:
    """One run of the workflow, with its fake world."""

    def __init__(
        self, environment: WorkflowEnvironment, disks: Disks, max_cached_workflows: int = 1000
    ) -> None:
        self.client, self.disks, self.queue = environment.client, disks, uuid.uuid4().hex
        self.worker = build_worker(
            self.client,
            task_queue=self.queue,
            workflows=[ThreeDisks],
            activities=register(disks),
            settings=WorkerSettings(
                max_heartbeat_throttle_interval=timedelta(seconds=0.1),
                max_cached_workflows=max_cached_workflows,
            ),
        )

    async def start(self, order: Order) -> WorkflowHandle[ThreeDisks, str]:
        return await self.client.start_workflow(
            ThreeDisks.run,
            order,
            id=f"saga/{self.queue}",
            task_queue=self.queue,
            execution_timeout=timedelta(days=1000),
        )


@pytest.fixture
def disks() -> Disks:
    disks = Disks()
    disks.go_on.set()
    return disks


async def test_success_undoes_nothing(time_skipping: WorkflowEnvironment, disks: Disks) -> None:
    run = Run(time_skipping, disks)
    async with run.worker:
        assert await (await run.start(Order())).result() == "made"
    assert disks.made == ["a", "b", "c"]


@pytest.mark.parametrize("saga", ["Saga", "RegisteredAfterTheStep"])
@pytest.mark.parametrize("stop", ["fail", "timeout"])
async def test_a_failure_undoes_all_last_first(
    time_skipping: WorkflowEnvironment, disks: Disks, saga: str, stop: str
) -> None:
    run = Run(time_skipping, disks)
    async with run.worker:
        handle = await run.start(Order(saga=saga, stop=stop))
        with pytest.raises(WorkflowFailureError):
            await handle.result()
    kept = disks.made == [] and disks.calls == ["create a", "create b", "delete b", "delete a"]
    assert kept is (saga == "Saga")


@pytest.mark.parametrize("saga", ["Saga", "RegisteredAfterTheStep"])
async def test_a_cancel_during_a_step_undoes_it_after_it_has_ended(
    time_skipping: WorkflowEnvironment, disks: Disks, saga: str
) -> None:
    run = Run(time_skipping, disks)
    async with run.worker:
        handle = await run.start(Order(saga=saga, stop="cancel"))
        await disks.reached.wait()
        await handle.cancel()
        with pytest.raises(WorkflowFailureError) as failure:
            await handle.result()
    assert isinstance(failure.value.cause, CancelledError)
    assert (disks.made == []) is (saga == "Saga")


@pytest.mark.parametrize("saga", ["Saga", "DeafToSwallowedCancel"])
async def test_a_cancel_that_a_step_swallowed_still_undoes(
    time_skipping: WorkflowEnvironment, disks: Disks, saga: str
) -> None:
    run = Run(time_skipping, disks)
    async with run.worker:
        handle = await run.start(Order(saga=saga, stop="deaf"))
        await disks.reached.wait()
        await handle.cancel()
        with suppress(WorkflowFailureError):
            await handle.result()
    assert (disks.calls == ["create a", "create b", "delete b", "delete a"]) is (saga == "Saga")


@pytest.mark.parametrize("saga", ["Saga", "ShieldedOnce"])
async def test_further_cancels_cannot_interrupt_the_undoing(
    time_skipping: WorkflowEnvironment, disks: Disks, saga: str
) -> None:
    disks.go_on.clear()
    run = Run(time_skipping, disks)
    async with run.worker:
        handle = await run.start(Order(saga=saga, stop="cancel"))
        await disks.reached.wait()
        await handle.cancel()
        await disks.undoing.wait()
        for _ in range(3):
            with suppress(RPCError):  # the broken one has ended at the first
                await handle.signal(ThreeDisks.cancel_again)
                await handle.query(ThreeDisks.failures)  # answered after the signal was handled
        disks.go_on.set()
        with pytest.raises(WorkflowFailureError) as failure:
            await handle.result()
    assert isinstance(failure.value.cause, CancelledError)
    assert (disks.made == []) is (saga == "Saga")


async def test_a_failing_compensation_is_reported_and_does_not_stop_the_others(
    time_skipping: WorkflowEnvironment, disks: Disks, caplog: pytest.LogCaptureFixture
) -> None:
    disks.undo_fails_for = "b"
    run = Run(time_skipping, disks)
    async with run.worker:
        handle = await run.start(Order(stop="fail"))
        with pytest.raises(WorkflowFailureError):
            await handle.result()
        assert await handle.query(ThreeDisks.failures) == ["delete_disk(name='b')"]
    assert disks.made == ["b"]
    assert disks.calls[-1] == "delete a"
    reported = [record for record in caplog.records if "compensation failed" in str(record.msg)]
    assert [record.levelname for record in reported] == ["ERROR"]
    assert "b is locked" in str(reported[0].msg)


async def test_a_bug_suspends_and_undoes_nothing(time_skipping: WorkflowEnvironment, disks: Disks) -> None:
    run = Run(time_skipping, disks)
    with time_skipping.auto_time_skipping_disabled():
        async with run.worker:
            handle = await run.start(Order(stop="bug"))
            async with asyncio.timeout(20):
                while not await _task_failed(handle):
                    pass
        assert disks.calls == ["create a", "create b"]


async def _task_failed(handle: WorkflowHandle[Any, Any]) -> bool:
    history = await handle.fetch_history()
    return any(event.HasField("workflow_task_failed_event_attributes") for event in history.events)


async def test_eviction_amid_the_undoing_neither_hangs_nor_loses_anything(
    time_skipping: WorkflowEnvironment, disks: Disks
) -> None:
    run = Run(time_skipping, disks, max_cached_workflows=0)
    async with run.worker:
        handle = await run.start(Order(stop="fail"))
        with pytest.raises(WorkflowFailureError):
            await handle.result()
    assert disks.calls == ["create a", "create b", "delete b", "delete a"]
