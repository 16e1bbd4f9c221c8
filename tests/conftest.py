"""The engines that tests run against: real binaries, one per test."""

import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from temporalio.common import SearchAttributeKey
from temporalio.testing import WorkflowEnvironment
from temporalio.worker._workflow import _WorkflowWorker

from steadfleet_durable import data_converter

# A noisy machine fails no test: how long an example takes is the benchmarks' business.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


def _patient(made: Callable[..., None]) -> Callable[..., None]:
    def make(worker: _WorkflowWorker, *args: Any, **kwargs: Any) -> None:
        made(worker, *args, **kwargs)
        if worker._deadlock_timeout_seconds is not None:
            worker._deadlock_timeout_seconds = 60

    return make


# Nor is a workflow task that waits for a core a deadlock: the SDK gives it two seconds.
_WorkflowWorker.__init__ = _patient(_WorkflowWorker.__init__)  # type: ignore[method-assign]

StartEngine = Callable[..., AbstractAsyncContextManager[WorkflowEnvironment]]


def _binary(name: str) -> str:
    path = Path(sys.executable).with_name(name)
    if not path.is_file():
        pytest.fail(f"{name} is missing beside {sys.executable}: run `make setup`")
    return str(path)


@asynccontextmanager
async def _start_engine(
    *,
    search_attributes: Sequence[SearchAttributeKey[Any]] = (),
    port: int | None = None,
    database: Path | None = None,
    extra_args: Sequence[str] = (),
) -> AsyncIterator[WorkflowEnvironment]:
    async with await WorkflowEnvironment.start_local(
        dev_server_existing_path=_binary("temporal"),
        dev_server_extra_args=["--headless", *extra_args],
        dev_server_database_filename=str(database) if database else None,
        dev_server_log_level="error",
        data_converter=data_converter(),
        search_attributes=search_attributes,
        port=port,
    ) as environment:
        yield environment


@pytest.fixture
def start_engine() -> StartEngine:
    """Give a context manager that starts an engine with the search attributes, port and database given."""
    return _start_engine


@pytest.fixture
async def dev_server() -> AsyncIterator[WorkflowEnvironment]:
    """Give a real engine of its own, in real time: for schedules, versions, search attributes, reset."""
    async with _start_engine() as environment:
        yield environment


@pytest.fixture
async def time_skipping() -> AsyncIterator[WorkflowEnvironment]:
    """Give a time-skipping engine of its own: an activity left open stops the skipping for all after it."""
    async with await WorkflowEnvironment.start_time_skipping(
        test_server_existing_path=_binary("temporal-test-server"), data_converter=data_converter()
    ) as environment:
        yield environment
