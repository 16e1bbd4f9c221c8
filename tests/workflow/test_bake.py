"""A changed wave is watched for as long as the policy says, and only seen, unpaused time counts."""

import asyncio
from datetime import timedelta

import pytest
from temporalio.client import WorkflowUpdateFailedError
from temporalio.testing import WorkflowEnvironment

from fakes.fleet import NEW, OLD, FakeFleet, hosts_over_zones
from fakes.worker import campaign_worker, start_campaign, until
from steadfleet_core.campaign.lifecycle import State
from steadfleet_core.campaign.verdict import Sample, Verdict

ONE_WAVE = {"type": "immediate"}
UNSEEN = Sample(healthy=0, unknown=(0, 1, 2), reasons={0: "no answer from its address"})


async def test_first_wave_bakes_as_long_as_said_and_later_ones_as_they_should(
    time_skipping: WorkflowEnvironment,
) -> None:
    async with campaign_worker(time_skipping, FakeFleet()):
        bake = {"time": "5m", "first": "1h", "interval": "1m"}
        report = await (await start_campaign(time_skipping, bake=bake)).report()

    assert [wave.baked for wave in report.status.waves] == [
        timedelta(hours=1),
        timedelta(minutes=5),
        timedelta(minutes=5),
    ]
    assert timedelta(minutes=70) <= report.ended_at - report.started_at < timedelta(minutes=72)


async def test_a_bake_of_no_time_judges_at_once(time_skipping: WorkflowEnvironment) -> None:
    fleet = FakeFleet()
    async with campaign_worker(time_skipping, fleet):
        report = await (await start_campaign(time_skipping, bake={"time": "0s"})).report()

    assert report.status.state is State.SUCCEEDED
    assert "probe_hosts" not in fleet.calls


async def test_samples_are_as_far_apart_as_the_interval(time_skipping: WorkflowEnvironment) -> None:
    fleet = FakeFleet(hosts=hosts_over_zones(3))
    async with campaign_worker(time_skipping, fleet):
        bake = {"time": "10m", "interval": "2m"}
        await (await start_campaign(time_skipping, bake=bake, strategy=ONE_WAVE)).report()

    assert fleet.calls.count("probe_hosts") == 5


async def test_host_that_falls_ill_within_the_tolerance_is_restored_and_the_wave_goes_on(
    time_skipping: WorkflowEnvironment,
) -> None:
    fleet = FakeFleet(ill={"i-00004"})
    async with campaign_worker(time_skipping, fleet):
        campaign = await start_campaign(time_skipping, failureTolerance={"hosts": 1}, strategy=ONE_WAVE)
        report = await campaign.report()

    assert report.status.state is State.SUCCEEDED
    assert fleet.on(OLD) == {"i-00004"}
    assert (report.status.counts.failed, report.status.counts.restored) == (1, 1)
    failure = report.status.failures[0]
    assert (failure.host, failure.restored) == ("i-00004", True)
    assert "fell ill while baking: http :8080/healthz answered 503" in failure.reason
    assert not report.status.obligations


async def test_time_that_ends_in_an_ill_host_is_not_counted_as_baked(
    time_skipping: WorkflowEnvironment,
) -> None:
    fleet = FakeFleet(ill={"i-00001"}, hosts=hosts_over_zones(6))
    async with campaign_worker(time_skipping, fleet):
        campaign = await start_campaign(time_skipping, failureTolerance={"hosts": 1}, strategy=ONE_WAVE)
        report = await campaign.report()

    assert report.status.waves[0].baked == timedelta(minutes=10)
    assert fleet.calls.count("probe_hosts") == 11


async def test_hosts_that_fall_ill_beyond_the_tolerance_take_the_whole_wave_back(
    time_skipping: WorkflowEnvironment,
) -> None:
    # All 24 at once: four times as many as the budget lets out of service.
    fleet = FakeFleet(ill={host.id for host in hosts_over_zones(24)})
    async with campaign_worker(time_skipping, fleet):
        report = await (await start_campaign(time_skipping, strategy=ONE_WAVE)).report()

    assert report.status.state is State.ROLLED_BACK
    assert report.status.waves[0].verdict is Verdict.UNHEALTHY
    assert report.status.reason.startswith("wave 1 is unhealthy: fell ill while baking")
    assert fleet.on(OLD) == {host.id for host in fleet.hosts}
    assert (report.status.counts.failed, report.status.counts.restored) == (24, 24)
    assert max(fleet.peak[zone] for zone in "abc") <= 2


async def test_some_ill_hosts_do_not_bar_the_way_back_for_their_zone(
    time_skipping: WorkflowEnvironment,
) -> None:
    # Zone a has its two hosts out, behind others in the queue.
    fleet = FakeFleet(ill={"i-00018", "i-00021"})
    async with campaign_worker(time_skipping, fleet):
        report = await (await start_campaign(time_skipping, strategy=ONE_WAVE)).report()

    assert report.status.state is State.ROLLED_BACK
    assert fleet.on(OLD) == {host.id for host in fleet.hosts}


async def test_three_looks_in_a_row_that_see_nothing_ask_a_person_and_resume_watches_again(
    time_skipping: WorkflowEnvironment,
) -> None:
    fleet = FakeFleet(hosts=hosts_over_zones(3), samples=[UNSEEN] * 3)
    async with campaign_worker(time_skipping, fleet):
        campaign = await start_campaign(time_skipping, strategy=ONE_WAVE)
        await campaign.reaches(State.BAKING)
        await time_skipping.sleep(timedelta(minutes=4))
        status = await campaign.reaches(State.PAUSED)
        assert status.waves[0].verdict is Verdict.INCONCLUSIVE
        assert "3 hosts could not be seen 3 times in a row: no answer" in status.reason
        assert status.waves[0].baked == timedelta(0)

        await campaign.resume()
        report = await campaign.report()

    assert report.status.state is State.SUCCEEDED
    assert report.status.waves[0].baked == timedelta(minutes=10)
    assert set(fleet.changes.values()) == {1}


async def test_failures_before_an_inconclusive_look_still_count_against_the_tolerance(
    time_skipping: WorkflowEnvironment,
) -> None:
    fleet = FakeFleet(hosts=hosts_over_zones(6), bad={"i-00000"}, samples=[UNSEEN] * 3)
    async with campaign_worker(time_skipping, fleet):
        campaign = await start_campaign(time_skipping, failureTolerance={"hosts": 1}, strategy=ONE_WAVE)
        await campaign.reaches(State.BAKING)
        await time_skipping.sleep(timedelta(minutes=4))
        await campaign.reaches(State.PAUSED)
        fleet.ill = {"i-00005"}
        await campaign.resume()
        report = await campaign.report()

    assert report.status.state is State.ROLLED_BACK
    assert report.status.counts.failed == 2


async def test_time_in_which_nothing_was_seen_is_not_counted_as_baked(
    time_skipping: WorkflowEnvironment,
) -> None:
    fleet = FakeFleet(hosts=hosts_over_zones(3), samples=[UNSEEN, UNSEEN])
    async with campaign_worker(time_skipping, fleet):
        report = await (await start_campaign(time_skipping, strategy=ONE_WAVE)).report()

    assert report.status.state is State.SUCCEEDED
    assert report.status.waves[0].baked == timedelta(minutes=10)
    assert report.ended_at - report.started_at >= timedelta(minutes=12)


async def test_a_pause_of_ten_hours_makes_a_two_day_bake_last_58(
    time_skipping: WorkflowEnvironment,
) -> None:
    fleet = FakeFleet(hosts=hosts_over_zones(3))
    async with campaign_worker(time_skipping, fleet):
        bake = {"time": "48h", "interval": "10m"}
        campaign = await start_campaign(time_skipping, bake=bake, strategy=ONE_WAVE)
        await campaign.reaches(State.BAKING)
        await time_skipping.sleep(timedelta(hours=5))
        await campaign.pause()
        before = await campaign.reaches(State.PAUSED)
        looks = fleet.calls.count("probe_hosts")
        await time_skipping.sleep(timedelta(hours=10))
        during = await campaign.status()
        assert fleet.calls.count("probe_hosts") == looks
        await campaign.resume()
        report = await campaign.report()

    assert during.waves[0].baked == before.waves[0].baked
    assert report.status.waves[0].baked == timedelta(hours=48)
    lasted = report.ended_at - report.started_at
    assert timedelta(hours=58) <= lasted < timedelta(hours=58, minutes=1)


async def test_short_pauses_again_and_again_do_not_bake_a_wave_unseen(
    time_skipping: WorkflowEnvironment,
) -> None:
    fleet = FakeFleet(hosts=hosts_over_zones(3))
    async with campaign_worker(time_skipping, fleet):
        bake = {"time": "3m", "interval": "1m"}
        campaign = await start_campaign(time_skipping, bake=bake, strategy=ONE_WAVE)
        await campaign.reaches(State.BAKING)
        for _ in range(4):
            await time_skipping.sleep(timedelta(seconds=40))
            await campaign.pause()
            await campaign.reaches(State.PAUSED)
            await campaign.resume()
            await campaign.reaches(State.BAKING)
        report = await campaign.report()

    assert report.status.state is State.SUCCEEDED
    assert fleet.calls.count("probe_hosts") == 3


async def test_advance_skips_the_rest_after_a_last_look(time_skipping: WorkflowEnvironment) -> None:
    fleet = FakeFleet(hosts=hosts_over_zones(3))
    async with campaign_worker(time_skipping, fleet):
        campaign = await start_campaign(time_skipping, bake={"time": "48h"}, strategy=ONE_WAVE)
        await campaign.reaches(State.BAKING)
        receipt = await campaign.advance()
        report = await campaign.report()

    assert receipt.effect == "the rest of this bake is skipped; one more look judges the wave"
    assert report.status.state is State.SUCCEEDED
    assert fleet.calls.count("probe_hosts") == 1
    assert report.ended_at - report.started_at < timedelta(hours=1)


async def test_an_ill_wave_is_not_advanced(time_skipping: WorkflowEnvironment) -> None:
    fleet = FakeFleet(ill={"i-00000"}, hosts=hosts_over_zones(3))
    async with campaign_worker(time_skipping, fleet):
        campaign = await start_campaign(time_skipping, bake={"time": "48h"}, strategy=ONE_WAVE)
        await campaign.reaches(State.BAKING)
        await campaign.advance()
        report = await campaign.report()

    assert report.status.state is State.ROLLED_BACK
    assert fleet.on(OLD) == {host.id for host in fleet.hosts}


async def test_an_unseen_wave_is_advanced_only_once_it_is_seen(time_skipping: WorkflowEnvironment) -> None:
    fleet = FakeFleet(hosts=hosts_over_zones(3), samples=[UNSEEN])
    async with campaign_worker(time_skipping, fleet):
        campaign = await start_campaign(time_skipping, bake={"time": "48h"}, strategy=ONE_WAVE)
        await campaign.reaches(State.BAKING)
        await campaign.advance()
        report = await campaign.report()

    assert report.status.state is State.SUCCEEDED
    assert fleet.calls.count("probe_hosts") == 2
    assert fleet.on(NEW.id) == {host.id for host in fleet.hosts}


async def test_a_pause_right_after_an_advance_does_not_undo_it(time_skipping: WorkflowEnvironment) -> None:
    fleet = FakeFleet(hosts=hosts_over_zones(3), samples=[UNSEEN])
    async with campaign_worker(time_skipping, fleet):
        campaign = await start_campaign(time_skipping, bake={"time": "48h"}, strategy=ONE_WAVE)
        await campaign.reaches(State.BAKING)
        await campaign.advance()
        await until(lambda: "probe_hosts" in fleet.calls)
        await campaign.pause()
        await campaign.reaches(State.PAUSED)
        await campaign.resume()
        report = await campaign.report()

    assert report.ended_at - report.started_at < timedelta(hours=1)


async def test_advance_while_hosts_are_being_changed_is_refused(time_skipping: WorkflowEnvironment) -> None:
    fleet = FakeFleet(gate=asyncio.Event())
    async with campaign_worker(time_skipping, fleet):
        campaign = await start_campaign(time_skipping)
        await campaign.reaches(State.RUNNING)
        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await campaign.advance()

    assert "cannot advance while running" in str(refused.value.cause)
