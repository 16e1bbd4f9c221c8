"""Who demands a signed image gets no other: asked at every look, and halted where it is not met."""

from temporalio.testing import WorkflowEnvironment

from fakes.fleet import FakeFleet
from fakes.worker import campaign_worker, start_campaign
from steadfleet_core.campaign.lifecycle import State
from steadfleet_ports.fleet import FleetFindings

NO_BAKE = {"time": "0s"}
SIGNED = {"id": "ami-0000000000000002", "signed": True}


async def test_the_demand_reaches_every_look(time_skipping: WorkflowEnvironment) -> None:
    fleet = FakeFleet()
    async with campaign_worker(time_skipping, fleet):
        campaign = await start_campaign(time_skipping, image=SIGNED)
        await campaign.report()

    assert len(fleet.checks) >= 3
    assert all(check.signed for check in fleet.checks)


async def test_an_image_that_lost_its_signature_is_not_launched_again(
    time_skipping: WorkflowEnvironment,
) -> None:
    lost = FleetFindings(problems=("image ami-2 may not be used: signature: not proven",))
    fleet = FakeFleet(findings=[FleetFindings(), lost])
    async with campaign_worker(time_skipping, fleet):
        campaign = await start_campaign(time_skipping, image=SIGNED, bake=NO_BAKE)
        status = await campaign.reaches(State.HALTED)
        begun = list(fleet.begun)
        await campaign.abort()
        await campaign.report()

    assert "signature: not proven" in status.reason
    assert len(begun) == 2, "only the first wave's hosts"
