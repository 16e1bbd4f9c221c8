"""One campaign a fleet: a holder that has closed no longer holds, one that lives does."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from temporalio import workflow
from temporalio.client import Client
from temporalio.testing import ActivityEnvironment, WorkflowEnvironment

from steadfleet_activities.fleet.reservation import TemporalReservations
from steadfleet_durable import build_worker
from steadfleet_ports.reservation import Claim, Grant
from steadfleet_workflows.fleet import FleetReservation

QUEUE = "patch-campaign"


@workflow.defn(sandboxed=False)
class Holder:
    """Stands for a campaign: it lives until it is told to end."""

    def __init__(self) -> None:
        self.ended = False

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: self.ended)

    @workflow.signal
    def end(self) -> None:
        self.ended = True


@pytest.fixture
async def client(dev_server: WorkflowEnvironment) -> AsyncIterator[Client]:
    async with build_worker(dev_server.client, task_queue=QUEUE, workflows=[FleetReservation, Holder]):
        yield dev_server.client


async def _holder(client: Client, name: str) -> Claim:
    handle = await client.start_workflow(Holder.run, id=f"campaign/{name}", task_queue=QUEUE)
    return Claim(fleet="web", holder=handle.id, run=handle.first_execution_run_id or "", task_queue=QUEUE)


async def _reserve(client: Client, claim: Claim) -> Grant:
    return await ActivityEnvironment().run(TemporalReservations(client).reserve_fleet, claim)


async def _release(client: Client, claim: Claim) -> None:
    await ActivityEnvironment().run(TemporalReservations(client).release_fleet, claim)


async def test_fleet_is_granted_again_to_who_holds_it(client: Client) -> None:
    claim = await _holder(client, "one")

    assert await _reserve(client, claim) == Grant(granted=True)
    assert await _reserve(client, claim) == Grant(granted=True)


async def test_fleet_of_a_living_campaign_is_refused(client: Client) -> None:
    first, second = await _holder(client, "one"), await _holder(client, "two")
    await _reserve(client, first)

    grant = await _reserve(client, second)

    assert not grant.granted
    assert "fleet web is reserved by campaign/one" in grant.reason


async def test_released_fleet_is_granted_to_the_next(client: Client) -> None:
    first, second = await _holder(client, "one"), await _holder(client, "two")
    await _reserve(client, first)
    await _release(client, first)

    assert (await _reserve(client, second)).granted


@pytest.mark.parametrize("end", ["completed", "terminated"])
async def test_closed_campaign_no_longer_holds(client: Client, end: str) -> None:
    first, second = await _holder(client, "one"), await _holder(client, "two")
    await _reserve(client, first)
    handle = client.get_workflow_handle(first.holder)
    if end == "terminated":
        await handle.terminate()
    else:
        await handle.signal(Holder.end)
        await handle.result()

    assert (await _reserve(client, second)).granted
    assert not (await _reserve(client, first)).granted, "and it does not hold beside the next"


async def test_campaign_that_was_never_started_does_not_hold(client: Client) -> None:
    ghost = Claim(fleet="web", holder="campaign/ghost", run=str(uuid4()), task_queue=QUEUE)
    await _reserve(client, ghost)

    assert (await _reserve(client, await _holder(client, "two"))).granted


async def test_later_campaign_of_the_same_name_is_another_holder(client: Client) -> None:
    """The first of that name was terminated; the living one under its name never asked for the fleet."""
    first = await _holder(client, "one")
    await _reserve(client, first)
    await client.get_workflow_handle(first.holder).terminate()
    again = await _holder(client, "one")
    assert again.run != first.run

    assert (await _reserve(client, await _holder(client, "two"))).granted


async def test_frozen_fleet_stays_frozen(client: Client) -> None:
    claim = await _holder(client, "one")
    await _reserve(client, claim)
    await _release(client, claim)
    await client.get_workflow_handle("fleet/web").execute_update(
        "freeze", {"by": "ops", "reason": "incident 7"}
    )

    grant = await _reserve(client, claim)

    assert not grant.granted
    assert "frozen by ops (incident 7)" in grant.reason


async def test_release_of_a_fleet_that_nobody_ever_asked_for_is_nothing(client: Client) -> None:
    await _release(client, Claim(fleet="db", holder="campaign/one", run="r", task_queue=QUEUE))


async def test_one_of_many_that_ask_at_once_is_granted(client: Client) -> None:
    claims = [await _holder(client, str(number)) for number in range(5)]

    grants = await asyncio.gather(*(_reserve(client, claim) for claim in claims))

    assert sum(grant.granted for grant in grants) == 1
