"""A pause reaches the whole tree: what is in flight finishes, and nothing more starts."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from temporalio.testing import WorkflowEnvironment

from fakes.fleet import FakeFleet, FakeReservations
from fakes.worker import TASK_QUEUE, Campaign, campaign_worker, start_campaign, until
from steadfleet_core.campaign import plan
from steadfleet_core.campaign.lifecycle import Request, State
from steadfleet_ports.fleet import FleetFindings
from steadfleet_ports.reservation import Claim
from steadfleet_workflows.fleet import FleetReservation

TOLERANT: dict[str, Any] = {
    "failureTolerance": {"hosts": 5},
    "strategy": {"type": "immediate"},
    "bake": {"time": "0s"},
}


async def test_no_host_starts_after_the_pause_and_paused_means_that_nothing_is_in_flight(
    time_skipping: WorkflowEnvironment,
) -> None:
    fleet = FakeFleet(gate=asyncio.Event())
    async with campaign_worker(time_skipping, fleet):
        campaign = await start_campaign(time_skipping, **TOLERANT)
        await until(lambda: fleet.busy == 6)
        await campaign.pause(reason="paged")
        status = await campaign.reaches(State.PAUSING)
        assert status.reason == "paused by bob: paged"

        assert fleet.gate is not None
        fleet.gate.set()
        status = await campaign.reaches(State.PAUSED)
        assert fleet.busy == 0
        assert (len(fleet.begun), status.counts.changed) == (6, 6)

        await campaign.resume()
        report = await campaign.report()

    assert report.status.state is State.SUCCEEDED
    assert len(fleet.begun) == 24


async def test_a_pause_taken_back_and_given_again_is_still_a_pause(
    time_skipping: WorkflowEnvironment,
) -> None:
    fleet = FakeFleet(gate=asyncio.Event())
    async with campaign_worker(time_skipping, fleet):
        campaign = await start_campaign(time_skipping, **TOLERANT)
        await until(lambda: fleet.busy == 6)
        await campaign.pause()
        await campaign.resume()
        await campaign.pause()
        await campaign.reaches(State.PAUSING)
        assert fleet.gate is not None
        fleet.gate.set()
        await campaign.reaches(State.PAUSED)
        assert len(fleet.begun) == 6
        await campaign.resume()
        assert (await campaign.report()).status.state is State.SUCCEEDED


async def test_a_pause_at_the_end_of_one_shard_holds_the_next(
    time_skipping: WorkflowEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "SHARD", 6)
    fleet = FakeFleet(gate=asyncio.Event())
    async with campaign_worker(time_skipping, fleet):
        campaign = await start_campaign(time_skipping, **TOLERANT)
        await until(lambda: fleet.busy == 6)
        await campaign.pause()
        await campaign.reaches(State.PAUSING)
        assert fleet.gate is not None
        fleet.gate.set()
        await campaign.reaches(State.PAUSED)
        assert len(fleet.begun) == 6
        await campaign.resume()
        report = await campaign.report()

    assert len(fleet.shards) == 4
    assert report.status.counts.changed == 24


async def test_a_pause_while_planning_holds_before_the_first_host(
    time_skipping: WorkflowEnvironment,
) -> None:
    fleet = FakeFleet(preview_gate=asyncio.Event())
    async with campaign_worker(time_skipping, fleet):
        campaign = await start_campaign(time_skipping, bake={"time": "0s"})
        await campaign.reaches(State.PLANNING)
        await campaign.pause()
        assert fleet.preview_gate is not None
        fleet.preview_gate.set()
        await campaign.reaches(State.PAUSED)
        await until(lambda: _planned(campaign))
        assert not fleet.begun
        await campaign.resume()
        assert (await campaign.report()).status.state is State.SUCCEEDED


async def _planned(campaign: Campaign) -> bool:
    return (await campaign.status()).plan is not None


@pytest.mark.parametrize(("hours", "looks"), [(0.9, 0), (1.1, 1)])
async def test_after_a_long_pause_the_fleet_is_looked_at_before_anything_goes_on(
    time_skipping: WorkflowEnvironment, hours: float, looks: int
) -> None:
    fleet = FakeFleet()
    async with campaign_worker(time_skipping, fleet):
        campaign = await start_campaign(time_skipping)
        await campaign.reaches(State.BAKING)
        before = fleet.calls.count("check_fleet")
        await campaign.pause()
        await campaign.reaches(State.PAUSED)
        await time_skipping.sleep(timedelta(hours=hours))
        await campaign.resume()
        await campaign.reaches(State.BAKING)

        assert fleet.calls.count("check_fleet") - before == looks


async def test_problems_found_after_a_long_pause_keep_it_paused_until_they_are_gone(
    time_skipping: WorkflowEnvironment,
) -> None:
    fleet = FakeFleet()
    async with campaign_worker(time_skipping, fleet):
        campaign = await start_campaign(time_skipping)
        await campaign.reaches(State.BAKING)
        await campaign.pause()
        await campaign.reaches(State.PAUSED)
        await time_skipping.sleep(timedelta(days=3))
        fleet.findings = [FleetFindings(problems=("image ami-2 is gone",), drift=("i-1 is gone",))]
        await campaign.resume()
        await until(lambda: not fleet.findings)
        await until(lambda: _says(campaign, "paused still: image ami-2 is gone; resume looks again"))
        status = await campaign.status()
        assert (status.state, status.warnings) == (State.PAUSED, ("i-1 is gone",))

        await campaign.resume()
        await campaign.reaches(State.BAKING)
        assert (await campaign.report()).status.state is State.SUCCEEDED


async def _says(campaign: Campaign, reason: str) -> bool:
    return (await campaign.status()).reason == reason


async def test_a_pause_given_while_the_fleet_is_looked_at_again_holds(
    time_skipping: WorkflowEnvironment,
) -> None:
    fleet = FakeFleet(check_gate=asyncio.Event())
    assert fleet.check_gate is not None
    fleet.check_gate.set()
    async with campaign_worker(time_skipping, fleet):
        campaign = await start_campaign(time_skipping)
        await campaign.reaches(State.BAKING)
        await campaign.pause()
        await campaign.reaches(State.PAUSED)
        await time_skipping.sleep(timedelta(hours=2))
        fleet.check_gate.clear()
        looks = fleet.calls.count("check_fleet")
        await campaign.resume()
        await until(lambda: fleet.calls.count("check_fleet") > looks)
        await campaign.pause()
        fleet.check_gate.set()
        await until(lambda: not fleet.looking)
        assert (await campaign.status()).state is State.PAUSED
        await campaign.resume()
        assert (await campaign.report()).status.state is State.SUCCEEDED


async def test_an_abort_while_the_fleet_is_looked_at_again_stops_the_wave(
    time_skipping: WorkflowEnvironment,
) -> None:
    fleet = FakeFleet(check_gate=asyncio.Event())
    assert fleet.check_gate is not None
    fleet.check_gate.set()
    async with campaign_worker(time_skipping, fleet):
        campaign = await start_campaign(time_skipping, bake={"time": "48h"})
        await campaign.reaches(State.BAKING)
        await campaign.pause()
        await campaign.reaches(State.PAUSED)
        await time_skipping.sleep(timedelta(hours=2))
        fleet.check_gate.clear()
        looks = fleet.calls.count("check_fleet")
        await campaign.resume()
        await until(lambda: fleet.calls.count("check_fleet") > looks)
        await campaign.abort(reason="enough")
        fleet.check_gate.set()
        report = await campaign.report()

    assert (report.status.state, report.status.reason) == (State.ABORTED, "aborted by bob: enough")
    assert report.ended_at - report.started_at < timedelta(hours=3)


async def test_stopping_the_line_pauses_the_campaign_that_holds_the_fleet(
    time_skipping: WorkflowEnvironment,
) -> None:
    async with campaign_worker(time_skipping, FakeFleet(), FakeReservations()):
        campaign = await start_campaign(time_skipping)
        await campaign.reaches(State.BAKING)
        fleet = await time_skipping.client.start_workflow(
            FleetReservation.run, id="fleet/web", task_queue=TASK_QUEUE, execution_timeout=timedelta(days=9)
        )
        claim = Claim(fleet="web", holder=campaign.handle.id, run="first", task_queue=TASK_QUEUE)
        await fleet.execute_update(FleetReservation.reserve, claim)
        await fleet.execute_update(FleetReservation.stop_the_line, Request(by="eve", reason="outage"))
        status = await campaign.reaches(State.PAUSED)

    assert status.reason == "paused by eve: the line was stopped: outage"
