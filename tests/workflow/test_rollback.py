"""A rollback brings hosts back to what they ran before, and never hides the one that it cannot."""

import asyncio
from typing import Any

import pytest
from temporalio.testing import WorkflowEnvironment

from fakes.fleet import NEW, OLD, FakeFleet, hosts_over_zones
from fakes.worker import Campaign, campaign_worker, start_campaign, until
from steadfleet_core.campaign.lifecycle import State
from steadfleet_core.campaign.policy import RollbackScope
from steadfleet_core.campaign.verdict import Verdict

ALL = {host.id for host in hosts_over_zones(24)}
FAST = {"time": "0s"}
MANUAL = {"automatic": False}
ONE_WAVE = {"type": "immediate"}


def wave_of(fleet: FakeFleet, number: int) -> set[str]:
    """Name the hosts of a wave."""
    return {host.id for (wave, _), shard in fleet.shards.items() if wave == number for host in shard.hosts}


def later_wave_is_bad() -> FakeFleet:
    """Return a fleet of which only the third wave of the canary fails."""
    return FakeFleet(ill={"i-00023"})


async def test_an_unhealthy_wave_takes_back_itself_and_no_other(time_skipping: WorkflowEnvironment) -> None:
    fleet = later_wave_is_bad()
    async with campaign_worker(time_skipping, fleet):
        report = await (await start_campaign(time_skipping)).report()

    assert report.status.state is State.ROLLED_BACK
    assert [wave.verdict for wave in report.status.waves] == [
        Verdict.HEALTHY,
        Verdict.HEALTHY,
        Verdict.UNHEALTHY,
    ]
    assert fleet.on(NEW.id) == wave_of(fleet, 1) | wave_of(fleet, 2)
    assert "adopt_image" not in fleet.calls


async def test_with_the_scope_of_the_campaign_every_host_goes_back_last_wave_first_unbaked(
    time_skipping: WorkflowEnvironment,
) -> None:
    fleet = later_wave_is_bad()
    async with campaign_worker(time_skipping, fleet):
        campaign = await start_campaign(time_skipping, rollback={"scope": "campaign"})
        report = await campaign.report()

    assert fleet.on(OLD) == ALL
    order = list(fleet.restores)
    assert set(order[:18]) == wave_of(fleet, 3)
    assert set(order[18:22]) == wave_of(fleet, 2)
    assert set(order[22:]) == wave_of(fleet, 1)
    assert set(fleet.restores.values()) == {1}
    assert report.status.counts.restored == 24
    assert max(fleet.peak[zone] for zone in "abc") <= 2
    # Two good bakes of ten looks each, and the one look that found the ill host.
    assert fleet.calls.count("probe_hosts") == 21


@pytest.mark.parametrize("automatic", [True, False], ids=["automatic", "by hand"])
async def test_an_unhealthy_wave_waits_for_a_person_unless_rollback_is_automatic(
    time_skipping: WorkflowEnvironment, *, automatic: bool
) -> None:
    fleet = FakeFleet(bad=ALL)
    async with campaign_worker(time_skipping, fleet):
        campaign = await start_campaign(time_skipping, rollback={"automatic": automatic})
        if automatic:
            assert (await campaign.report()).status.state is State.ROLLED_BACK
        else:
            status = await campaign.reaches(State.HALTED)
            assert status.reason == "wave 1 is unhealthy: http :8080/healthz answered 500"
            assert not fleet.restores
            assert not status.failures[0].restored


async def halted(env: WorkflowEnvironment, fleet: FakeFleet, **spec: Any) -> Campaign:
    campaign = await start_campaign(env, rollback=MANUAL, bake=FAST, **spec)
    await campaign.reaches(State.HALTED)
    return campaign


async def test_retry_changes_only_the_failed_hosts(time_skipping: WorkflowEnvironment) -> None:
    fleet = FakeFleet(bad={"i-00006"})
    async with campaign_worker(time_skipping, fleet):
        campaign = await halted(time_skipping, fleet, strategy=ONE_WAVE)
        done = fleet.on(NEW.id)
        fleet.bad = set()
        await campaign.retry()
        report = await campaign.report()

    assert report.status.state is State.SUCCEEDED
    assert {host for host, times in fleet.changes.items() if times == 2} == {"i-00006"}
    assert done < fleet.on(NEW.id) == ALL
    assert fleet.checks[-1].tolerance == 1, "a host known to be out must not bar its own retry"


async def test_rollback_while_halted_restores_the_failed_hosts_too(
    time_skipping: WorkflowEnvironment,
) -> None:
    fleet = FakeFleet(bad={"i-00006"})
    async with campaign_worker(time_skipping, fleet):
        campaign = await halted(time_skipping, fleet, strategy=ONE_WAVE)
        await campaign.rollback()
        report = await campaign.report()

    assert report.status.state is State.ROLLED_BACK
    assert fleet.restores["i-00006"] == 1
    assert fleet.on(OLD) == ALL
    assert [failure.restored for failure in report.status.failures] == [True]
    assert not report.status.obligations


@pytest.mark.parametrize("scope", RollbackScope)
async def test_a_person_can_roll_back_while_baking(
    time_skipping: WorkflowEnvironment, scope: RollbackScope
) -> None:
    fleet = FakeFleet()
    async with campaign_worker(time_skipping, fleet):
        campaign = await start_campaign(time_skipping, bake={"time": "10m", "first": "0s"})
        await campaign.reaches(State.BAKING)
        await campaign.rollback(scope=scope)
        report = await campaign.report()

    assert report.status.state is State.ROLLED_BACK
    assert report.status.reason == "rolled back by bob"
    assert fleet.on(NEW.id) == (wave_of(fleet, 1) if scope is RollbackScope.WAVE else set())


async def test_a_person_can_roll_back_while_hosts_are_in_flight(time_skipping: WorkflowEnvironment) -> None:
    fleet = FakeFleet(gate=asyncio.Event(), passing=1)
    async with campaign_worker(time_skipping, fleet):
        campaign = await start_campaign(time_skipping)
        await until(lambda: fleet.busy == 1 and len(fleet.on(NEW.id)) == 1)
        await campaign.rollback()
        report = await campaign.report()

    assert report.status.state is State.ROLLED_BACK
    assert fleet.on(OLD) == ALL
    assert len(fleet.begun) == 2


async def test_a_person_can_roll_back_while_paused(time_skipping: WorkflowEnvironment) -> None:
    fleet = FakeFleet()
    async with campaign_worker(time_skipping, fleet):
        campaign = await start_campaign(time_skipping)
        await campaign.reaches(State.BAKING)
        await campaign.pause()
        await campaign.reaches(State.PAUSED)
        await campaign.rollback()
        report = await campaign.report()

    assert report.status.state is State.ROLLED_BACK
    assert fleet.on(OLD) == ALL


async def test_a_rollback_can_be_paused_and_resumed(time_skipping: WorkflowEnvironment) -> None:
    fleet = FakeFleet(restore_gate=asyncio.Event())
    async with campaign_worker(time_skipping, fleet):
        campaign = await start_campaign(time_skipping, strategy=ONE_WAVE)
        await campaign.reaches(State.BAKING)
        await campaign.rollback()
        await until(lambda: fleet.restoring == 6)
        await campaign.pause()
        await campaign.reaches(State.PAUSING)
        assert fleet.restore_gate is not None
        fleet.restore_gate.set()
        await campaign.reaches(State.PAUSED)
        assert sum(fleet.restores.values()) == 6
        await campaign.resume()
        report = await campaign.report()

    assert report.status.state is State.ROLLED_BACK
    assert fleet.on(OLD) == ALL


async def stopped(env: WorkflowEnvironment, fleet: FakeFleet, **spec: Any) -> Campaign:
    """Return a campaign whose rollback has stopped at hosts that it could not restore."""
    campaign = await start_campaign(env, strategy=ONE_WAVE, **spec)
    await campaign.reaches(State.BAKING)
    await campaign.rollback()
    return campaign


async def test_more_lost_hosts_than_tolerated_stop_a_rollback_and_a_retry_carries_it_on(
    time_skipping: WorkflowEnvironment,
) -> None:
    fleet = FakeFleet(stuck={"i-00003"})
    async with campaign_worker(time_skipping, fleet):
        campaign = await stopped(time_skipping, fleet)
        status = await campaign.reaches(State.HALTED)
        left = status.counts.changed + status.counts.lost
        assert status.counts.lost == 1
        assert status.counts.changed > 0, "it did not stop"
        assert status.reason == f"the rollback of wave 1 stopped: {left} hosts are not restored"
        assert status.obligations == ("wave 1: 1 lost: look at i-00003",)
        assert "its restore failed: its before does not answer" in status.failures[0].reason

        fleet.stuck = set()
        await campaign.retry()
        report = await campaign.report()

    assert report.status.state is State.ROLLED_BACK
    assert fleet.on(OLD) == ALL
    assert {host for host, times in fleet.restores.items() if times == 2} == {"i-00003"}
    assert (report.status.counts.lost, report.status.obligations) == (0, ())


async def test_lost_hosts_within_the_tolerance_do_not_stop_a_rollback_but_are_told_of(
    time_skipping: WorkflowEnvironment,
) -> None:
    fleet = FakeFleet(stuck={"i-00003"})
    async with campaign_worker(time_skipping, fleet):
        campaign = await stopped(time_skipping, fleet, failureTolerance={"hosts": 1})
        report = await campaign.report()

    assert report.status.state is State.ROLLED_BACK
    assert report.status.counts.lost == 1
    assert report.status.obligations == ("wave 1: 1 lost: look at i-00003",)
    assert fleet.on(NEW.id) == {"i-00003"}


async def test_hosts_lost_in_one_wave_do_not_keep_another_from_being_restored(
    time_skipping: WorkflowEnvironment,
) -> None:
    fleet = FakeFleet()
    async with campaign_worker(time_skipping, fleet):
        bake = {"time": "10m", "first": "0s"}
        steps = {"type": "canary", "canary": {"steps": ["50%", "100%"]}}
        campaign = await start_campaign(
            time_skipping, strategy=steps, bake=bake, failureTolerance={"hosts": 2}
        )
        await campaign.reaches(State.BAKING)
        zone_a = [host.id for host in fleet.shards[2, 0].hosts if host.zone == "a"]
        fleet.stuck = set(zone_a[-2:])  # as many as the budget of the zone
        await campaign.rollback()
        report = await campaign.report()

    assert report.status.state is State.ROLLED_BACK
    assert fleet.on(NEW.id) == fleet.stuck


async def test_an_abort_ends_a_stopped_rollback_as_it_stands(time_skipping: WorkflowEnvironment) -> None:
    fleet = FakeFleet(stuck={"i-00003"})
    async with campaign_worker(time_skipping, fleet):
        campaign = await stopped(time_skipping, fleet)
        await campaign.reaches(State.HALTED)
        await campaign.abort()
        report = await campaign.report()

    assert report.status.state is State.ABORTED
    assert report.status.counts.lost == 1
    assert report.status.obligations == ("wave 1: 1 lost: look at i-00003",)
    assert fleet.restores["i-00003"] == 1


async def test_a_failed_host_uses_up_the_budget_until_it_is_restored(
    time_skipping: WorkflowEnvironment,
) -> None:
    # Two of zone a stay failed, which is all that its budget admits: its other six must wait.
    fleet = FakeFleet(bad={"i-00000", "i-00003"})
    async with campaign_worker(time_skipping, fleet):
        campaign = await halted(time_skipping, fleet, strategy=ONE_WAVE, failureTolerance={"hosts": 5})
        status = await campaign.status()
        assert status.reason == (
            "wave 1 is unhealthy: no disruption budget is left for 6 hosts: "
            "those out of service must be restored first"
        )
        assert status.counts.changed == 16
        fleet.bad = set()
        await campaign.retry()
        report = await campaign.report()

    assert report.status.state is State.SUCCEEDED
    assert fleet.on(NEW.id) == ALL


async def test_hosts_that_nobody_restored_are_told_of_at_the_end(time_skipping: WorkflowEnvironment) -> None:
    fleet = FakeFleet(bad={"i-00000"})
    async with campaign_worker(time_skipping, fleet):
        tolerance = {"hosts": 1}
        campaign = await start_campaign(
            time_skipping, rollback=MANUAL, bake=FAST, strategy=ONE_WAVE, failureTolerance=tolerance
        )
        report = await campaign.report()

    assert report.status.state is State.SUCCEEDED
    assert report.status.obligations == ("wave 1: 1 not restored: look at i-00000",)
