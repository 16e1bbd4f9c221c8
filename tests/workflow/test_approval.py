"""Nothing is touched before enough of the right people have agreed to exactly this plan."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from temporalio.client import WorkflowFailureError, WorkflowUpdateFailedError
from temporalio.testing import WorkflowEnvironment

from fakes.fleet import FakeFleet, FakeReservations, hosts_over_zones
from fakes.worker import Campaign, campaign_worker, start_campaign
from steadfleet_core.campaign.lifecycle import Approve, Receipt, State
from steadfleet_signing import publickey
from steadfleet_signing.approval import Approval as ProvenApproval
from steadfleet_signing.approval import SealedApproval, seal, statement_of

NO_BAKE = {"time": "0s"}


@pytest.fixture
def fleet() -> FakeFleet:
    return FakeFleet(hosts=hosts_over_zones(3))


@pytest.fixture
def reservations() -> FakeReservations:
    return FakeReservations()


@pytest.fixture
async def env(
    time_skipping: WorkflowEnvironment, fleet: FakeFleet, reservations: FakeReservations
) -> AsyncIterator[WorkflowEnvironment]:
    async with campaign_worker(time_skipping, fleet, reservations):
        yield time_skipping


async def waiting(env: WorkflowEnvironment, **approval: object) -> Campaign:
    """Return a campaign that awaits approval."""
    spec = {"required": True, **approval}
    campaign = await start_campaign(env, approval=spec, bake=NO_BAKE)
    await campaign.reaches(State.AWAITING_APPROVAL)
    return campaign


def untouched(fleet: FakeFleet) -> bool:
    return not (fleet.begun or fleet.restores or {"hold_groups", "adopt_image"} & set(fleet.calls))


async def refused(campaign: Campaign, by: str, plan: str | None = None) -> str:
    with pytest.raises(WorkflowUpdateFailedError) as error:
        await campaign.approve(by, plan)
    return str(error.value.cause)


async def test_required_approval_is_waited_for_with_nothing_touched(
    env: WorkflowEnvironment, fleet: FakeFleet
) -> None:
    campaign = await waiting(env)
    status = await campaign.status()
    assert (status.approvals_needed, status.approvals) == (1, ())
    assert untouched(fleet)

    receipt = await campaign.approve("bob")
    report = await campaign.report()

    assert receipt.state is State.AWAITING_APPROVAL
    assert report.status.state is State.SUCCEEDED
    assert [(approver.by, approver.plan) for approver in report.status.approvals] == [
        ("bob", report.status.plan)
    ]


async def test_no_approval_is_asked_for_when_none_is_required(env: WorkflowEnvironment) -> None:
    report = await (await start_campaign(env, approval={"required": False}, bake=NO_BAKE)).report()

    assert report.status.state is State.SUCCEEDED
    assert report.status.approvals_needed == 0


async def test_two_different_people_must_approve_when_the_policy_says_so(
    env: WorkflowEnvironment, fleet: FakeFleet
) -> None:
    campaign = await waiting(env, minimumApprovers=2)
    await campaign.approve("bob")
    assert "bob has approved already: somebody else must" in await refused(campaign, "bob")
    status = await campaign.status()
    assert (status.state, len(status.approvals)) == (State.AWAITING_APPROVAL, 1)
    assert untouched(fleet)

    await campaign.approve("cid")

    assert (await campaign.report()).status.state is State.SUCCEEDED


async def test_only_those_whom_the_policy_allows_may_approve(
    env: WorkflowEnvironment, fleet: FakeFleet
) -> None:
    campaign = await waiting(env, allowedApprovers=["cid", "dot"])

    assert "bob may not approve: the policy allows cid, dot" in await refused(campaign, "bob")
    assert untouched(fleet)

    await campaign.approve("cid")
    assert (await campaign.report()).status.state is State.SUCCEEDED


async def test_who_requested_a_campaign_may_not_approve_it(
    env: WorkflowEnvironment, fleet: FakeFleet
) -> None:
    campaign = await waiting(env)

    assert "ann requested this campaign: somebody else must" in await refused(campaign, "ann")
    assert untouched(fleet)


async def test_an_approval_of_another_plan_does_not_count(env: WorkflowEnvironment, fleet: FakeFleet) -> None:
    campaign = await waiting(env)
    other = "sha256:" + "0" * 64

    assert f"plan {other} is not the one that waits" in await refused(campaign, "bob", other)
    assert (await campaign.status()).approvals == ()
    assert untouched(fleet)


async def test_what_nobody_approves_for_a_day_is_aborted_with_nothing_touched(
    env: WorkflowEnvironment, fleet: FakeFleet, reservations: FakeReservations
) -> None:
    campaign = await waiting(env)
    report = await campaign.report()

    assert report.status.state is State.ABORTED
    assert report.status.reason == "not approved within 1d"
    assert timedelta(hours=24) <= report.ended_at - report.started_at < timedelta(hours=24, minutes=1)
    assert untouched(fleet)
    assert reservations.released == ["web"]


async def test_the_policy_says_how_long_approval_is_waited_for(env: WorkflowEnvironment) -> None:
    report = await (await waiting(env, timeout="90m")).report()

    assert report.status.reason == "not approved within 1h30m"
    assert report.ended_at - report.started_at < timedelta(minutes=91)


async def test_a_pause_stops_the_approval_clock(env: WorkflowEnvironment, fleet: FakeFleet) -> None:
    campaign = await waiting(env)
    await env.sleep(timedelta(hours=20))
    receipt = await campaign.pause()
    assert receipt.effect == "the approval clock stands still until resume"
    await campaign.reaches(State.PAUSED)
    await env.sleep(timedelta(hours=48))
    await campaign.resume()
    await campaign.reaches(State.AWAITING_APPROVAL)
    report = await campaign.report()

    assert report.status.reason == "not approved within 1d"
    assert timedelta(hours=72) <= report.ended_at - report.started_at < timedelta(hours=72, minutes=2)
    assert untouched(fleet)


async def test_a_rejected_plan_ends_the_campaign_with_who_and_why(
    env: WorkflowEnvironment, fleet: FakeFleet, reservations: FakeReservations
) -> None:
    campaign = await waiting(env)
    await campaign.reject("bob", "friday")
    report = await campaign.report()

    assert report.status.state is State.ABORTED
    assert report.status.reason == "rejected by bob: friday"
    assert untouched(fleet)
    assert reservations.released == ["web"]


async def test_a_rejection_outweighs_an_approval_heard_with_it(
    env: WorkflowEnvironment, fleet: FakeFleet
) -> None:
    campaign = await waiting(env, minimumApprovers=2)
    await campaign.approve("bob")
    await campaign.reject("cid")

    assert (await campaign.report()).status.state is State.ABORTED
    assert untouched(fleet)


async def test_an_approval_that_nobody_could_give_is_refused_before_it_is_waited_for(
    env: WorkflowEnvironment, fleet: FakeFleet, reservations: FakeReservations
) -> None:
    campaign = await start_campaign(env, approval={"required": True, "allowedApprovers": ["ann"]})

    with pytest.raises(WorkflowFailureError) as failed:
        await campaign.report()

    assert "ann requested it and may not approve it, which leaves 0 of 1" in str(failed.value.cause)
    assert untouched(fleet)
    assert reservations.reserved == []


async def test_a_proven_approval_is_signed_by_the_approver(
    env: WorkflowEnvironment, fleet: FakeFleet
) -> None:
    key, other = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    campaign = await waiting(env, proven=True, keys={"bob": publickey.to_pem(key.public_key())})
    status = await campaign.status()

    assert "bob signs the approval" in await refused(campaign, "bob")
    assert "carl has no key in the policy, which has bob" in await refused(campaign, "carl")
    with pytest.raises(WorkflowUpdateFailedError) as forged:
        await send(campaign, status.plan or "", other)
    assert "not signed by the key that the policy has for bob" in str(forged.value.cause)
    assert untouched(fleet)
    receipt = await send(campaign, status.plan or "", key)
    assert receipt.by == "bob"
    assert (await campaign.report()).status.state is State.SUCCEEDED


async def send(campaign: Campaign, plan: str, key: ec.EllipticCurvePrivateKey) -> Receipt:
    described = await campaign.handle.describe()
    run = described.raw_description.workflow_execution_info.execution.run_id
    approval = ProvenApproval(campaign="campaign/web", run=run, plan=plan, by="bob")
    sealed = SealedApproval(approval=approval, expires=datetime(2100, 1, 1, tzinfo=UTC))
    order = Approve(by="bob", plan=plan, proof=seal(statement_of(sealed), key))
    receipt: Receipt = await campaign.handle.execute_update("approve", order, result_type=Receipt)
    return receipt
