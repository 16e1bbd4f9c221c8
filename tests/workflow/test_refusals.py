"""What cannot end well is refused in words, with nothing touched."""

from typing import Any

import pytest
from temporalio.client import WorkflowFailureError
from temporalio.testing import WorkflowEnvironment

from fakes.fleet import FakeFleet, FakeReservations
from fakes.worker import campaign_worker, start_campaign
from steadfleet_core.campaign.lifecycle import State

CASES = {
    "a problem found while planning": (
        {"problems": ("no host of the fleet matches", "image ami-1 is gone")},
        {},
        {},
        "no host of the fleet matches; image ami-1 is gone",
    ),
    "an order that the platform refuses": (
        {"refuse": "group web is being changed by campaign/other"},
        {},
        {},
        "group web is being changed by campaign/other",
    ),
    "a fleet that another campaign holds": (
        {},
        {"held_by": "campaign/other"},
        {},
        "fleet web is reserved by campaign/other",
    ),
    "an approver's key that nobody can read": (
        {},
        {},
        {"approval": {"required": True, "proven": True, "keys": {"bob": "pem"}}},
        "spec.approval.keys.bob: expected an ECDSA P-256 public key in PEM",
    ),
}


@pytest.mark.parametrize(("fake", "reservation", "spec", "sentence"), CASES.values(), ids=CASES)
async def test_it_fails_with_the_sentence_and_touches_nothing(
    time_skipping: WorkflowEnvironment,
    fake: dict[str, Any],
    reservation: dict[str, Any],
    spec: dict[str, Any],
    sentence: str,
) -> None:
    fleet, reservations = FakeFleet(**fake), FakeReservations(**reservation)
    async with campaign_worker(time_skipping, fleet, reservations):
        campaign = await start_campaign(time_skipping, **spec)
        with pytest.raises(WorkflowFailureError) as failed:
            await campaign.report()
        status = await campaign.status()

    assert sentence in str(failed.value.cause)
    assert status.state is State.FAILED
    assert sentence in status.reason
    assert set(fleet.calls) <= {"preview_plan"}
    assert (fleet.begun, reservations.reserved) == ([], [])


async def test_a_campaign_is_known_by_its_name_and_shows_its_labels(
    time_skipping: WorkflowEnvironment,
) -> None:
    async with campaign_worker(time_skipping, FakeFleet()):
        campaign = await start_campaign(
            time_skipping, name="openssl-3.2", labels={"ticket": "OPS-1"}, bake={"time": "0s"}
        )
        report = await campaign.report()

    assert campaign.handle.id == "campaign/openssl-3.2"
    assert report.status.name == "openssl-3.2"
    assert report.status.labels == {"ticket": "OPS-1"}
