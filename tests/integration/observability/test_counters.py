"""What workflows count when something goes wrong, and count once although every task is a replay."""

import socket
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from integration.observability.test_metrics import value
from temporalio import activity, workflow
from temporalio.client import WorkflowFailureError
from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment

from fakes.fleet import FakeFleet
from fakes.lease import FakeJanitor, FakeLeases, janitor_worker
from fakes.worker import campaign_worker, start_campaign, until
from steadfleet_cli.parts import ask
from steadfleet_durable import Saga, build_worker, data_converter
from steadfleet_durable.connection import _new_runtime
from steadfleet_durable.settings import WorkerSettings
from steadfleet_ports.lease import JANITOR_QUEUE, LeaseOrder, Owner, Sweep
from steadfleet_workflows.lease import Lease

NO_CACHE = WorkerSettings(max_cached_workflows=0)


class Disks:
    @activity.defn
    async def make(self, name: str) -> None:
        raise ApplicationError(f"{name} cannot be made", non_retryable=True)

    @activity.defn
    async def discard(self, name: str) -> None:
        raise ApplicationError(f"{name} cannot be discarded", non_retryable=True)


@workflow.defn
class OneDisk:
    @workflow.run
    async def run(self) -> None:
        limits = {
            "start_to_close_timeout": timedelta(seconds=5),
            "retry_policy": RetryPolicy(maximum_attempts=1),
        }
        try:
            async with Saga() as saga:
                saga.compensate_with(Disks.discard, "a", start_to_close_timeout=timedelta(seconds=5))
                await workflow.execute_activity_method(Disks.make, "a", **limits)  # type: ignore[call-overload]
        finally:
            await workflow.sleep(1)  # one more task, and so one more replay


@workflow.defn
class Broken:
    @workflow.run
    async def run(self) -> None:
        raise RuntimeError("a bug")


@dataclass
class Engine:
    environment: WorkflowEnvironment
    metrics: str

    def value(self, metric: str, *labels: str) -> float | None:
        status, body = ask(f"http://{self.metrics}/metrics")
        assert status == 200
        return value(body.decode(), metric, *labels)


@pytest.fixture
async def engine() -> AsyncIterator[Engine]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    async with await WorkflowEnvironment.start_time_skipping(
        test_server_existing_path=str(Path(sys.executable).with_name("temporal-test-server")),
        data_converter=data_converter(),
        runtime=_new_runtime(address),
    ) as environment:
        yield Engine(environment, address)


async def fail_to_compensate(engine: Engine) -> None:
    client, disks = engine.environment.client, Disks()
    worker = build_worker(
        client, task_queue="q", workflows=[OneDisk], activities=[disks.make, disks.discard], settings=NO_CACHE
    )
    async with worker:
        with suppress(WorkflowFailureError):
            await client.execute_workflow(OneDisk.run, id="disk", task_queue="q")


async def test_a_compensation_that_gave_up(engine: Engine) -> None:
    await fail_to_compensate(engine)

    assert engine.value("steadfleet_compensations_failed_total", 'undo="discard"') == 1
    assert engine.value("temporal_activity_execution_failed_total", 'activity_type="make"') == 1


async def test_a_count_that_a_replay_repeats_would_be_noticed(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[str] = []
    monkeypatch.setattr("steadfleet_durable.saga.count", lambda name, *_rest, **_labels: counted.append(name))
    await fail_to_compensate(engine)

    assert len(counted) > 1


async def test_a_workflow_task_that_fails(engine: Engine) -> None:
    client = engine.environment.client
    async with build_worker(client, task_queue="q", workflows=[Broken], settings=NO_CACHE):
        broken = await client.start_workflow(Broken.run, id="broken", task_queue="q")

        async def counted() -> bool:
            failed = engine.value("temporal_workflow_task_execution_failed_total", 'workflow_type="Broken"')
            return (failed or 0) >= 1

        await until(counted, "it is counted")
        await broken.terminate()


async def test_what_an_ended_campaign_leaves_to_a_person(engine: Engine) -> None:
    leases = FakeLeases(close_error="there is no lease")
    async with campaign_worker(engine.environment, FakeFleet(), leases=leases, max_cached_workflows=0):
        campaign = await start_campaign(engine.environment)
        await campaign.handle.result()

    assert engine.value("steadfleet_obligations_left_total", 'workflow_type="PatchCampaign"') == 1


async def test_an_alarm_of_a_lease(engine: Engine) -> None:
    order = LeaseOrder(sweep=Sweep(run="run-1"), owner=Owner(workflow="campaign/web", run="first"))
    async with janitor_worker(engine.environment, FakeJanitor(), max_cached_workflows=0):
        lease = await engine.environment.client.start_workflow(
            Lease.run, order, id="lease/run-1", task_queue=JANITOR_QUEUE
        )
        await lease.cancel()

        async def counted() -> bool:
            return engine.value("steadfleet_lease_alarms_total") is not None

        await until(counted, "it is counted")
        await lease.terminate()

    assert engine.value("steadfleet_lease_alarms_total") == 1


async def test_a_request_that_is_refused(engine: Engine) -> None:
    with pytest.raises(RPCError):
        await engine.environment.client.get_workflow_handle("nobody").describe()

    assert engine.value("temporal_request_failure_total", 'status_code="NOT_FOUND"') == 1
