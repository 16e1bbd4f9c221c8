"""Work stays on the code it began with; new work goes to the version made current."""

import asyncio
import os
import re
import shlex
import sys
from pathlib import Path

import pytest
from integration.durable.service import TASK_QUEUE, WaitsForSignal
from temporalio.client import Client, WorkflowHandle
from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from steadfleet_durable import WorkerSettings, build_worker, deployment_problem

DEPLOYMENT = "patch-campaign"


@pytest.fixture
def client(dev_server: WorkflowEnvironment) -> Client:
    return dev_server.client


def _worker(client: Client, build_id: str) -> Worker:
    return build_worker(
        client,
        task_queue=TASK_QUEUE,
        workflows=[WaitsForSignal],
        settings=WorkerSettings(deployment_name=DEPLOYMENT, build_id=build_id),
    )


async def _seen(client: Client, build_id: str) -> str | None:
    """Wait until the engine knows the version; return the deployment's problem then."""
    async with asyncio.timeout(30):
        while True:
            problem = await deployment_problem(client, DEPLOYMENT)
            if problem is None or build_id in problem:
                return problem


async def _run(client: Client, command: str) -> None:
    """Run a command, until the engine has seen the version."""
    program, *arguments = shlex.split(command)
    where = {"TEMPORAL_ADDRESS": client.service_client.config.target_host}
    async with asyncio.timeout(30):
        while True:
            process = await asyncio.create_subprocess_exec(
                Path(sys.executable).with_name(program),
                *arguments,
                env=os.environ | where,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
            )
            if await process.wait() == 0:
                return


def _set_current(build_id: str) -> str:
    return (
        f"temporal worker deployment set-current-version --deployment-name {DEPLOYMENT}"
        f" --build-id {build_id} -y"
    )


async def _start(client: Client, workflow_id: str) -> WorkflowHandle[WaitsForSignal, str]:
    return await client.start_workflow(WaitsForSignal.run, id=workflow_id, task_queue=TASK_QUEUE)


async def _begun(handle: WorkflowHandle[WaitsForSignal, str]) -> None:
    async with asyncio.timeout(30):
        while (await handle.describe()).history_length < 4:
            pass


async def test_a_running_workflow_stays_on_v1_while_v2_takes_new_work(client: Client) -> None:
    async with _worker(client, "v1"):
        await _run(client, _set_current("v1"))
        old = await _start(client, "old")
        await _begun(old)
        async with _worker(client, "v2"):
            await _run(client, _set_current("v2"))
            new = await _start(client, "new")
            await _begun(new)
            for handle in (old, new):
                await handle.signal(WaitsForSignal.go)
            assert (await old.result(), await new.result()) == ("v1", "v2")


async def test_no_current_version_is_told_with_the_command_that_helps(client: Client) -> None:
    assert re.search("is unknown in namespace 'default'", await deployment_problem(client, DEPLOYMENT) or "")
    async with _worker(client, "v1"):
        problem = await _seen(client, "v1")
        assert problem is not None
        assert "has no current version, so new workflows never start (versions seen: v1)" in problem
        waiting = await _start(client, "waiting")
        await waiting.signal(WaitsForSignal.go)
        advised = re.search("`(.*)`", problem)
        assert advised is not None
        await _run(client, f"{advised[1]} --yes")
        assert await deployment_problem(client, DEPLOYMENT) is None
        assert await waiting.result() == "v1"


async def test_what_the_engine_cannot_answer_is_not_hidden(client: Client) -> None:
    with pytest.raises(RPCError):
        await deployment_problem(client, "")
