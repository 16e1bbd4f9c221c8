"""What goes wrong beside the hosts halts a campaign, open for a person, and is put back or told of."""

import asyncio

from temporalio.testing import WorkflowEnvironment

from fakes.fleet import NEW, OLD, FakeFleet, FakeReservations, hosts_over_zones
from fakes.worker import campaign_worker, start_campaign, until
from steadfleet_core.campaign.lifecycle import State, Verb
from steadfleet_ports.fleet import FleetFindings

ALL = {host.id for host in hosts_over_zones(24)}
FAST = {"time": "0s"}


async def test_a_group_that_cannot_be_given_back_is_an_obligation_and_the_campaign_closes(
    time_skipping: WorkflowEnvironment,
) -> None:
    fleet, reservations = FakeFleet(release_error="AccessDenied"), FakeReservations()
    async with campaign_worker(time_skipping, fleet, reservations):
        report = await (await start_campaign(time_skipping, bake=FAST)).report()

    assert report.status.state is State.SUCCEEDED
    assert report.status.obligations == ("put back the sizes and processes of web (AccessDenied)",)
    assert reservations.released == ["web"]


async def test_a_report_that_cannot_be_kept_is_an_obligation_and_the_campaign_closes(
    time_skipping: WorkflowEnvironment,
) -> None:
    fleet = FakeFleet(no_reports="there is no bucket")
    async with campaign_worker(time_skipping, fleet):
        report = await (await start_campaign(time_skipping, bake=FAST)).report()

    assert report.status.state is State.SUCCEEDED
    [obligation] = report.status.obligations
    assert obligation == "keep the report in the object store, for the engine forgets it (there is no bucket)"


async def test_a_hold_that_fails_halts_and_what_it_may_have_done_is_put_back(
    time_skipping: WorkflowEnvironment,
) -> None:
    fleet = FakeFleet(hold_error="throttled")
    async with campaign_worker(time_skipping, fleet):
        campaign = await start_campaign(time_skipping)
        status = await campaign.reaches(State.HALTED)
        assert status.reason == "the groups could not be prepared: throttled"
        await campaign.abort()
        report = await campaign.report()

    assert report.status.state is State.ABORTED
    assert fleet.calls[-2:] == ["release_groups", "keep_report"]
    assert not fleet.begun


async def test_an_adoption_that_fails_halts_and_can_be_retried(time_skipping: WorkflowEnvironment) -> None:
    fleet = FakeFleet(adopt_error="template is gone")
    async with campaign_worker(time_skipping, fleet):
        campaign = await start_campaign(time_skipping, bake=FAST)
        status = await campaign.reaches(State.HALTED)
        assert status.reason == "the image could not be adopted: template is gone"
        fleet.adopt_error = ""
        await campaign.retry()
        assert (await campaign.report()).status.state is State.SUCCEEDED

    assert set(fleet.changes.values()) == {1}


async def test_problems_found_before_a_wave_halt_it_and_retry_looks_again(
    time_skipping: WorkflowEnvironment,
) -> None:
    fleet = FakeFleet(findings=[FleetFindings(problems=("5 of 24 hosts are ill",))])
    async with campaign_worker(time_skipping, fleet):
        campaign = await start_campaign(time_skipping, bake=FAST)
        status = await campaign.reaches(State.HALTED)
        assert status.reason == "5 of 24 hosts are ill"
        assert not fleet.begun
        receipt = await campaign.retry()
        report = await campaign.report()

    assert receipt.verb is Verb.RETRY
    assert report.status.state is State.SUCCEEDED


async def test_a_wave_that_breaks_off_is_rolled_back_whole(dev_server: WorkflowEnvironment) -> None:
    # The time-skipping server does not tell a parent that its child was terminated.
    fleet = FakeFleet(gate=asyncio.Event(), passing=1)
    async with campaign_worker(dev_server, fleet):
        campaign = await start_campaign(dev_server)
        await until(lambda: fleet.busy == 1 and len(fleet.on(NEW.id)) == 1)
        fleet.broke = True
        wave = dev_server.client.get_workflow_handle(f"{campaign.handle.id}/1")
        shard = dev_server.client.get_workflow_handle(f"{campaign.handle.id}/1/0")
        await wave.terminate("by mistake")
        await shard.terminate("by mistake")
        status = await campaign.reaches(State.HALTED)
        assert status.reason.startswith("wave 1: ")
        assert fleet.gate is not None
        fleet.gate.set()
        await until(lambda: fleet.busy == 0)
        await campaign.rollback()
        report = await campaign.report()

    assert report.status.state is State.ROLLED_BACK
    assert fleet.on(OLD) == ALL
    assert not report.status.obligations


async def test_a_wave_whose_hosts_could_not_be_loaded_can_be_retried(
    time_skipping: WorkflowEnvironment,
) -> None:
    fleet = FakeFleet(break_load=1)
    async with campaign_worker(time_skipping, fleet):
        campaign = await start_campaign(time_skipping, bake=FAST)
        status = await campaign.reaches(State.HALTED)
        assert status.reason == "wave 1: the store does not answer"
        await campaign.retry()
        report = await campaign.report()

    assert report.status.state is State.SUCCEEDED
    assert set(fleet.changes.values()) == {1}
