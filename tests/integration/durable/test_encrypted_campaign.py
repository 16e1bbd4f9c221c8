"""A real campaign that is encrypted shows its state to all, and its reasons to holders of a key alone."""

import base64
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from conftest import StartEngine
from temporalio.client import WorkflowExecution
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Interceptor

from fakes.fleet import FakeFleet, FakeReservations
from fakes.lease import FakeLeases
from fakes.worker import TASK_QUEUE, WORKFLOWS, policy, start_order, until
from steadfleet_core.campaign.lifecycle import State
from steadfleet_core.campaign.plan import CampaignOrder
from steadfleet_durable import build_worker, connect, register
from steadfleet_workflows.visibility import HIDDEN_REASON, KEYS, REASON, STATE

PLANTED = "postgres://app:correct-horse@db"
KEY = f"2026-11 {base64.b64encode(b'k' * 32).decode()}\n"


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "engine.db"


@pytest.fixture
async def encrypted(start_engine: StartEngine, database: Path) -> AsyncIterator[WorkflowEnvironment]:
    """Give an engine with our search attributes, to a client with a key."""
    keys = database.with_name("payload-keys")
    keys.write_text(KEY)
    async with start_engine(search_attributes=KEYS, database=database) as environment:
        address = environment.client.service_client.config.target_host
        client = await connect(env={"TEMPORAL_ADDRESS": address, "STEADFLEET_PAYLOAD_KEYS": str(keys)})
        yield WorkflowEnvironment.from_client(client)


async def halted_and_aborted(environment: WorkflowEnvironment) -> WorkflowExecution:
    """Run a campaign that platform, policy and person tell a secret; return how it is listed."""
    fleet = FakeFleet(hold_error=f"cannot reach {PLANTED}")
    activities = [*register(fleet), *register(FakeReservations()), *register(FakeLeases())]
    worker = build_worker(
        environment.client, task_queue=TASK_QUEUE, workflows=WORKFLOWS, activities=activities
    )
    order = CampaignOrder(policy=policy(labels={"dsn": PLANTED}), requested_by="ann", search_attributes=True)
    async with worker:
        campaign = await start_order(environment, order)
        assert PLANTED in (await campaign.reaches(State.HALTED)).reason
        await campaign.abort(reason=f"{PLANTED} has moved")
        assert (await campaign.report()).status.state is State.ABORTED
    listed: list[WorkflowExecution] = []

    async def shown() -> bool:
        found = environment.client.list_workflows("SfState = 'aborted'")
        listed[:] = [campaign async for campaign in found if campaign.id == "campaign/web"]
        return bool(listed)

    await until(shown)
    return listed[0]


async def test_an_encrypted_campaign_leaves_no_secret_in_the_engine(
    encrypted: WorkflowEnvironment, database: Path
) -> None:
    campaign = await halted_and_aborted(encrypted)

    shown = campaign.typed_search_attributes
    assert (shown.get(STATE), shown.get(REASON)) == ("aborted", HIDDEN_REASON)
    assert PLANTED.encode() not in kept(database)


async def test_reasons_that_were_shown_all_the_same_would_be_found(
    encrypted: WorkflowEnvironment, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("steadfleet_durable.worker.EncryptionKnown", Interceptor)
    campaign = await halted_and_aborted(encrypted)

    assert PLANTED in str(campaign.typed_search_attributes.get(REASON))
    assert PLANTED.encode() in kept(database)


def kept(database: Path) -> bytes:
    return b"".join(file.read_bytes() for file in database.parent.glob(f"{database.name}*"))
