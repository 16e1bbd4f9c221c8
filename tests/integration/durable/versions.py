"""Versions of a worker for tests: an engine whose periods are short, good builds, and a bad one."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

from integration.durable.service import TASK_QUEUE, WaitsForSignal
from temporalio import workflow
from temporalio.client import Client, WorkflowHandle
from temporalio.worker import Worker

from fakes.worker import until
from steadfleet_durable import WorkerSettings, build_worker
from steadfleet_durable.deployments import Deployment, Version, VersionState, look
from steadfleet_durable.rollout_order import RolloutOrder
from steadfleet_durable.rollout_routing import make_current

DEPLOYMENT = "test-service"

SHORT_PERIODS = [
    word
    for setting in (
        'matching.wv.VersionDrainageStatusVisibilityGracePeriod="1s"',
        'matching.wv.VersionDrainageStatusRefreshInterval="1s"',
        'matching.PollerHistoryTTL="8s"',
        'matching.longPollExpirationInterval="3s"',
    )
    for word in ("--dynamic-config-value", setting)
]
"""Drained after seconds, not minutes; a worker that is gone is forgotten after seconds likewise."""


@workflow.defn(name="WaitsForSignal")
class FailsEveryTask:
    """What a bad build makes of the workflow: its tasks fail, and the engine tries them again."""

    @workflow.run
    async def run(self) -> str:
        raise ValueError("a bad build")

    @workflow.signal
    def go(self) -> None:
        pass


@workflow.defn
class Renews:
    """Goes on in a new run on whatever version is current, as campaigns do between waves."""

    def __init__(self) -> None:
        self._go = False

    @workflow.run
    async def run(self) -> str:
        await workflow.wait_condition(lambda: self._go)
        workflow.continue_as_new(
            initial_versioning_behavior=workflow.ContinueAsNewVersioningBehavior.AUTO_UPGRADE
        )

    @workflow.signal
    def go(self) -> None:
        self._go = True


@workflow.defn(name="Renews")
class FailsAfterRenewal:
    """What a bad build makes of it."""

    @workflow.run
    async def run(self) -> str:
        raise ValueError("a bad build")

    @workflow.signal
    def go(self) -> None:
        pass


def worker(
    client: Client,
    build_id: str,
    workflows: type = WaitsForSignal,
    *,
    deployment: str = DEPLOYMENT,
    queue: str = TASK_QUEUE,
) -> Worker:
    settings = WorkerSettings(
        deployment_name=deployment, build_id=build_id, graceful_shutdown_time=timedelta()
    )
    return build_worker(client, task_queue=queue, workflows=[workflows], settings=settings)


@asynccontextmanager
async def current(
    client: Client, build_id: str, *, deployment: str = DEPLOYMENT, queue: str = TASK_QUEUE
) -> AsyncIterator[Worker]:
    """Run a worker of the build, and have it made current."""
    async with worker(client, build_id, deployment=deployment, queue=queue) as running:
        await polling(client, build_id, deployment)
        await make_current(client, await deployment_of(client, deployment), build_id)
        yield running


async def deployment_of(client: Client, name: str = DEPLOYMENT) -> Deployment:
    found = await look(client, name)
    assert found is not None, f"{name} is unknown"
    return found


async def version_of(client: Client, build_id: str, name: str = DEPLOYMENT) -> Version:
    version = (await deployment_of(client, name)).version(build_id)
    assert version is not None, f"{build_id} of {name} is unknown"
    return version


async def polling(client: Client, build_id: str, name: str = DEPLOYMENT) -> None:
    async def known() -> bool:
        found = await look(client, name)
        version = found.version(build_id) if found else None
        return version is not None and bool(version.queues) and not version.unpolled

    await until(known, f"{build_id} polls")


async def reaches(client: Client, build_id: str, state: VersionState, name: str = DEPLOYMENT) -> None:
    async def reached() -> bool:
        return (await version_of(client, build_id, name)).state is state

    await until(reached, f"{build_id} is {state}")


async def abandoned(client: Client, build_id: str, name: str = DEPLOYMENT) -> None:
    async def gone() -> bool:
        return not (await version_of(client, build_id, name)).pollers

    await until(gone, f"nobody polls for {build_id}")


async def start(
    client: Client, workflow_id: str, queue: str = TASK_QUEUE
) -> WorkflowHandle[WaitsForSignal, str]:
    return await client.start_workflow(WaitsForSignal.run, id=workflow_id, task_queue=queue)


async def pinned(client: Client, build_id: str, count: int, name: str = DEPLOYMENT) -> None:
    """Wait until so many running workflows are seen to be pinned to the build."""

    async def seen() -> bool:
        return (await version_of(client, build_id, name)).running == count

    await until(seen, f"{count} workflows are pinned to {build_id}")


async def finished_by(handle: WorkflowHandle[WaitsForSignal, str]) -> str:
    await handle.signal(WaitsForSignal.go)
    return await handle.result()


def order(build_id: str, *deployments: str, steps: tuple[int, ...] = (10, 50, 100)) -> RolloutOrder:
    return RolloutOrder(
        build_id=build_id,
        deployments=deployments or (DEPLOYMENT,),
        steps=steps,
        pause=timedelta(minutes=5),
        interval=timedelta(minutes=5),
    )


class Naps:
    """A clock for rollouts: each pause ends as soon as `meanwhile` has happened."""

    def __init__(self, meanwhile: Callable[[int], Awaitable[None]]) -> None:
        self.times: list[timedelta] = []
        self._meanwhile = meanwhile

    async def __call__(self, time: timedelta) -> None:
        self.times.append(time)
        await self._meanwhile(len(self.times))
