"""An owner's worker opens and closes a lease at the janitor's, through a real engine."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment, WorkflowEnvironment

from fakes.lease import FakeJanitor
from steadfleet_activities.janitor import leases as module
from steadfleet_activities.janitor.leases import TemporalLeases
from steadfleet_durable import build_worker, register
from steadfleet_ports.lease import (
    JANITOR_QUEUE,
    LeaseOrder,
    LeaseState,
    LeaseStatus,
    Obligation,
    ObligationKind,
    Owner,
    Residue,
    Sweep,
    lease_id,
)
from steadfleet_workflows.lease import Lease

OWNER = Owner(workflow="campaign/web", run="first")
ORDER = LeaseOrder(
    sweep=Sweep(run="first"),
    owner=OWNER,
    obligations=(Obligation(kind=ObligationKind.RELEASE_GROUPS, subject="web", run="first"),),
)


@pytest.fixture
def janitor() -> FakeJanitor:
    return FakeJanitor()


@pytest.fixture
async def client(dev_server: WorkflowEnvironment, janitor: FakeJanitor) -> AsyncIterator[Client]:
    async with build_worker(
        dev_server.client, task_queue=JANITOR_QUEUE, workflows=[Lease], activities=register(janitor)
    ):
        yield dev_server.client


def leases_of(client: Client) -> TemporalLeases:
    return TemporalLeases(region="eu-west-1", term=timedelta(minutes=10), client=client)


async def open_lease(client: Client, order: LeaseOrder = ORDER, activity_id: str = "1") -> LeaseStatus:
    environment = ActivityEnvironment()
    environment.info = replace(environment.info, activity_id=activity_id)
    status: LeaseStatus = await environment.run(leases_of(client).open_lease, order)
    return status


async def close_lease(client: Client, order: LeaseOrder = ORDER) -> Residue:
    residue: Residue = await ActivityEnvironment().run(leases_of(client).close_lease, order)
    return residue


async def test_what_an_order_leaves_open_is_what_the_worker_is_set_to(client: Client) -> None:
    status = await open_lease(client)

    assert status.state is LeaseState.HELD
    assert status.term == timedelta(minutes=10)
    assert [one.region for one in status.obligations] == ["eu-west-1"]


async def test_an_order_that_names_region_and_term_keeps_them(client: Client, janitor: FakeJanitor) -> None:
    order = ORDER.model_copy(
        update={"sweep": Sweep(run="first", regions=("us-east-1",)), "term": timedelta(hours=1)}
    )

    status = await open_lease(client, order)

    assert janitor.rehearsals[0].regions == ("us-east-1",)
    assert status.term == timedelta(hours=1)


async def test_a_sweep_of_docker_alone_asks_for_no_region(client: Client, janitor: FakeJanitor) -> None:
    await open_lease(client, ORDER.model_copy(update={"sweep": Sweep(run="first", docker=True)}))

    assert janitor.rehearsals[0].regions == ()


async def test_asking_again_after_a_lost_answer_finds_the_same_lease(
    client: Client, janitor: FakeJanitor
) -> None:
    first, again = await open_lease(client), await open_lease(client)

    assert again == first
    assert len(janitor.rehearsals) == 1


async def test_a_refusal_comes_in_the_janitor_s_words_and_is_not_tried_again(
    client: Client, janitor: FakeJanitor
) -> None:
    janitor.refusals = ("ec2:DeleteVolume in eu-west-1 is refused",)

    with pytest.raises(ApplicationError, match="ec2:DeleteVolume in eu-west-1 is refused") as refused:
        await open_lease(client)

    assert (refused.value.type, refused.value.non_retryable) == ("RefusedError", True)


async def test_after_a_refusal_was_mended_the_lease_opens(client: Client, janitor: FakeJanitor) -> None:
    janitor.refusals = ("ec2:DeleteVolume in eu-west-1 is refused",)
    with pytest.raises(ApplicationError):
        await open_lease(client)
    janitor.refusals = ()

    assert (await open_lease(client, activity_id="2")).state is LeaseState.HELD


async def test_closing_answers_what_was_left_and_so_does_asking_again(
    client: Client, janitor: FakeJanitor
) -> None:
    await open_lease(client)
    janitor.things = {"i-1"}

    first, again = await close_lease(client), await close_lease(client)

    assert [one.id for one in first.removed] == ["i-1"]
    assert again == first, "the answer that was lost is found, though the lease has ended"


async def test_without_a_lease_nobody_says_that_it_is_clean(client: Client) -> None:
    with pytest.raises(ApplicationError, match="there is no open lease/first") as told:
        await close_lease(client)

    assert "steadfleet sweep --run first" in str(told.value)
    assert (told.value.type, told.value.non_retryable) == ("NoLeaseError", True)


async def test_a_lease_that_was_terminated_is_missed(client: Client) -> None:
    await open_lease(client)
    await client.get_workflow_handle(lease_id("first")).terminate()

    with pytest.raises(ApplicationError, match="there is no open lease/first"):
        await close_lease(client)


async def test_without_a_janitor_nothing_is_started(
    dev_server: WorkflowEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_GRACE", timedelta(seconds=1))
    with pytest.raises(ApplicationError, match="no janitor answers on queue janitor: start") as told:
        await open_lease(dev_server.client)

    assert (told.value.type, told.value.non_retryable) == ("NoJanitorError", True)
    assert [one async for one in dev_server.client.list_workflows("")] == []


async def test_a_janitor_that_has_just_gone_is_asked_again_later(
    dev_server: WorkflowEnvironment, janitor: FakeJanitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with build_worker(
        dev_server.client, task_queue=JANITOR_QUEUE, workflows=[Lease], activities=register(janitor)
    ):
        await open_lease(dev_server.client)

    monkeypatch.setattr(module, "_PATIENCE", timedelta(seconds=1))
    other = ORDER.model_copy(update={"sweep": Sweep(run="other")})
    with pytest.raises(ApplicationError, match="has polled queue janitor of late, but does not") as told:
        await open_lease(dev_server.client, other)

    assert not told.value.non_retryable
