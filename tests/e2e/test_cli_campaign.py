"""The campaign commands as processes, against a real engine and a worker with a fake fleet."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from conftest import StartEngine
from temporalio.testing import WorkflowEnvironment

from fakes.fleet import FakeFleet
from fakes.worker import campaign_worker
from steadfleet_core.campaign.lifecycle import State
from steadfleet_workflows.visibility import KEYS

BINARIES = Path(sys.executable).parent
POLICY = """\
apiVersion: steadfleet.dev/v1
kind: PatchPolicy
metadata:
  name: web
spec:
  fleet: {name: web, selector: {groups: [web]}}
  image: {id: ami-0000000000000002}
  strategy: {type: canary, canary: {steps: [2, 25%, 100%]}}
  disruptionBudget: {overall: 6, perZone: 2}
  failureTolerance: {hosts: 2}
  healthChecks: {checks: [{type: http, port: 8080}]}
  bake: {time: 1s, interval: 1s}
  approval: {required: APPROVAL}
  rollback: {automatic: false}
"""


@dataclass
class Answer:
    """What a command printed, and how it ended."""

    code: int | None
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


@dataclass
class Shell:
    """A folder with a policy, and the engine that its commands talk to."""

    environment: WorkflowEnvironment
    folder: Path

    async def run(self, *argv: str, **env: str) -> Answer:
        process = await asyncio.create_subprocess_exec(
            BINARIES / argv[0],
            *argv[1:],
            cwd=self.folder,
            env={**os.environ, "TEMPORAL_ADDRESS": self._address, "USER": "ann", "LOGNAME": "ann", **env},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        return Answer(process.returncode, out.decode(), err.decode())

    def write(self, *, approval: bool = False) -> None:
        text = POLICY.replace("APPROVAL", str(approval).lower())
        (self.folder / "steadfleet.yaml").write_text(text)

    async def wait_for(self, state: State) -> Any:
        for _ in range(100):
            document = (await self.run("campaign", "status", "--output", "json")).document
            if document["state"] == state:
                return document
        raise AssertionError(f"the campaign is {document['state']}, not {state}")

    @property
    def _address(self) -> str:
        return self.environment.client.service_client.config.target_host


@pytest.fixture
async def shell(start_engine: StartEngine, tmp_path: Path) -> AsyncIterator[Shell]:
    async with start_engine(search_attributes=KEYS) as environment:
        shell = Shell(environment, tmp_path)
        shell.write()
        yield shell


async def test_plan_shows_what_start_would_do_and_touches_nothing(shell: Shell) -> None:
    fleet = FakeFleet()
    async with campaign_worker(shell.environment, fleet):
        answer = await shell.run("campaign", "plan")

    assert answer.code == 0
    assert "campaign web: 24 hosts of fleet web to ami-0000000000000002 (web-2.0)" in answer.out
    assert "3     18     a: 6, b: 6, c: 6" in answer.out
    assert not fleet.changes


async def test_a_good_release_is_started_watched_and_reported(shell: Shell) -> None:
    async with campaign_worker(shell.environment, FakeFleet()):
        started = await shell.run("campaign", "start", "canary", "--watch")
        listed = await shell.run("campaign", "list", "--output", "json")
        reported = await shell.run("campaign", "report", "--html", "web.html", "--output", "json")

    assert started.code == 0, started
    assert "workflows/campaign%2Fweb" in started.out
    assert "wave 3 healthy: 18 of 18 hosts changed, 0 failed" in started.out
    assert "campaign web: succeeded" in started.out
    assert [(row["name"], row["state"], row["changed"]) for row in listed.document] == [
        ("web", "succeeded", 24)
    ]
    assert reported.document["status"]["counts"]["changed"] == 24
    assert "Campaign web: succeeded" in (shell.folder / "web.html").read_text()


async def test_an_approval_names_the_plan_and_comes_from_somebody_else(shell: Shell) -> None:
    shell.write(approval=True)
    async with campaign_worker(shell.environment, FakeFleet()):
        started = await shell.run("campaign", "start", "canary", "--output", "json")
        plan = started.document["plan"].removeprefix("sha256:")[:12]
        own = await shell.run("campaign", "approve", "--plan", plan)
        wrong = await shell.run("campaign", "approve", "--plan", "0" * 12, "--as", "bob")
        right = await shell.run("campaign", "approve", "--plan", plan, "--as", "bob", "--reason", "read it")
        ended = await shell.run("campaign", "watch", "--output", "json")

    assert (own.code, "ann requested this campaign" in own.err) == (3, True)
    assert (wrong.code, "is not the plan that waits" in wrong.err) == (3, True)
    assert right.code == 0
    assert "by: bob: read it" in right.out
    assert ended.code == 0
    assert ended.document["status"]["approvals"][0]["by"] == "bob"


async def test_a_bad_release_halts_and_is_rolled_back_by_a_person(shell: Shell) -> None:
    fleet = FakeFleet(bad={host.id for host in FakeFleet().hosts})
    async with campaign_worker(shell.environment, fleet):
        await shell.run("campaign", "start", "canary")
        halted = await shell.wait_for(State.HALTED)
        senseless = await shell.run("campaign", "advance", "--output", "json")
        rolled_back = await shell.run("campaign", "rollback", "--reason", "bad release")
        ended = await shell.run("campaign", "watch")

    assert halted["failures"][0]["reason"] == "http :8080/healthz answered 500"
    assert senseless.code == 3
    assert "cannot advance" in json.loads(senseless.err)["error"]
    assert (rolled_back.code, "by: ann: bad release" in rolled_back.out) == (0, True)
    assert ended.code == 6
    assert "campaign web: rolled back" in ended.out
    assert not fleet.on("ami-0000000000000002")


async def test_the_same_order_attaches_and_another_is_refused(shell: Shell) -> None:
    shell.write(approval=True)
    async with campaign_worker(shell.environment, FakeFleet()):
        await shell.run("campaign", "start", "canary")
        same = await shell.run("campaign", "start", "canary", "--as", "bob")
        other = await shell.run("campaign", "start", "rolling")
        rejected = await shell.run("campaign", "reject", "--reason", "not today")
        closed = await shell.run("campaign", "pause")
        again = await shell.run("campaign", "start", "rolling", "--output", "json")

    assert (same.code, "attached, nothing was started" in same.out) == (0, True)
    assert other.code == 4
    assert "spec.strategy.type is canary there and rolling here" in other.err
    assert rejected.code == 0
    assert (closed.code, "a closed campaign takes no verbs" in closed.err) == (3, True)
    assert (again.code, again.document["attached"]) == (0, False)


async def test_pause_and_resume_answer_with_receipts(shell: Shell) -> None:
    fleet = FakeFleet(gate=asyncio.Event())
    async with campaign_worker(shell.environment, fleet):
        await shell.run("campaign", "start", "canary")
        while not fleet.in_flight.total():  # noqa: ASYNC110  (the fake only counts)
            await asyncio.sleep(0.05)
        paused = await shell.run("campaign", "pause", "--reason", "lunch", "--output", "json")
        assert fleet.gate is not None
        fleet.gate.set()
        status = await shell.wait_for(State.PAUSED)
        resumed = await shell.run("campaign", "resume")
        ended = await shell.run("campaign", "watch")

    assert (paused.document["verb"], paused.document["reason"]) == ("pause", "lunch")
    assert status["reason"] == "paused by ann: lunch"
    assert resumed.code == 0
    assert ended.code == 0


async def test_a_plan_with_problems_is_shown_and_not_started(shell: Shell) -> None:
    async with campaign_worker(shell.environment, FakeFleet(problems=("host i-7 is unhealthy now",))):
        planned = await shell.run("campaign", "plan")
        started = await shell.run("campaign", "start", "canary")
        status = await shell.run("campaign", "status")

    assert (planned.code, "host i-7 is unhealthy now" in planned.out) == (3, True)
    assert (started.code, started.err.splitlines()[0]) == (3, "error: host i-7 is unhealthy now")
    assert (status.code, "there is no campaign web" in status.err) == (3, True)


async def test_a_refused_order_says_why(shell: Shell) -> None:
    async with campaign_worker(shell.environment, FakeFleet(refuse="group web does not exist")):
        planned = await shell.run("campaign", "plan", "--output", "json")

    assert planned.code == 3
    assert json.loads(planned.err)["error"] == "group web does not exist"


async def test_without_a_worker_it_says_which_to_start(shell: Shell) -> None:
    planned = await shell.run("campaign", "plan")
    frozen = await shell.run("steadfleet", "fleet", "freeze", "web", "--reason", "audit")

    for answer in (planned, frozen):
        assert answer.code == 5
        assert "no worker polls task queue patch-campaign" in answer.err
        assert "steadfleet up" in answer.err


async def test_without_an_engine_it_says_where_it_looked(shell: Shell) -> None:
    answer = await shell.run("campaign", "list", TEMPORAL_ADDRESS="127.0.0.1:1")

    assert (answer.code, "no engine at 127.0.0.1:1" in answer.err) == (5, True)
    assert len(answer.err.splitlines()) == 2


async def test_a_fleet_is_frozen_seen_and_unfrozen(shell: Shell) -> None:
    async with campaign_worker(shell.environment, FakeFleet()):
        frozen = await shell.run("steadfleet", "fleet", "freeze", "web", "--reason", "audit")
        listed = await shell.run("steadfleet", "fleet", "list", "web", "--output", "json")
        stopped = await shell.run("steadfleet", "fleet", "stop", "web", "--reason", "smoke")
        unfrozen = await shell.run("steadfleet", "fleet", "unfreeze", "web", "--reason", "done")

    assert frozen.out == "fleet web: frozen by ann (audit); held by no campaign\n"
    assert listed.document["holding"]["frozen_by"] == "ann"
    assert "frozen by ann (smoke)" in stopped.out
    assert "not frozen" in unfrozen.out


async def test_a_plain_group_is_planned_without_a_policy(shell: Shell) -> None:
    (shell.folder / "steadfleet.yaml").unlink()
    async with campaign_worker(shell.environment, FakeFleet()):
        planned = await shell.run("campaign", "plan", "--from-asg", "web", "--image", "ami-0000000000000002")

    assert planned.code == 0
    assert "group web (1 to 24, now 24): template lt-1, version 1" in planned.out


async def test_a_namespace_without_our_search_attributes_still_serves(
    start_engine: StartEngine, tmp_path: Path
) -> None:
    async with start_engine() as environment:
        shell = Shell(environment, tmp_path)
        shell.write()
        async with campaign_worker(environment, FakeFleet()):
            started = await shell.run("campaign", "start", "immediate", "--wait")

    assert started.code == 0, started
    assert "`steadfleet doctor` says why" in started.out


async def test_a_terminated_campaign_has_failed_and_says_so(shell: Shell) -> None:
    shell.write(approval=True)
    async with campaign_worker(shell.environment, FakeFleet()):
        await shell.run("campaign", "start", "canary")
        await shell.environment.client.get_workflow_handle("campaign/web").terminate("by hand")
        status = await shell.run("campaign", "status", "--output", "json")
        watched = await shell.run("campaign", "watch")

    assert status.document["state"] == "failed"
    assert "terminated in Temporal" in status.document["reason"]
    assert watched.code == 6
