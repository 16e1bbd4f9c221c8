"""A campaign lives through a rollout: its wave stays on its version, and it moves between waves."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from conftest import StartEngine
from integration.durable.versions import (
    SHORT_PERIODS,
    Naps,
    abandoned,
    deployment_of,
    pinned,
    polling,
    reaches,
)
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from fakes.fleet import OLD, FakeFleet, FakeReservations
from fakes.lease import FakeLeases
from fakes.worker import TASK_QUEUE, campaign_worker, start_campaign, until
from steadfleet_core.campaign.lifecycle import State
from steadfleet_durable import WorkerSettings
from steadfleet_durable.deployments import VersionState
from steadfleet_durable.rollout import Rollout
from steadfleet_durable.rollout_order import RolloutOrder
from steadfleet_durable.rollout_prune import Pruned, prune
from steadfleet_durable.rollout_routing import make_current
from steadfleet_workflows.fleet import FleetReservation

NAME = TASK_QUEUE


@pytest.fixture
async def engine(start_engine: StartEngine) -> AsyncIterator[WorkflowEnvironment]:
    async with start_engine(extra_args=SHORT_PERIODS) as environment:
        yield environment


async def _ran_on(client: Client, workflow_id: str) -> str:
    """Return the build that the newest run of this workflow is pinned to."""
    described = await client.get_workflow_handle(workflow_id).describe()
    versioning = described.raw_description.workflow_execution_info.versioning_info
    return versioning.deployment_version.build_id


def _version(build_id: str) -> WorkerSettings:
    return WorkerSettings(deployment_name=NAME, build_id=build_id)


@pytest.mark.slow
async def test_a_wave_in_progress_stays_and_the_campaign_moves_between_waves(
    engine: WorkflowEnvironment,
) -> None:
    client, fleet = engine.client, FakeFleet(gate=asyncio.Event())
    world = (fleet, FakeReservations(), FakeLeases())
    shares: list[float] = []
    async with campaign_worker(engine, *world, deployment_config=_version("v2").deployment()):
        async with campaign_worker(engine, *world, deployment_config=_version("v1").deployment()):
            await polling(client, "v1", NAME)
            await polling(client, "v2", NAME)
            await make_current(client, await deployment_of(client, NAME), "v1")
            campaign = await start_campaign(engine, bake={"time": "1s", "interval": "1s"})
            await until(lambda: fleet.busy > 0, "the first wave changes hosts")

            async def meanwhile(_: int) -> None:
                found = await deployment_of(client, NAME)
                shares.append(found.ramp)
                assert await _ran_on(client, "campaign/web/1") == "v1"
                if found.ramp == 100:
                    assert fleet.gate is not None
                    fleet.gate.set()
                    assert (await campaign.report()).status.state is State.SUCCEEDED

            order = RolloutOrder("v2", (NAME,), interval=timedelta(minutes=5))
            await Rollout(client, order, lambda _: None, Naps(meanwhile)).run()

            assert shares == [10, 50, 100]
            waves = [await _ran_on(client, f"campaign/web/{wave}") for wave in (1, 2, 3)]
            assert waves == ["v1", "v2", "v2"]
            assert await _ran_on(client, "campaign/web") == "v2"
            assert len(fleet.on(OLD)) == 0
            await reaches(client, "v1", VersionState.DRAINED, NAME)
        await abandoned(client, "v1", NAME)
        assert await prune(client, (NAME,)) == [Pruned(NAME, "v1", None)]


async def test_a_reservation_that_nobody_asks_moves_too_and_lets_the_old_version_drain(
    engine: WorkflowEnvironment,
) -> None:
    client, world = engine.client, (FakeFleet(), FakeReservations(), FakeLeases())
    async with (
        campaign_worker(engine, *world, deployment_config=_version("v2").deployment()),
        campaign_worker(engine, *world, deployment_config=_version("v1").deployment()),
    ):
        await polling(client, "v1", NAME)
        await polling(client, "v2", NAME)
        await make_current(client, await deployment_of(client, NAME), "v1")
        await client.start_workflow(FleetReservation.run, id="fleet/web", task_queue=NAME)
        await pinned(client, "v1", 1, NAME)
        order = RolloutOrder("v2", (NAME,), steps=(100,), pause=timedelta())
        await Rollout(client, order, lambda _: None).run()

        async def moved() -> bool:
            return await _ran_on(client, "fleet/web") == "v2"

        await until(moved, "the reservation is on v2")
        await pinned(client, "v1", 0, NAME)
