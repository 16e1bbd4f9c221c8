"""An owner is closed when it is, and all that winds down under it."""

from collections.abc import AsyncIterator, Sequence

import pytest
from integration.janitor.stages import Stage
from temporalio.client import Client, WorkflowHandle
from temporalio.testing import WorkflowEnvironment

from fakes.worker import until
from steadfleet_activities.janitor.owners import look_at
from steadfleet_durable import build_worker
from steadfleet_ports.lease import Owner

QUEUE = "stage"
NAME = "campaign/web"


Handle = WorkflowHandle[Stage, None]


@pytest.fixture
async def client(dev_server: WorkflowEnvironment) -> AsyncIterator[Client]:
    async with build_worker(dev_server.client, task_queue=QUEUE, workflows=[Stage]):
        yield dev_server.client


async def start(
    client: Client, children: Sequence[str] = (), name: str = NAME
) -> WorkflowHandle[Stage, None]:
    handle = await client.start_workflow(Stage.run, list(children), id=name, task_queue=QUEUE)
    for child in children:
        await until(lambda: _listed(client, f"{name}/{child}"))
    return handle


async def _listed(client: Client, name: str) -> bool:
    return bool([one async for one in client.list_workflows(f'WorkflowId = "{name}"')])


def owner_of(handle: Handle) -> Owner:
    return Owner(workflow=handle.id, run=handle.first_execution_run_id or "")


async def test_a_running_owner_is_open(client: Client) -> None:
    handle = await start(client)

    look = await look_at(client, owner_of(handle))

    assert look.open
    assert look.said == "campaign/web is open"


@pytest.mark.parametrize("how", ["completed", "terminated", "cancelled"])
async def test_a_closed_owner_without_children_is_closed(client: Client, how: str) -> None:
    handle = await start(client)
    if how == "completed":
        await handle.signal(Stage.end)
        await handle.result()
    elif how == "terminated":
        await handle.terminate()
    else:
        await handle.cancel()

        async def ended() -> bool:
            return (await handle.describe()).close_time is not None

        await until(ended)

    look = await look_at(client, owner_of(handle))

    assert not look.open
    assert look.said == "campaign/web has closed"


async def test_an_owner_that_never_was_is_closed(client: Client) -> None:
    look = await look_at(client, Owner(workflow="campaign/ghost", run="x"))

    assert not look.open
    assert look.said == "campaign/ghost is unknown"


async def test_an_owner_that_goes_on_in_a_new_run_is_open(client: Client) -> None:
    handle = await start(client)
    await handle.signal(Stage.go_on)

    async def goes_on() -> bool:
        described = await client.get_workflow_handle(NAME).describe()
        return described.run_id != handle.first_execution_run_id

    await until(goes_on)

    assert (await look_at(client, owner_of(handle))).open


async def test_a_terminated_owner_whose_children_wind_down_is_open_until_the_last_has_closed(
    client: Client,
) -> None:
    handle = await start(client, ["1", "2"])
    await handle.terminate()

    async def says(words: str) -> bool:
        return words in (await look_at(client, owner_of(handle))).said

    assert (await look_at(client, owner_of(handle))).open
    assert await says("campaign/web has closed, but 2 under it are open")
    await client.get_workflow_handle(f"{NAME}/1").signal(Stage.end)
    await until(lambda: says("but 1 under it"))
    assert (await look_at(client, owner_of(handle))).open
    await client.get_workflow_handle(f"{NAME}/2").signal(Stage.end)

    async def closed() -> bool:
        return not (await look_at(client, owner_of(handle))).open

    await until(closed)


async def test_a_later_run_of_the_same_name_is_not_the_owner_nor_are_its_children(client: Client) -> None:
    first = await start(client)
    await first.terminate()
    await start(client, ["1"])

    look = await look_at(client, owner_of(first))

    assert not look.open
    assert "another run of that name began since" in look.said


async def test_a_campaign_whose_name_only_begins_alike_is_another(client: Client) -> None:
    handle = await start(client)
    await handle.terminate()
    await start(client, ["1"], name=f"{NAME}-2")

    assert not (await look_at(client, owner_of(handle))).open
