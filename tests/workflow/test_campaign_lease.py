"""A campaign touches nothing before it has a lease, keeps it while it runs, and closes it."""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from conftest import StartEngine
from temporalio import activity
from temporalio.client import WorkflowHandle
from temporalio.testing import WorkflowEnvironment

from fakes.fleet import FakeFleet
from fakes.lease import FakeJanitor, FakeLeases, janitor_worker
from fakes.worker import Campaign, campaign_worker, start_campaign, until
from steadfleet_activities.janitor.leases import TemporalLeases
from steadfleet_activities.janitor.owners import look_at
from steadfleet_core.campaign.lifecycle import State
from steadfleet_ports.lease import LeaseState, Left, Obligation, Owner, OwnerState, Residue
from steadfleet_workflows.lease import Lease

TERM = timedelta(minutes=15)


def leases() -> TemporalLeases:
    return TemporalLeases(region="eu-west-1", term=TERM)


def lease_of(env: WorkflowEnvironment, campaign: Campaign) -> WorkflowHandle[Lease, Residue]:
    return env.client.get_workflow_handle_for(Lease.run, f"lease/{campaign.handle.first_execution_run_id}")


async def test_without_a_janitor_nothing_is_touched_until_one_answers(
    time_skipping: WorkflowEnvironment,
) -> None:
    fleet, refusing = FakeFleet(), FakeLeases(error="no janitor answers on queue janitor: start it")
    async with campaign_worker(time_skipping, fleet, leases=refusing):
        campaign = await start_campaign(time_skipping)
        halted = await campaign.reaches(State.HALTED)
        assert halted.reason == "nothing may be touched yet: no janitor answers on queue janitor: start it"
        assert not fleet.begun
        assert "hold_groups" not in fleet.calls
        refusing.error = ""
        await campaign.retry()
        report = await campaign.report()

    assert report.status.state is State.SUCCEEDED


async def test_without_a_janitor_a_campaign_can_be_aborted(time_skipping: WorkflowEnvironment) -> None:
    fleet, refusing = FakeFleet(), FakeLeases(error="no janitor answers")
    async with campaign_worker(time_skipping, fleet, leases=refusing):
        campaign = await start_campaign(time_skipping)
        await campaign.reaches(State.HALTED)
        await campaign.abort()
        report = await campaign.report()

    assert report.status.state is State.ABORTED
    assert report.status.obligations == ()
    assert refusing.closed == []


async def test_the_lease_names_the_run_its_owner_and_every_group(time_skipping: WorkflowEnvironment) -> None:
    granting = FakeLeases()
    async with campaign_worker(time_skipping, FakeFleet(), leases=granting):
        campaign = await start_campaign(time_skipping)
        await campaign.report()

    (order,), run = granting.opened, campaign.handle.first_execution_run_id
    assert order.sweep.run == run
    assert (order.owner.workflow, order.owner.run) == ("campaign/web", run)
    assert [(one.subject, one.detail, one.run) for one in order.obligations] == [("web", "campaign/web", run)]
    assert granting.closed == [order]


async def test_a_campaign_that_bakes_for_hours_keeps_its_lease_without_an_alarm(
    time_skipping: WorkflowEnvironment,
) -> None:
    janitor = FakeJanitor()
    async with (
        janitor_worker(time_skipping, janitor),
        campaign_worker(time_skipping, FakeFleet(), leases=leases()),
    ):
        campaign = await start_campaign(time_skipping, bake={"time": "6h", "interval": "30m"})
        report = await campaign.report()
        status = await lease_of(time_skipping, campaign).query(Lease.status)

    assert report.status.state is State.SUCCEEDED
    assert report.status.warnings == ()
    assert status.state is LeaseState.ENDED
    assert status.alarms == ()
    assert janitor.discharged == {"web": 1}, "what the campaign put back is looked at once more"


async def test_a_halt_of_a_week_is_renewed_in_a_bounded_history(time_skipping: WorkflowEnvironment) -> None:
    janitor = FakeJanitor()
    rollback = {"automatic": False}
    async with (
        janitor_worker(time_skipping, janitor),
        campaign_worker(time_skipping, FakeFleet(bad={"i-00000"}), leases=leases()),
    ):
        campaign = await start_campaign(time_skipping, rollback=rollback)
        await campaign.reaches(State.HALTED)
        for _ in range(7):
            await time_skipping.sleep(timedelta(days=1))
        described = await campaign.handle.describe()
        status = await lease_of(time_skipping, campaign).query(Lease.status)
        await campaign.abort()
        await campaign.report()

    assert described.history_length < 3_000
    assert status.state is LeaseState.HELD
    assert status.alarms == ()


async def test_a_lease_that_somebody_ended_is_opened_again(time_skipping: WorkflowEnvironment) -> None:
    janitor = FakeJanitor()
    async with (
        janitor_worker(time_skipping, janitor),
        campaign_worker(time_skipping, FakeFleet(), leases=leases()),
    ):
        campaign = await start_campaign(time_skipping, bake={"time": "6h", "interval": "30m"})
        await campaign.reaches(State.BAKING)
        await lease_of(time_skipping, campaign).terminate()
        report = await campaign.report()

    assert report.status.obligations == ()
    assert any("was gone, and is opened again" in warning for warning in report.status.warnings)
    assert len(janitor.rehearsals) == 2


async def test_what_the_janitor_found_at_the_end_is_told(time_skipping: WorkflowEnvironment) -> None:
    def one(name: str, why: str = "") -> Left:
        return Left(region="eu-west-1", type="instance", id=name, why=why)

    residue = Residue(left=(one("i-1", "it does not go"),), removed=(one("i-2"),), spared=(one("i-3"),))
    async with campaign_worker(time_skipping, FakeFleet(), leases=FakeLeases(residue=residue)):
        report = await (await start_campaign(time_skipping)).report()

    assert report.status.warnings == ("the janitor took away instance i-2 in eu-west-1",)
    assert report.status.obligations == (
        "the janitor goes on to take away instance i-1 in eu-west-1: it does not go",
        "look at instance i-3 in eu-west-1: it serves, though it was never settled",
    )


async def test_a_lease_that_could_not_be_closed_is_told_and_fails_nothing(
    time_skipping: WorkflowEnvironment,
) -> None:
    async with campaign_worker(
        time_skipping, FakeFleet(), leases=FakeLeases(close_error="there is no lease")
    ):
        report = await (await start_campaign(time_skipping)).report()

    assert report.status.state is State.SUCCEEDED
    assert report.status.obligations == ("let the janitor look (there is no lease)",)


@dataclass
class LookingJanitor(FakeJanitor):
    """Looks at the owner through the real engine, and notes what was open when it put a group back."""

    open_then: list[str] = field(default_factory=list)

    @activity.defn
    async def look_at_owner(self, owner: Owner) -> OwnerState:
        self.looks += 1
        return await look_at(activity.client(), owner)

    @activity.defn
    async def discharge(self, obligation: Obligation) -> None:
        running = activity.client().list_workflows('WorkflowId STARTS_WITH "campaign/" AND CloseTime IS NULL')
        self.open_then += [one.id async for one in running]
        await super().discharge(obligation)


async def test_a_terminated_campaign_is_cleared_up_after_once_its_waves_have_wound_down(
    start_engine: StartEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("steadfleet_durable.options.HEARTBEAT_TIMEOUT", timedelta(seconds=0.5))
    fleet = FakeFleet(gate=asyncio.Event(), restore_gate=asyncio.Event())
    janitor = LookingJanitor(things={"i-left"})
    short = TemporalLeases(region="eu-west-1", term=timedelta(seconds=1))
    async with start_engine() as env, janitor_worker(env, janitor):
        async with campaign_worker(env, fleet, leases=short):
            campaign = await start_campaign(env)
            await until(lambda: fleet.busy > 0)
            await campaign.handle.terminate()
            await until(lambda: fleet.restoring > 0)
            looks = janitor.looks
            await until(lambda: janitor.looks > looks + 2)
            assert not janitor.discharged, "its waves are restoring hosts"
            assert fleet.restore_gate
            fleet.restore_gate.set()
            await lease_of(env, campaign).result()
        status = await lease_of(env, campaign).query(Lease.status)

    assert janitor.discharged == {"web": 1}
    assert janitor.open_then == []
    assert not janitor.things
    assert fleet.busy == 0
    assert any("under it are open" in alarm for alarm in status.alarms)
