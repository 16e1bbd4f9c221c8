"""What waits for ever is seen, and versions that nothing needs any more are deleted, and no others."""

import os
import signal
from collections.abc import AsyncIterator

import pytest
from conftest import StartEngine
from integration.durable.process import service
from integration.durable.service import TASK_QUEUE
from integration.durable.versions import (
    DEPLOYMENT,
    SHORT_PERIODS,
    abandoned,
    current,
    deployment_of,
    finished_by,
    pinned,
    polling,
    reaches,
    start,
    version_of,
    worker,
)
from temporalio.client import Client

from fakes.worker import until
from steadfleet_durable.deployments import VersionState, deployment_problems
from steadfleet_durable.rollout_prune import Pruned, prune
from steadfleet_durable.rollout_routing import make_current


@pytest.fixture
async def client(start_engine: StartEngine) -> AsyncIterator[Client]:
    async with start_engine(extra_args=SHORT_PERIODS) as environment:
        yield environment.client


def _process_environment(build_id: str) -> dict[str, str]:
    return {"TEMPORAL_DEPLOYMENT_NAME": DEPLOYMENT, "TEMPORAL_WORKER_BUILD_ID": build_id}


async def test_a_first_install_without_a_current_version_is_noticed(client: Client) -> None:
    async with worker(client, "v1"):
        await polling(client, "v1")
        (problem,) = await deployment_problems(client)
        assert (problem.deployment, problem.build_id) == (DEPLOYMENT, None)
        assert "has no current version, so new workflows never start (versions seen: v1)" in problem.problem

        await make_current(client, await deployment_of(client), "v1")
        assert await deployment_problems(client) == []


@pytest.mark.slow
async def test_a_version_with_running_work_whose_worker_is_killed_raises_the_alarm(client: Client) -> None:
    engine = client.service_client.config.target_host
    async with service(engine, **_process_environment("v1")) as old, worker(client, "v2"):
        await polling(client, "v1")
        await polling(client, "v2")
        await make_current(client, await deployment_of(client), "v1")
        work = await start(client, "old")
        await pinned(client, "v1", 1)
        await make_current(client, await deployment_of(client), "v2")
        assert await deployment_problems(client) == []

        os.kill(old.process.pid, signal.SIGKILL)
        await abandoned(client, "v1")

        (problem,) = await deployment_problems(client)
        assert (problem.deployment, problem.build_id) == (DEPLOYMENT, "v1")
        assert "(draining; running workflows pinned to it: 1), but nobody polls its" in problem.problem
        assert "workflow queue service" in problem.problem
        async with service(engine, **_process_environment("v1")):
            assert await finished_by(work) == "v1"

    async def nothing_pinned() -> bool:
        return (await version_of(client, "v1")).running == 0

    await until(nothing_pinned)
    assert "v1" not in [problem.build_id for problem in await deployment_problems(client)]


async def test_only_deployments_that_serve_the_named_queues_are_looked_at(client: Client) -> None:
    async with worker(client, "v1"):
        await polling(client, "v1")
        assert await deployment_problems(client, frozenset({"another"})) == []
        assert len(await deployment_problems(client, frozenset({TASK_QUEUE, "another"}))) == 1


@pytest.mark.slow
async def test_a_drained_version_is_deleted_once_its_workers_are_gone(client: Client) -> None:
    async with current(client, "v2"):
        async with current(client, "v1"):
            work = await start(client, "old")
            await pinned(client, "v1", 1)
            await make_current(client, await deployment_of(client), "v2")
            await reaches(client, "v1", VersionState.DRAINING)
            (kept,) = await prune(client, (DEPLOYMENT,))
            assert kept.kept == "not drained; running workflows pinned to it: 1"

            assert await finished_by(work) == "v1"
            await reaches(client, "v1", VersionState.DRAINED)
            (kept,) = await prune(client, (DEPLOYMENT,))
            assert kept.kept is not None
            assert kept.kept.startswith("drained, but still polled by")

        await abandoned(client, "v1")
        assert await prune(client, (DEPLOYMENT,)) == [Pruned(DEPLOYMENT, "v1", None)]
        assert [version.build_id for version in (await deployment_of(client)).versions] == ["v2"]


async def test_a_version_that_was_never_given_work_is_not_pruned(client: Client) -> None:
    async with current(client, "v1"):
        async with worker(client, "v2"):
            await polling(client, "v2")
        await abandoned(client, "v2")

        assert await prune(client, (DEPLOYMENT,)) == []
        assert (await version_of(client, "v2")).state is VersionState.INACTIVE
