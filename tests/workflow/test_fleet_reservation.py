"""One campaign a fleet at a time, and none while it is frozen."""

from datetime import timedelta

import pytest
from conftest import StartEngine
from temporalio.client import WorkflowHandle
from temporalio.testing import WorkflowEnvironment

from fakes.fleet import FakeFleet
from fakes.worker import TASK_QUEUE, campaign_worker, until
from steadfleet_core.campaign.lifecycle import Request
from steadfleet_ports.reservation import Claim, Grant
from steadfleet_workflows.fleet import FleetHolding, FleetReservation

Reservation = WorkflowHandle[FleetReservation, None]
EVE = Request(by="eve", reason="change freeze")


async def start(env: WorkflowEnvironment) -> Reservation:
    return await env.client.start_workflow(
        FleetReservation.run, id="fleet/web", task_queue=TASK_QUEUE, execution_timeout=timedelta(days=9)
    )


def claim(holder: str = "campaign/a", run: str = "run-1") -> Claim:
    return Claim(fleet="web", holder=holder, run=run, task_queue=TASK_QUEUE)


async def reserve(fleet: Reservation, claimed: Claim) -> Grant:
    return await fleet.execute_update(FleetReservation.reserve, claimed)


async def test_a_fleet_is_granted_to_one_and_refused_to_others_with_who_holds_it(
    time_skipping: WorkflowEnvironment,
) -> None:
    async with campaign_worker(time_skipping, FakeFleet()):
        fleet = await start(time_skipping)
        assert (await reserve(fleet, claim())).granted
        refused = await reserve(fleet, claim("campaign/b", "run-2"))

    assert not refused.granted
    assert refused.reason == "fleet web is reserved by campaign/a: wait for its end, or abort it"
    assert (refused.holder, refused.holder_run) == ("campaign/a", "run-1")


async def test_asking_again_for_what_one_holds_is_granted_again(time_skipping: WorkflowEnvironment) -> None:
    async with campaign_worker(time_skipping, FakeFleet()):
        fleet = await start(time_skipping)
        grants = [await reserve(fleet, claim()) for _ in range(2)]

    assert [grant.granted for grant in grants] == [True, True]


@pytest.mark.parametrize(
    ("by", "free"), [(claim(), True), (claim(run="run-2"), False), (claim("campaign/b"), False)]
)
async def test_only_the_run_that_holds_a_fleet_gives_it_back(
    time_skipping: WorkflowEnvironment, by: Claim, *, free: bool
) -> None:
    async with campaign_worker(time_skipping, FakeFleet()):
        fleet = await start(time_skipping)
        await reserve(fleet, claim())
        await fleet.execute_update(FleetReservation.release, by)
        grant = await reserve(fleet, claim("campaign/c", "run-3"))

    assert grant.granted is free


async def test_a_new_campaign_of_the_same_name_does_not_inherit_the_fleet(
    time_skipping: WorkflowEnvironment,
) -> None:
    async with campaign_worker(time_skipping, FakeFleet()):
        fleet = await start(time_skipping)
        await reserve(fleet, claim())
        again = await reserve(fleet, claim(run="run-2"))

    assert (again.granted, again.holder_run) == (False, "run-1")


async def test_a_frozen_fleet_is_granted_to_nobody_until_it_is_unfrozen(
    time_skipping: WorkflowEnvironment,
) -> None:
    async with campaign_worker(time_skipping, FakeFleet()):
        fleet = await start(time_skipping)
        await fleet.execute_update(FleetReservation.freeze, EVE)
        refused = await reserve(fleet, claim())
        await fleet.execute_update(FleetReservation.unfreeze, Request(by="ann"))
        granted = await reserve(fleet, claim())

    assert refused.reason == "fleet web was frozen by eve (change freeze): unfreeze it first"
    assert granted.granted


async def test_a_freeze_leaves_the_fleet_to_who_holds_it(time_skipping: WorkflowEnvironment) -> None:
    async with campaign_worker(time_skipping, FakeFleet()):
        fleet = await start(time_skipping)
        await reserve(fleet, claim())
        held = await fleet.execute_update(FleetReservation.freeze, EVE)

    assert held == FleetHolding(holder="campaign/a", run="run-1", frozen_by="eve", reason="change freeze")


async def test_stopping_the_line_frees_a_fleet_whose_holder_is_gone_and_keeps_it_frozen(
    time_skipping: WorkflowEnvironment,
) -> None:
    async with campaign_worker(time_skipping, FakeFleet()):
        fleet = await start(time_skipping)
        await reserve(fleet, claim("campaign/gone"))
        held = await fleet.execute_update(FleetReservation.stop_the_line, EVE)

    assert held == FleetHolding(frozen_by="eve", reason="change freeze")


async def test_what_is_held_is_held_in_the_next_run_too(start_engine: StartEngine) -> None:
    limit = "limit.historyCount.suggestContinueAsNew=12"
    async with (
        start_engine(extra_args=["--dynamic-config-value", limit]) as env,
        campaign_worker(env, FakeFleet()),
    ):
        fleet = await start(env)
        await reserve(fleet, claim())
        await fleet.execute_update(FleetReservation.freeze, EVE)
        for _ in range(4):
            await reserve(fleet, claim("campaign/b"))
        latest = env.client.get_workflow_handle("fleet/web")

        async def goes_on() -> bool:
            return (await latest.describe()).run_id != fleet.first_execution_run_id

        await until(goes_on, "a new run")
        held = await latest.query(FleetReservation.holding)

    assert held == FleetHolding(holder="campaign/a", run="run-1", frozen_by="eve", reason="change freeze")
