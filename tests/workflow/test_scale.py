"""Large fleets and long stories: every host once, budgets kept, histories small."""

import asyncio
from datetime import UTC, datetime
from typing import Any

from conftest import StartEngine
from temporalio.client import WorkflowHistoryEventFilterType
from temporalio.testing import WorkflowEnvironment

from fakes.fleet import NEW, FakeFleet, FakeReservations, hosts_over_zones
from fakes.worker import campaign_worker, policy, start_campaign, start_order, until
from steadfleet_core.campaign.book import Book, ContinuedOrder
from steadfleet_core.campaign.counts import tally
from steadfleet_core.campaign.lifecycle import State
from steadfleet_core.campaign.plan import CampaignOrder
from steadfleet_core.campaign.verdict import Verdict
from steadfleet_core.campaign.wave import WaveProgress, WaveReport
from steadfleet_ports.fleet import Freeze

MOST_EVENTS = 10_000
FAST = {"time": "0s"}
ONE_WAVE = {"type": "immediate"}


async def length(env: WorkflowEnvironment, workflow: str) -> int:
    return len((await env.client.get_workflow_handle(workflow).fetch_history()).events)


async def test_1200_hosts_in_one_wave_are_changed_once_each_within_every_budget(
    time_skipping: WorkflowEnvironment,
) -> None:
    fleet = FakeFleet(hosts=hosts_over_zones(1200))
    async with campaign_worker(time_skipping, fleet):
        campaign = await start_campaign(
            time_skipping,
            strategy=ONE_WAVE,
            bake={"time": "1m", "interval": "1m"},
            disruptionBudget={"overall": 60, "perZone": 25},
            failureTolerance={"hosts": "5%", "mode": "soft"},
        )
        report = await campaign.report()
        lengths = {
            workflow: await length(time_skipping, f"campaign/web{workflow}")
            for workflow in ("", "/1", "/1/0", "/1/1", "/1/2")
        }

    assert report.status.state is State.SUCCEEDED
    assert report.status.counts.changed == 1200
    assert set(fleet.changes.values()) == {1}
    assert len(fleet.on(NEW.id)) == 1200
    assert fleet.peak["all"] <= 60
    assert max(fleet.peak[zone] for zone in "abc") <= 25
    assert max(lengths.values()) < MOST_EVENTS, lengths
    assert lengths[""] < 500, lengths
    assert lengths["/1"] < 1000, lengths


async def test_an_immediate_campaign_is_one_wave_within_the_budget(
    time_skipping: WorkflowEnvironment,
) -> None:
    fleet = FakeFleet(gate=asyncio.Event())
    async with campaign_worker(time_skipping, fleet):
        campaign = await start_campaign(
            time_skipping, strategy=ONE_WAVE, bake=FAST, failureTolerance={"hosts": 24}
        )
        await until(lambda: fleet.busy == 6)
        assert fleet.gate is not None
        fleet.gate.set()
        report = await campaign.report()

    assert [wave.counts.changed for wave in report.status.waves] == [24]
    assert fleet.peak["all"] == 6
    assert set(fleet.changes.values()) == {1}


async def test_strict_tolerance_bounds_how_many_are_in_flight(time_skipping: WorkflowEnvironment) -> None:
    fleet = FakeFleet(bad={host.id for host in hosts_over_zones(24)})
    async with campaign_worker(time_skipping, fleet):
        campaign = await start_campaign(
            time_skipping, strategy=ONE_WAVE, bake=FAST, failureTolerance={"hosts": 2}
        )
        report = await campaign.report()

    assert report.status.state is State.ROLLED_BACK
    assert report.status.counts.failed == 3
    assert fleet.peak["all"] <= 3


async def continued(fleet: FakeFleet, **spec: Any) -> ContinuedOrder:
    """Return an order as it goes on in a new run when the first wave is done."""
    order = CampaignOrder(policy=policy(bake=FAST, **spec), requested_by="ann", search_attributes=False)
    plan = (await fleet.preview_plan(Freeze(order=order, store=True))).plan
    first = plan.waves[0]
    states = ("c" * first.hosts,)
    progress = WaveProgress(number=1, counts=tally(states, failed=0), verdict=Verdict.HEALTHY)
    book = Book(
        run="the-first-run",
        started_at=datetime(2026, 1, 1, tzinfo=UTC),
        plan=plan,
        approved=True,
        holding=True,
        reports={1: WaveReport(progress=progress, states=states)},
        warnings=["from the run before"],
    )
    return ContinuedOrder(**{**dict(order), "book": book})


async def test_a_new_run_goes_on_with_the_second_wave_and_asks_nobody_again(
    time_skipping: WorkflowEnvironment,
) -> None:
    fleet, reservations = FakeFleet(), FakeReservations()
    order = await continued(fleet, approval={"required": True})
    first = {host.id for host in fleet.shards[1, 0].hosts}
    fleet.broke = True  # the run before held the groups; this fleet has no record of it
    async with campaign_worker(time_skipping, fleet, reservations):
        report = await (await start_order(time_skipping, order)).report()

    assert report.status.state is State.SUCCEEDED
    assert report.started_at == datetime(2026, 1, 1, tzinfo=UTC)
    assert report.status.warnings == ("from the run before",)
    assert not first & set(fleet.begun)
    assert len(set(fleet.begun)) == 22
    assert reservations.reserved == []
    assert reservations.released == ["web"]


async def test_a_new_run_can_still_restore_what_the_run_before_it_changed(
    time_skipping: WorkflowEnvironment,
) -> None:
    fleet = FakeFleet()
    fleet.bad = {host.id for host in fleet.hosts}
    order = await continued(fleet, rollback={"scope": "campaign"})
    first = {host.id for host in fleet.shards[1, 0].hosts}
    fleet.broke = True  # the run before touched the first wave; this fleet has no record of it
    async with campaign_worker(time_skipping, fleet):
        report = await (await start_order(time_skipping, order)).report()

    assert report.status.state is State.ROLLED_BACK
    assert first <= set(fleet.restores)


async def test_a_long_story_goes_on_in_new_runs_and_loses_nothing(start_engine: StartEngine) -> None:
    fleet, reservations = FakeFleet(hosts=hosts_over_zones(4)), FakeReservations()
    limit = "limit.historyCount.suggestContinueAsNew=20"
    async with (
        start_engine(extra_args=["--dynamic-config-value", limit]) as env,
        campaign_worker(env, fleet, reservations),
    ):
        campaign = await start_campaign(env, strategy={"type": "rolling", "rolling": {"batch": 1}}, bake=FAST)
        report = await campaign.report()
        closing = WorkflowHistoryEventFilterType.CLOSE_EVENT
        first = env.client.get_workflow_handle(
            campaign.handle.id, run_id=campaign.handle.first_execution_run_id
        )
        ends = [event async for event in first.fetch_history_events(event_filter_type=closing)]

    assert ends[0].HasField("workflow_execution_continued_as_new_event_attributes")
    assert report.status.state is State.SUCCEEDED
    assert [wave.verdict for wave in report.status.waves] == [Verdict.HEALTHY] * 4
    assert set(fleet.changes.values()) == {1}
    assert (reservations.reserved, reservations.released) == (["web"], ["web"])
