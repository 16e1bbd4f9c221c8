"""The commands about worker versions as processes, against a real engine and versioned workers."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from conftest import StartEngine
from integration.durable.service import WaitsForSignal
from integration.durable.versions import (
    SHORT_PERIODS,
    FailsEveryTask,
    abandoned,
    current,
    deployment_of,
    finished_by,
    pinned,
    polling,
    reaches,
    start,
)
from integration.durable.versions import worker as worker_of
from temporalio.client import Client, WorkflowHandle
from temporalio.worker import Worker

from fakes.worker import until
from steadfleet_cli.exits import ExitCode
from steadfleet_durable.deployments import VersionState

COMMAND = Path(sys.executable).with_name("steadfleet")
NAME = "patch-campaign"
AT_ONCE = ("--steps", "100", "--pause", "0s")


@pytest.fixture
async def client(start_engine: StartEngine) -> AsyncIterator[Client]:
    async with start_engine(extra_args=SHORT_PERIODS) as environment:
        yield environment.client


def worker(client: Client, build_id: str, workflows: type = WaitsForSignal) -> Worker:
    return worker_of(client, build_id, workflows, deployment=NAME, queue=NAME)


async def begin(client: Client, *words: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *("env", "--default-signal=INT"),  # a shell lets what it starts in the background ignore it
        COMMAND,
        "workers",
        *words,
        env={**os.environ, "TEMPORAL_ADDRESS": client.service_client.config.target_host, "USER": "ann"},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def run(client: Client, *words: str) -> tuple[int | None, str, str]:
    process = await begin(client, *words)
    out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


async def says(process: asyncio.subprocess.Process, words: str) -> None:
    """Read what the command prints until it says this."""
    assert process.stdout is not None
    async with asyncio.timeout(60):
        while words not in (line := (await process.stdout.readline()).decode()):
            assert line, f"ended without saying {words!r}"


async def test_a_first_install_raises_the_alarm_until_it_is_rolled_out(client: Client) -> None:
    async with worker(client, "v1"):
        await polling(client, "v1", NAME)

        code, out, _ = await run(client, "status")
        assert code == ExitCode.NOT_SUCCEEDED
        assert "ALARM" in out
        assert "'patch-campaign' has no current version, so new workflows never start" in out

        code, out, err = await run(client, "rollout", "--build-id", "v1")
        assert (code, err) == (ExitCode.OK, "")
        assert out.endswith("patch-campaign: v1 is current\nno version is left to drain\n")

        code, out, _ = await run(client, "status")
        assert code == ExitCode.OK
        assert out.endswith("no alarm\n")


@pytest.mark.slow
async def test_a_release_is_rolled_out_and_the_version_before_deleted(client: Client) -> None:
    async with worker(client, "v2"):
        await polling(client, "v2", NAME)
        async with current(client, "v1", deployment=NAME, queue=NAME):
            work = await start(client, "old", NAME)
            await pinned(client, "v1", 1, NAME)

            code, out, _ = await run(client, "rollout", "--build-id", "v2", "--pause", "0s", "--prune")
            assert code == ExitCode.OK
            assert [line for line in out.splitlines() if "of new work" in line] == [
                f"patch-campaign: {share} % of new work goes to v2" for share in (10, 50, 100)
            ]
            assert "patch-campaign: v1 drains, pinned to it: 1" in out
            assert "v1 is kept: not drained; running workflows pinned to it: 1" in out

            assert await finished_by(work) == "v1"
            await reaches(client, "v1", VersionState.DRAINED, NAME)
        await abandoned(client, "v1", NAME)

        code, out, _ = await run(client, "rollout", "--build-id", "v2", "--prune", "--output", "json")
        assert code == ExitCode.OK
        assert json.loads(out)["pruned"] == [{"deployment": NAME, "build_id": "v1", "kept": None}]
        _, out, _ = await run(client, "list", "--output", "json")
        (listed,) = json.loads(out)
        assert [(one["build_id"], one["state"], one["share"]) for one in listed["versions"]] == [
            ("v2", "current", 100)
        ]


@pytest.mark.slow
async def test_a_bad_build_is_taken_back_and_the_command_says_so(client: Client) -> None:
    async with current(client, "v1", deployment=NAME, queue=NAME), worker(client, "v2", FailsEveryTask):
        await polling(client, "v2", NAME)
        process = await begin(client, "rollout", "--build-id", "v2", "--steps", "100", "--pause", "1h")
        await says(process, "100 % of new work goes to v2")
        work = await start(client, "victim", NAME)

        out, err = await process.communicate()

        assert process.returncode == ExitCode.NOT_SUCCEEDED
        assert "taken back; all new work goes to v1" in out.decode()
        assert "v2 of patch-campaign fails the workflow tasks of victim: a bad build" in err.decode()
        assert await finished_by(work) == "v1"


@pytest.mark.slow
async def test_an_interrupt_says_where_it_stands_and_the_old_build_takes_it_back(client: Client) -> None:
    async with current(client, "v1", deployment=NAME, queue=NAME), worker(client, "v2"):
        await polling(client, "v2", NAME)
        process = await begin(client, "rollout", "--build-id", "v2", "--pause", "1h")
        await says(process, "10 % of new work goes to v2")
        process.send_signal(signal.SIGINT)

        _, err = await process.communicate()

        assert process.returncode == ExitCode.INTERRUPTED
        assert "interrupted; patch-campaign: v1 is current, v2 has 10 % of new work" in err.decode()
        assert (await deployment_of(client, NAME)).ramp == 10
        code, out, _ = await run(client, "rollout", "--build-id", "v1")
        assert code == ExitCode.OK
        assert "v2 takes no new work any more" in out
        assert (await deployment_of(client, NAME)).ramping is None


@pytest.mark.slow
async def test_a_gate_must_succeed_before_anything_is_changed(client: Client) -> None:
    gate = ("--gate", f"{NAME}:WaitsForSignal", "--patience")
    async with current(client, "v1", deployment=NAME, queue=NAME), worker(client, "v2"):
        await polling(client, "v2", NAME)
        code, _, err = await run(client, "rollout", "--build-id", "v2", *AT_ONCE, *gate, "2s")

        assert code == ExitCode.REFUSED
        assert "nothing is changed: the gate WaitsForSignal did not succeed on v2" in err
        assert (await deployment_of(client, NAME)).current == "v1"

        process = await begin(client, "rollout", "--build-id", "v2", *AT_ONCE, *gate, "1m")
        assert await finished_by(await _running_gate(client)) == "v2"
        out, _ = await process.communicate()
        assert process.returncode == ExitCode.OK
        assert "patch-campaign: the gate WaitsForSignal succeeded on v2" in out.decode()
        assert (await deployment_of(client, NAME)).current == "v2"


async def _running_gate(client: Client) -> WorkflowHandle[WaitsForSignal, str]:
    found: list[str] = []

    async def running() -> bool:
        query = f'WorkflowId STARTS_WITH "gate/{NAME}/v2/" AND ExecutionStatus = "Running"'
        found.extend([one.id async for one in client.list_workflows(query)])
        return bool(found)

    await until(running, "the gate runs")
    return client.get_workflow_handle_for(WaitsForSignal.run, found[0])


async def test_what_is_not_there_is_refused_in_words(client: Client) -> None:
    refusals = {
        ("rollout", "--build-id", "v9"): "no versioned worker of ours has polled",
        (
            "rollout",
            "--build-id=v9",
            "--deployment=x",
            "--patience=0s",
        ): "no worker of build v9 has polled",
        ("status", "x"): "no worker deployment x in namespace default",
    }
    for words, told in refusals.items():
        code, _, err = await run(client, *words)
        assert (code, told in err) == (ExitCode.REFUSED, True), err
