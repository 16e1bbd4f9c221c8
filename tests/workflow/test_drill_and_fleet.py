"""A drill and a campaign never have one fleet at the same time; nor do two drills have one name."""

from types import SimpleNamespace

import pytest
from temporalio import workflow
from temporalio.client import WorkflowFailureError
from temporalio.testing import WorkflowEnvironment

from fakes.drills import DrillWorld, drill_workers, start_drill
from fakes.worker import decide, until
from steadfleet_activities.fleet.reservation import TemporalReservations
from steadfleet_core.campaign.lifecycle import Request
from steadfleet_core.drill.order import QUEUE
from steadfleet_ports.reservation import Claim
from steadfleet_workflows import naming
from steadfleet_workflows.drill import DrDrill
from steadfleet_workflows.fleet import FleetReservation

CAMPAIGN = Claim(fleet="web", holder="campaign/web-1.4", run="run-1", task_queue=QUEUE)


async def test_a_campaign_is_refused_while_a_drill_has_the_fleet_and_granted_afterwards(
    time_skipping: WorkflowEnvironment,
) -> None:
    world = DrillWorld(hanging={"isolate"})
    reservations = TemporalReservations(time_skipping.client)
    async with drill_workers(time_skipping, world, FleetReservation, reservations=reservations):
        drill = await start_drill(time_skipping, fleet="web")
        await until(lambda: "isolate" in world.calls)
        meanwhile = await reservations.reserve_fleet(CAMPAIGN)
        await decide(drill, DrDrill.abort, Request(by="bob"), running=1)
        await drill.result()
        afterwards = await reservations.reserve_fleet(CAMPAIGN)

    assert (meanwhile.granted, meanwhile.holder) == (False, drill.id)
    assert afterwards.granted


async def test_a_drill_is_refused_while_the_fleet_is_frozen_and_makes_nothing(
    time_skipping: WorkflowEnvironment,
) -> None:
    world = DrillWorld()
    reservations = TemporalReservations(time_skipping.client)
    async with drill_workers(time_skipping, world, FleetReservation, reservations=reservations):
        fleet = await time_skipping.client.start_workflow(
            FleetReservation.run, id="fleet/web", task_queue=QUEUE
        )
        await fleet.execute_update(FleetReservation.freeze, Request(by="eve", reason="black friday"))
        with pytest.raises(WorkflowFailureError) as refused:
            await (await start_drill(time_skipping, fleet="web")).result()

    assert "fleet web was frozen by eve (black friday)" in str(refused.value.cause)
    assert world.things == set()


def test_two_runs_of_one_minute_do_not_have_one_name(monkeypatch: pytest.MonkeyPatch) -> None:
    # As a server gives them: the time comes first, and chance last.
    ids = iter(("01a1ff25-baee-7254-8246-8b9b5d8a63c5", "01a1ff25-c1f9-7269-9b5a-71e41f2e4c9e"))
    monkeypatch.setattr(workflow, "info", lambda: SimpleNamespace(first_execution_run_id=next(ids)))

    assert (naming.run_name("drill", "shop"), naming.run_name("drill", "shop")) == (
        "drill-shop-5d8a63c5",
        "drill-shop-1f2e4c9e",
    )
