"""Run one worker as a service: connect, poll, say how it is, and leave gracefully."""

import asyncio
import logging
import os
import signal
import socket
import sys
import uuid
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, NoReturn

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.client import Client
from temporalio.worker import Worker

from steadfleet_durable.connection import EngineUnreachableError, connect, engine_runtime
from steadfleet_durable.connection_config import EngineError
from steadfleet_durable.credentials import follow_credentials
from steadfleet_durable.encryption_known import EncryptionKnown
from steadfleet_durable.health import Readiness, health_server
from steadfleet_durable.logs import configure_logs, get_logger
from steadfleet_durable.metrics_certificates import watch_certificates
from steadfleet_durable.sandbox import workflow_runner
from steadfleet_durable.settings import WorkerSettings
from steadfleet_durable.tracing import flush_traces

_log = get_logger(__name__)

CurrentClient = Callable[[], Client]
"""A worker's client is another one after its credentials were replaced."""


def build_worker(
    client: Client,
    *,
    task_queue: str,
    workflows: Sequence[type] = (),
    activities: Sequence[Callable[..., Any]] = (),
    settings: WorkerSettings | None = None,
) -> Worker:
    """Return a worker with our sandbox, limits and versioning; for tests too, so that both are the same."""
    settings = settings or WorkerSettings()
    return Worker(
        client,
        task_queue=task_queue,
        workflows=workflows,
        activities=activities,
        activity_executor=ThreadPoolExecutor(settings.max_concurrent_activities, "activity"),
        workflow_runner=workflow_runner(),
        max_concurrent_activities=settings.max_concurrent_activities,
        max_cached_workflows=settings.max_cached_workflows,
        graceful_shutdown_timeout=settings.graceful_shutdown_time,
        max_heartbeat_throttle_interval=settings.max_heartbeat_throttle_interval,
        default_heartbeat_throttle_interval=settings.max_heartbeat_throttle_interval,
        deployment_config=settings.deployment(),
        interceptors=[EncryptionKnown()] if client.data_converter.payload_codec else [],
    )


async def serve(
    name: str,
    *,
    task_queue: str,
    workflows: Sequence[type] = (),
    activities: Sequence[Callable[..., Any]] = (),
    settings: WorkerSettings | None = None,
    beside: Callable[[CurrentClient], Coroutine[Any, Any, None]] | None = None,
) -> None:
    """
    Work on the task queue until SIGTERM or SIGINT, then finish gracefully.

    Running activities have the graceful shutdown time to end; then they are cancelled, and taken
    up by another worker. A second signal leaves at once. `beside` runs meanwhile, and is cancelled
    at the end; it must not raise.
    """
    settings = settings or WorkerSettings.from_env()
    identity = f"{name}/{uuid.uuid4().hex[:8]}@{socket.gethostname()}"
    kind = TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW if workflows else TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY
    readiness = Readiness(identity, task_queue, kind)
    with _stop_signals() as stop:
        async with health_server(settings.health_address, readiness.problem):
            client = await _unless(stop, _connect_patiently(identity, settings))
            if client is None:
                return
            worker = build_worker(
                client, task_queue=task_queue, workflows=workflows, activities=activities, settings=settings
            )
            chores = [asyncio.create_task(follow_credentials(worker, settings.credentials_interval))]
            meter = engine_runtime().metric_meter
            chores.append(asyncio.create_task(watch_certificates(lambda: worker.client, meter)))
            if beside is not None:
                chores.append(asyncio.create_task(beside(lambda: worker.client)))
            await _work(worker, stop, readiness)
            for chore in chores:
                chore.cancel()


def run_service(service: Coroutine[Any, Any, None]) -> NoReturn:
    """Run `serve(…)` as a process: logs set up, errors in words, and an exit that does not crash."""
    configure_logs()
    try:
        asyncio.run(service)
    except EngineError as error:
        _log.error("cannot work", problem=str(error))
        exit_now(1)
    except Exception:  # noqa: BLE001  # the last resort of a process: told with its traceback
        _log.exception("failed")
        exit_now(1)
    exit_now(0)


def exit_now(code: int) -> NoReturn:
    """
    Flush and leave without finalizing the interpreter.

    The SDK's threads call into a half-torn-down interpreter otherwise: 3 of 25 normal exits of
    short programs died with SIGSEGV or SIGABRT after all had gone well.
    """
    flush_traces()
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


async def _work(worker: Worker, stop: asyncio.Event, readiness: Readiness) -> None:
    client = worker.client
    polling = asyncio.create_task(worker.run())
    readiness.started(lambda: worker.client)
    _log.info("working", task_queue=worker.task_queue, namespace=client.namespace, identity=client.identity)
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({polling, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    readiness.phase = "shutting down"
    if not polling.done():
        _log.info("shutting down", task_queue=worker.task_queue)
        await worker.shutdown()
    await polling


async def _connect_patiently(identity: str, settings: WorkerSettings) -> Client:
    """Wait for an engine that is not up yet; what is wrong otherwise is said at once."""
    deadline = asyncio.get_running_loop().time() + settings.connect_patience.total_seconds()
    while True:
        try:
            return await connect(identity=identity, metrics_address=settings.metrics_address)
        except EngineUnreachableError as error:
            if asyncio.get_running_loop().time() > deadline:
                raise
            _log.warning("waiting for the engine", problem=str(error))
            await asyncio.sleep(1)


async def _unless(stop: asyncio.Event, work: Coroutine[Any, Any, Client]) -> Client | None:
    """Return what the work returns, or None if told to stop before."""
    working, stopping = asyncio.create_task(work), asyncio.create_task(stop.wait())
    await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if working.done():
        return working.result()
    working.cancel()
    return None


@contextmanager
def _stop_signals() -> Iterator[asyncio.Event]:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()

    def heard() -> None:
        if stop.is_set():
            exit_now(1)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, heard)
    try:
        yield stop
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
