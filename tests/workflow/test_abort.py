"""An abort ends a campaign from wherever it stands: in flight goes back, done stays, nothing is held."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from temporalio.client import WorkflowExecutionStatus, WorkflowFailureError
from temporalio.exceptions import CancelledError
from temporalio.testing import WorkflowEnvironment

from fakes.fleet import NEW, OLD, FakeFleet, FakeReservations, hosts_over_zones
from fakes.worker import Campaign, campaign_worker, start_campaign, until
from steadfleet_core.campaign.lifecycle import State

ALL = {host.id for host in hosts_over_zones(24)}
ONE_WAVE: dict[str, Any] = {
    "failureTolerance": {"hosts": 5},
    "strategy": {"type": "immediate"},
    "bake": {"time": "0s"},
}


def half_way(fleet: FakeFleet, done: int) -> Callable[[], bool]:
    return lambda: len(fleet.on(NEW.id)) == done and fleet.busy == 6


async def part_done(env: WorkflowEnvironment, fleet: FakeFleet, done: int) -> Campaign:
    """Return a campaign with so many hosts done and six in flight."""
    fleet.passing = done
    campaign = await start_campaign(env, **ONE_WAVE)
    await until(half_way(fleet, done), f"{done} done and 6 in flight")
    return campaign


def gated() -> FakeFleet:
    return FakeFleet(gate=asyncio.Event())


async def test_hosts_in_flight_are_restored_and_hosts_done_stay(time_skipping: WorkflowEnvironment) -> None:
    fleet, reservations = gated(), FakeReservations()
    async with campaign_worker(time_skipping, fleet, reservations):
        campaign = await part_done(time_skipping, fleet, 4)
        receipt = await campaign.abort(reason="wrong image")
        report = await campaign.report()

    assert receipt.effect.startswith("no new host is started; hosts in flight and failed are restored")
    assert (report.status.state, report.status.reason) == (State.ABORTED, "aborted by bob: wrong image")
    assert (len(fleet.begun), len(fleet.on(NEW.id))) == (10, 4)
    assert (report.status.counts.changed, report.status.counts.restored) == (4, 6)
    assert not set(fleet.restores) & fleet.on(NEW.id)
    assert "adopt_image" not in fleet.calls
    assert reservations.released == ["web"]


async def test_with_rollback_hosts_done_are_restored_too(time_skipping: WorkflowEnvironment) -> None:
    fleet = gated()
    async with campaign_worker(time_skipping, fleet):
        campaign = await part_done(time_skipping, fleet, 4)
        await campaign.abort(rollback=True)
        report = await campaign.report()

    assert report.status.state is State.ROLLED_BACK
    assert fleet.on(OLD) == ALL
    assert report.status.counts.restored == 10


async def planning(campaign: Campaign, fleet: FakeFleet) -> None:
    await campaign.reaches(State.PLANNING)


async def paused(campaign: Campaign, fleet: FakeFleet) -> None:
    await campaign.reaches(State.BAKING)
    await campaign.pause()
    await campaign.reaches(State.PAUSED)


async def pausing(campaign: Campaign, fleet: FakeFleet) -> None:
    await until(lambda: fleet.busy > 0)
    await campaign.pause()
    await campaign.reaches(State.PAUSING)


def in_state(state: State) -> Callable[[Campaign, FakeFleet], Awaitable[None]]:
    async def reach(campaign: Campaign, fleet: FakeFleet) -> None:
        await campaign.reaches(state)

    return reach


MANUAL = {"rollback": {"automatic": False}}
STATES: dict[State, tuple[Callable[[], FakeFleet], dict[str, Any], Any, int]] = {
    State.PLANNING: (lambda: FakeFleet(preview_gate=asyncio.Event()), {}, planning, 0),
    State.AWAITING_APPROVAL: (
        FakeFleet,
        {"approval": {"required": True}},
        in_state(State.AWAITING_APPROVAL),
        0,
    ),
    State.RUNNING: (gated, {}, in_state(State.RUNNING), 0),
    State.BAKING: (FakeFleet, {}, in_state(State.BAKING), 2),
    State.PAUSING: (gated, {}, pausing, 0),
    State.PAUSED: (FakeFleet, {}, paused, 2),
    State.HALTED: (lambda: FakeFleet(bad={"i-00001"}), MANUAL, in_state(State.HALTED), 1),
}


@pytest.mark.parametrize("by_cancel", [False, True], ids=["abort", "cancel"])
@pytest.mark.parametrize("state", STATES)
async def test_in_every_open_state_it_ends_with_everything_given_back(
    time_skipping: WorkflowEnvironment, state: State, *, by_cancel: bool
) -> None:
    make, spec, reach, stay = STATES[state]
    fleet, reservations = make(), FakeReservations()
    async with campaign_worker(time_skipping, fleet, reservations):
        campaign = await start_campaign(time_skipping, **spec)
        await reach(campaign, fleet)
        await (campaign.handle.cancel() if by_cancel else campaign.abort())
        if fleet.preview_gate:
            fleet.preview_gate.set()
        if by_cancel:
            with pytest.raises(WorkflowFailureError) as closed:
                await campaign.report()
            assert isinstance(closed.value.cause, CancelledError)
        else:
            await campaign.report()
        status = await campaign.status()

    assert status.state is State.ABORTED
    assert status.reason == ("the workflow was cancelled" if by_cancel else "aborted by bob")
    assert len(fleet.on(NEW.id)) == stay
    assert not status.obligations
    assert reservations.reserved == reservations.released == ["web"]


async def test_a_second_cancel_does_not_disturb_the_undoing(time_skipping: WorkflowEnvironment) -> None:
    fleet = gated()
    fleet.restore_gate = asyncio.Event()
    async with campaign_worker(time_skipping, fleet):
        campaign = await part_done(time_skipping, fleet, 4)
        await campaign.handle.cancel()
        await until(lambda: fleet.restoring == 6)
        await campaign.handle.cancel()
        fleet.restore_gate.set()
        with pytest.raises(WorkflowFailureError):
            await campaign.report()
        status = await campaign.status()

    assert status.state is State.ABORTED
    assert (len(fleet.on(NEW.id)), sum(fleet.restores.values())) == (4, 6)


async def test_a_cancel_carries_a_paused_rollback_to_its_end(time_skipping: WorkflowEnvironment) -> None:
    fleet = FakeFleet(restore_gate=asyncio.Event())
    async with campaign_worker(time_skipping, fleet):
        campaign = await start_campaign(time_skipping, **{**ONE_WAVE, "bake": {"time": "1h"}})
        await campaign.reaches(State.BAKING)
        await campaign.rollback()
        await until(lambda: fleet.restoring > 0)
        await campaign.pause()
        assert fleet.restore_gate is not None
        fleet.restore_gate.set()
        await campaign.reaches(State.PAUSED)
        assert fleet.on(NEW.id)
        await campaign.handle.cancel()
        with pytest.raises(WorkflowFailureError):
            await campaign.report()
        assert (await campaign.status()).state is State.ROLLED_BACK

    assert fleet.on(OLD) == ALL


async def test_terminating_the_campaign_winds_the_wave_down(dev_server: WorkflowEnvironment) -> None:
    fleet = gated()  # the time-skipping server leaves children of a terminated workflow alone
    async with campaign_worker(dev_server, fleet):
        campaign = await part_done(dev_server, fleet, 4)
        await campaign.handle.terminate("by mistake")
        wave = dev_server.client.get_workflow_handle(f"{campaign.handle.id}/1")
        with pytest.raises(WorkflowFailureError):
            await wave.result()
        closed = await wave.describe()

    assert closed.status is WorkflowExecutionStatus.CANCELED
    assert fleet.busy == 0
    assert (len(fleet.begun), len(fleet.on(NEW.id))) == (10, 4)
    assert sum(fleet.restores.values()) == 6


async def test_a_host_in_flight_that_cannot_be_restored_is_told_of(
    time_skipping: WorkflowEnvironment,
) -> None:
    fleet = gated()
    fleet.stuck = {"i-00004"}
    async with campaign_worker(time_skipping, fleet):
        campaign = await part_done(time_skipping, fleet, 0)
        await campaign.abort()
        report = await campaign.report()

    assert report.status.counts.lost == 1
    assert report.status.obligations == ("wave 1: 1 lost: look at i-00004",)
    assert "aborted in flight; its restore failed" in report.status.failures[0].reason


async def test_an_abort_is_soon_over(time_skipping: WorkflowEnvironment) -> None:
    fleet = gated()
    async with campaign_worker(time_skipping, fleet):
        campaign = await part_done(time_skipping, fleet, 0)
        await campaign.abort()
        report = await campaign.report()

    assert report.ended_at - report.started_at < timedelta(minutes=1)
