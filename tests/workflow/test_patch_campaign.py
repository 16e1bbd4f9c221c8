"""The story of a campaign, told on the time-skipping server at real durations."""

from datetime import timedelta

from temporalio.testing import WorkflowEnvironment

from fakes.fleet import NEW, OLD, FakeFleet, FakeReservations, hosts_over_zones
from fakes.worker import campaign_worker, start_campaign
from steadfleet_core.campaign.lifecycle import State
from steadfleet_core.campaign.verdict import Verdict


async def test_good_release_reaches_every_host_once_and_the_image_is_adopted_last(
    time_skipping: WorkflowEnvironment,
) -> None:
    fleet, reservations = FakeFleet(), FakeReservations()
    async with campaign_worker(time_skipping, fleet, reservations):
        report = await (await start_campaign(time_skipping)).report()

    assert report.status.state is State.SUCCEEDED
    assert fleet.on(NEW.id) == {host.id for host in fleet.hosts}
    assert set(fleet.changes.values()) == {1}
    assert [wave.counts.total for wave in report.status.waves] == [2, 4, 18]
    assert {wave.verdict for wave in report.status.waves} == {Verdict.HEALTHY}
    assert fleet.calls[-3:] == ["adopt_image", "release_groups", "keep_report"]
    assert [(kept.name, kept.report) for kept in fleet.kept] == [(report.status.name, report)]
    assert (reservations.reserved, reservations.released) == (["web"], ["web"])


async def test_bad_canary_is_restored_and_no_other_host_is_touched(
    time_skipping: WorkflowEnvironment,
) -> None:
    fleet = FakeFleet(bad={f"i-{number:05}" for number in range(24)})
    async with campaign_worker(time_skipping, fleet):
        report = await (await start_campaign(time_skipping)).report()

    assert report.status.state is State.ROLLED_BACK
    assert (report.status.counts.failed, report.status.counts.restored) == (1, 1)
    assert fleet.on(OLD) == {host.id for host in fleet.hosts}
    assert sum(fleet.changes.values()) == 1
    assert "answered 500" in report.status.failures[0].reason
    assert "adopt_image" not in fleet.calls


async def test_two_day_bake_lasts_two_days(time_skipping: WorkflowEnvironment) -> None:
    fleet = FakeFleet(hosts=hosts_over_zones(3))
    bake = {"time": "48h", "interval": "30s"}
    async with campaign_worker(time_skipping, fleet):
        campaign = await start_campaign(time_skipping, bake=bake, strategy={"type": "immediate"})
        report = await campaign.report()

    assert report.status.waves[0].baked == timedelta(hours=48)
    assert timedelta(hours=48) <= report.ended_at - report.started_at < timedelta(hours=48, minutes=30)
    assert fleet.calls.count("probe_hosts") <= 201


async def test_a_host_that_left_its_group_after_the_freeze_is_no_failure(
    time_skipping: WorkflowEnvironment,
) -> None:
    fleet = FakeFleet(left={"i-00007"})
    async with campaign_worker(time_skipping, fleet):
        report = await (await start_campaign(time_skipping)).report()

    assert report.status.state is State.SUCCEEDED
    assert (report.status.counts.changed, report.status.counts.gone) == (23, 1)
    assert report.status.failures == ()
