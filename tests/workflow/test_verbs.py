"""Every verb has its answer in every state: the one that docs/verbs.md promises."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from temporalio.client import WorkflowFailureError, WorkflowUpdateFailedError
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import WorkflowEnvironment

from fakes.fleet import FakeFleet, hosts_over_zones
from fakes.verb_table import read_table
from fakes.worker import Campaign, campaign_worker, start_campaign, until
from steadfleet_core.campaign.lifecycle import Abort, Receipt, Request, State, Verb

TABLE = read_table()
ALL = {host.id for host in hosts_over_zones(24)}


def gated() -> FakeFleet:
    return FakeFleet(gate=asyncio.Event())


async def _pause_in_flight(campaign: Campaign, fleet: FakeFleet) -> None:
    await until(lambda: fleet.busy > 0, "a host in flight")
    await campaign.pause()


async def _pause_baking(campaign: Campaign, fleet: FakeFleet) -> None:
    await campaign.reaches(State.BAKING)
    await campaign.pause()


async def _roll_back_baking(campaign: Campaign, fleet: FakeFleet) -> None:
    await campaign.reaches(State.BAKING)
    await campaign.rollback()


async def _abort_baking(campaign: Campaign, fleet: FakeFleet) -> None:
    await campaign.reaches(State.BAKING)
    await campaign.abort()


async def _nothing(campaign: Campaign, fleet: FakeFleet) -> None: ...


@dataclass
class Recipe:
    """How a campaign is brought into a state, to stay there."""

    fleet: Callable[[], FakeFleet] = FakeFleet
    spec: dict[str, Any] = field(default_factory=dict)
    lead: Callable[[Campaign, FakeFleet], Awaitable[None]] = _nothing


OPEN = {
    State.PLANNING: Recipe(lambda: FakeFleet(preview_gate=asyncio.Event())),
    State.AWAITING_APPROVAL: Recipe(spec={"approval": {"required": True, "minimumApprovers": 2}}),
    State.RUNNING: Recipe(gated),
    State.BAKING: Recipe(),
    State.PAUSING: Recipe(gated, lead=_pause_in_flight),
    State.PAUSED: Recipe(lead=_pause_baking),
    State.HALTED: Recipe(lambda: FakeFleet(bad=ALL), {"rollback": {"automatic": False}}),
    State.ROLLING_BACK: Recipe(lambda: FakeFleet(restore_gate=asyncio.Event()), lead=_roll_back_baking),
}
CLOSED = {
    State.SUCCEEDED: Recipe(spec={"bake": {"time": "0s"}}),
    State.ROLLED_BACK: Recipe(lambda: FakeFleet(bad=ALL)),
    State.ABORTED: Recipe(lead=_abort_baking),
    State.FAILED: Recipe(lambda: FakeFleet(problems=("no hosts",))),
}

ACCEPTED = [(state, verb) for state in OPEN for verb in Verb if TABLE[verb, state].accepted]


async def brought(env: WorkflowEnvironment, state: State, fleet: FakeFleet, recipe: Recipe) -> Campaign:
    campaign = await start_campaign(env, **recipe.spec)
    await recipe.lead(campaign, fleet)
    await campaign.reaches(state)
    return campaign


async def send(campaign: Campaign, verb: Verb) -> Receipt:
    if verb is Verb.APPROVE:
        return await campaign.approve("bob", (await campaign.status()).plan or "sha256:" + "0" * 64)
    send: Callable[[], Awaitable[Receipt]] = getattr(campaign, verb.value)
    return await send()


def test_the_table_and_the_recipes_are_whole() -> None:
    assert set(TABLE) == {(verb, state) for verb in Verb for state in State}
    assert {*OPEN, *CLOSED} == set(State)


@pytest.mark.parametrize("state", OPEN)
async def test_verbs_that_make_no_sense_are_refused_as_the_page_says(
    time_skipping: WorkflowEnvironment, state: State
) -> None:
    fleet = OPEN[state].fleet()
    async with campaign_worker(time_skipping, fleet):
        campaign = await brought(time_skipping, state, fleet, OPEN[state])
        before = await campaign.status()
        for verb in Verb:
            cell = TABLE[verb, state]
            if cell.accepted:
                continue
            with pytest.raises(WorkflowUpdateFailedError) as refused:
                await send(campaign, verb)
            assert f"RefusedError: cannot {verb} while {state}: {cell.text}" == str(refused.value.cause)
        after = await campaign.status()

    assert (after.state, after.reason, after.receipts) == (before.state, before.reason, before.receipts)


@pytest.mark.parametrize(("state", "verb"), ACCEPTED, ids=str)
async def test_verbs_that_make_sense_answer_with_what_the_page_says(
    time_skipping: WorkflowEnvironment, state: State, verb: Verb
) -> None:
    fleet = OPEN[state].fleet()
    async with campaign_worker(time_skipping, fleet):
        campaign = await brought(time_skipping, state, fleet, OPEN[state])
        receipt = await send(campaign, verb)
        status = await campaign.status()

    assert (receipt.verb, receipt.state, receipt.by) == (verb, state, "bob")
    assert receipt.effect == TABLE[verb, state].text
    assert status.receipts[-1] == receipt


@pytest.mark.parametrize("state", CLOSED)
async def test_a_closed_campaign_is_refused_by_the_engine_itself(
    time_skipping: WorkflowEnvironment, state: State
) -> None:
    fleet = CLOSED[state].fleet()
    async with campaign_worker(time_skipping, fleet):
        campaign = await start_campaign(time_skipping, **CLOSED[state].spec)
        await CLOSED[state].lead(campaign, fleet)
        try:
            await campaign.report()
        except WorkflowFailureError:
            assert state is State.FAILED
        assert (await campaign.status()).state is state
        for verb in Verb:
            assert not TABLE[verb, state].accepted
            with pytest.raises(RPCError) as refused:
                await send(campaign, verb)
            assert refused.value.status is RPCStatusCode.NOT_FOUND
        with pytest.raises(RPCError) as unheard:
            await campaign.handle.signal("pause")
        assert unheard.value.status is RPCStatusCode.NOT_FOUND


@pytest.mark.parametrize("argument", [None, Request(by="eve", reason="from the UI")])
async def test_pause_and_resume_can_be_sent_as_plain_signals(
    time_skipping: WorkflowEnvironment, argument: Request | None
) -> None:
    fleet = FakeFleet()
    arguments = [argument] if argument else []
    async with campaign_worker(time_skipping, fleet):
        campaign = await start_campaign(time_skipping)
        await campaign.reaches(State.BAKING)
        await campaign.handle.signal("pause", args=arguments)
        status = await campaign.reaches(State.PAUSED)
        await campaign.handle.signal("resume", args=arguments)
        report = await campaign.report()

    who = argument.by if argument else "unnamed (signal)"
    assert status.reason == f"paused by {who}" + (": from the UI" if argument else "")
    assert [(receipt.verb, receipt.by) for receipt in report.status.receipts] == [
        (Verb.PAUSE, who),
        (Verb.RESUME, who),
    ]


@pytest.mark.parametrize("argument", [None, Abort(by="eve", rollback=True)])
async def test_abort_can_be_sent_as_a_plain_signal(
    time_skipping: WorkflowEnvironment, argument: Abort | None
) -> None:
    async with campaign_worker(time_skipping, FakeFleet()):
        campaign = await start_campaign(time_skipping)
        await campaign.reaches(State.BAKING)
        await campaign.handle.signal("abort", args=[argument] if argument else [])
        report = await campaign.report()

    assert report.status.state is (State.ROLLED_BACK if argument else State.ABORTED)


async def test_a_signal_that_makes_no_sense_leaves_a_warning(time_skipping: WorkflowEnvironment) -> None:
    async with campaign_worker(time_skipping, FakeFleet()):
        campaign = await start_campaign(time_skipping)
        await campaign.reaches(State.BAKING)
        await campaign.handle.signal("resume")
        status = await campaign.status()

    refusal = f"cannot resume while baking: {TABLE[Verb.RESUME, State.BAKING].text}"
    assert status.warnings == (f"a signal was ignored: {refusal}",)
    assert status.state is State.BAKING


async def test_nothing_more_is_accepted_while_an_abort_is_carried_out(
    time_skipping: WorkflowEnvironment,
) -> None:
    fleet = FakeFleet(gate=asyncio.Event(), restore_gate=asyncio.Event())
    async with campaign_worker(time_skipping, fleet):
        campaign = await start_campaign(time_skipping)
        await until(lambda: fleet.busy > 0)
        await campaign.abort(reason="wrong image")
        for verb in set(Verb) - {Verb.APPROVE}:
            with pytest.raises(WorkflowUpdateFailedError) as refused:
                await send(campaign, verb)
            assert str(refused.value.cause) == (
                f"RefusedError: cannot {verb}: aborted by bob: wrong image is being carried out"
            )
        assert fleet.restore_gate is not None
        fleet.restore_gate.set()
        assert (await campaign.report()).status.state is State.ABORTED


@pytest.mark.parametrize("call", ["adopt_image", "release_groups"])
async def test_nothing_more_is_accepted_while_a_campaign_ends(
    time_skipping: WorkflowEnvironment, call: str
) -> None:
    gate = asyncio.Event()
    fleet = FakeFleet(adopt_gate=gate) if call == "adopt_image" else FakeFleet(release_gate=gate)
    async with campaign_worker(time_skipping, fleet):
        campaign = await start_campaign(time_skipping, bake={"time": "0s"})
        await until(lambda: call in fleet.calls)
        for verb in Verb:
            with pytest.raises(WorkflowUpdateFailedError) as refused:
                await send(campaign, verb)
            assert str(refused.value.cause) == (
                f"RefusedError: cannot {verb}: the campaign is ending as succeeded"
            )
        gate.set()
        report = await campaign.report()

    assert (report.status.state, report.status.reason) == (State.SUCCEEDED, "")


async def test_a_bake_that_is_over_cannot_be_advanced(time_skipping: WorkflowEnvironment) -> None:
    fleet = FakeFleet(check_gate=asyncio.Event())
    assert fleet.check_gate is not None
    fleet.check_gate.set()
    async with campaign_worker(time_skipping, fleet):
        campaign = await start_campaign(time_skipping)
        await campaign.reaches(State.BAKING)
        fleet.check_gate.clear()
        await campaign.advance()
        await until(lambda: fleet.looking > 0)
        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await campaign.advance()
        assert "cannot advance while running" in str(refused.value.cause)
        fleet.check_gate.set()
        assert (await campaign.report()).status.state is State.SUCCEEDED
