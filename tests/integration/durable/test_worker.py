"""A service tells the truth about itself, and leaves gracefully."""

import asyncio
import json
from pathlib import Path

import pytest
from conftest import StartEngine
from integration.durable.process import Answer, free_port, get, service
from integration.durable.service import TASK_QUEUE, OneActivity
from temporalio.client import WorkflowHandle
from temporalio.testing import WorkflowEnvironment


def is_ready(answer: Answer) -> bool:
    return answer == (200, "ready")


def is_not_ready(answer: Answer) -> bool:
    return answer[0] == 503


@pytest.fixture
def address(dev_server: WorkflowEnvironment) -> str:
    return dev_server.client.service_client.config.target_host


async def _start(environment: WorkflowEnvironment, seconds: float) -> WorkflowHandle[OneActivity, int]:
    """Start the workflow, and wait until its activity runs."""
    handle = await environment.client.start_workflow(
        OneActivity.run, seconds, id="one", task_queue=TASK_QUEUE
    )
    async with asyncio.timeout(20):
        while not any(
            pending.last_started_time.seconds
            for pending in (await handle.describe()).raw_description.pending_activities
        ):
            pass
    return handle


async def test_ready_is_what_the_engine_sees(start_engine: StartEngine, tmp_path: Path) -> None:
    port, database = free_port(), tmp_path / "engine.db"
    async with service(f"127.0.0.1:{port}") as worker:
        _, why = await worker.until_ready(is_not_ready)
        assert why == "connecting to the engine"
        assert await get(worker.health, "/healthz") == (200, "alive")
        async with start_engine(port=port, database=database):
            await worker.until_ready(is_ready)
        _, why = await worker.until_ready(is_not_ready)
        assert "the engine does not answer" in why
        assert await get(worker.health, "/healthz") == (200, "alive")
        async with start_engine(port=port, database=database) as environment:
            await worker.until_ready(is_ready)
            handle = await environment.client.start_workflow(
                OneActivity.run, 0, id="after", task_queue=TASK_QUEUE
            )
            assert await handle.result() == 1
            worker.terminate()
            code, logged = await worker.left()
    assert code == 0
    assert all(json.loads(line)["logger"] for line in logged.splitlines())


async def test_termination_lets_the_running_activity_end(
    dev_server: WorkflowEnvironment, address: str
) -> None:
    async with service(address) as worker:
        await worker.until_ready(is_ready)
        handle = await _start(dev_server, seconds=2)
        worker.terminate()
        assert await worker.until_ready(is_not_ready) == (503, "shutting down")
        code, _ = await worker.left()
    assert code == 0
    async with service(address):
        assert await handle.result() == 1


async def test_an_activity_longer_than_the_grace_goes_to_the_next_worker(
    dev_server: WorkflowEnvironment, address: str
) -> None:
    async with service(address, STEADFLEET_GRACEFUL_SHUTDOWN_TIME="1s") as worker:
        await worker.until_ready(is_ready)
        handle = await _start(dev_server, seconds=1000)
        worker.terminate()
        code, _ = await worker.left()
    assert code == 0
    async with service(address):
        assert await handle.result() == 2


async def test_a_second_signal_leaves_at_once(dev_server: WorkflowEnvironment, address: str) -> None:
    async with service(address, STEADFLEET_GRACEFUL_SHUTDOWN_TIME="1h") as worker:
        await worker.until_ready(is_ready)
        await _start(dev_server, seconds=1000)
        worker.terminate()
        await worker.until_ready(is_not_ready)
        worker.terminate()
        assert (await worker.left(10))[0] == 1


async def test_termination_before_the_engine_is_there() -> None:
    async with service("127.0.0.1:1") as worker:
        await worker.until_ready(is_not_ready)
        worker.terminate()
        assert (await worker.left())[0] == 0


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({"TEMPORAL_NAMESPACE": "prod"}, "namespace 'prod' does not exist"),
        ({"TEMPORAL_CONFIG_FILE": "/no/such.toml"}, "there is no such file"),
        ({"TEMPORAL_ADDRESS": "127.0.0.1:1", "STEADFLEET_CONNECT_PATIENCE": "1s"}, "Start the engine"),
        ({"TEMPORAL_WORKER_BUILD_ID": "v1"}, "TEMPORAL_DEPLOYMENT_NAME is missing"),
        ({"STEADFLEET_HEALTH_ADDRESS": "203.0.113.1:1"}, "health address 203.0.113.1:1"),
        ({"STEADFLEET_METRICS_ADDRESS": "203.0.113.1:1"}, "metrics address 203.0.113.1:1"),
    ],
)
async def test_what_cannot_work_is_said_in_words(address: str, env: dict[str, str], said: str) -> None:
    async with service(address, **env) as worker:
        code, logged = await worker.left()
    assert code == 1
    last = json.loads(logged.splitlines()[-1])
    assert last["level"] == "error"
    assert said in last["problem"]


async def test_metrics_are_in_seconds_and_say_so(dev_server: WorkflowEnvironment, address: str) -> None:
    async with service(address) as worker:
        await worker.until_ready(is_ready)
        await (await _start(dev_server, seconds=0.5)).result()
        status, text = await get(worker.metrics, "/metrics")
        async with asyncio.timeout(30):
            while "temporal_workflow_completed_total{" not in text:  # the worker counts after it has answered
                status, text = await get(worker.metrics, "/metrics")
    assert status == 200
    assert "temporal_activity_execution_latency_seconds_bucket{" in text
    assert "temporal_worker_task_slots_available{" in text


async def test_other_paths_are_not_found(address: str) -> None:
    async with service(address) as worker:
        await worker.until_ready(is_ready)
        assert (await get(worker.health, "/metrics"))[0] == 404
