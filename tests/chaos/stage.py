"""A whole stack whose parts can be killed: real processes, a real fleet, one campaign."""

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import boto3
from temporalio.api.workflowservice.v1 import ResetActivityRequest
from temporalio.client import Client, WorkflowHandle
from temporalio.service import RPCError

from receipt import Receipt, count_receipt
from steadfleet_cli.parts import BUCKETS, Addresses, Part, stack
from steadfleet_cli.trust import make_trust
from steadfleet_core.campaign.plan import CampaignOrder
from steadfleet_core.campaign.policy import PatchPolicy
from steadfleet_core.campaign.report import CampaignReport
from steadfleet_durable import data_converter
from steadfleet_local_cloud import LocalCloud
from steadfleet_local_cloud.calls import Call
from steadfleet_local_cloud.faults import Fault, Kind, Release
from steadfleet_local_cloud.fleet import create_fleet
from steadfleet_workflows.campaign import PatchCampaign

RELEASES = Path(__file__).parents[2] / "examples" / "web"
TASK_QUEUE = "patch-campaign"
CHECKS = {
    "interval": "0.2s",
    "timeout": "2s",
    "successThreshold": 1,
    "deadline": "30s",
    "checks": [{"type": "http", "port": 8080, "path": "/healthz"}],
}


@dataclass
class Killable:
    """A process that is started again as it was whenever it has been killed."""

    part: Part
    log: Path
    env: Mapping[str, str] = field(default_factory=dict)
    kills: int = 0
    process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.part.argv,
                env={**self.part.env, **self.env},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def kill(self) -> None:
        """SIGKILL, and start anew at once."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.kills += 1
        self.start()

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()


@dataclass
class Stage:
    """Engine, worker and janitor as processes, the cloud in ours; `start` starts the campaign."""

    cloud: LocalCloud
    engine: Killable
    worker: Killable
    janitor: Killable
    address: str
    hosts: int
    before: dict[str, Any]
    client: Client
    nudging: "asyncio.Task[None] | None" = None

    async def start(self, image: str, **spec: Any) -> WorkflowHandle[PatchCampaign, CampaignReport]:
        order = CampaignOrder(policy=policy(image, **spec), requested_by="chaos")
        handle = await self.client.start_workflow(
            PatchCampaign.run, order, id="campaign/web", task_queue=TASK_QUEUE
        )
        self.nudging = asyncio.create_task(nudge(self.client))
        return handle

    async def result(self, handle: WorkflowHandle[PatchCampaign, CampaignReport]) -> CampaignReport:
        """Await the end through however many deaths of the engine."""
        while True:
            try:
                return await handle.result()
            except RPCError:
                await asyncio.sleep(0.2)

    def receipt(self) -> Receipt:
        return count_receipt(self.cloud.record(), self.before, self.cloud.inventory())


async def nudge(client: Client) -> None:
    """Spare the back-off of each retry, as an operator would by `temporal activity reset`; for ever."""
    while True:
        with suppress(RPCError):
            async for execution in client.list_workflows('ExecutionStatus="Running"'):
                await _reset(client, execution.id)
        await asyncio.sleep(0.5)


async def _reset(client: Client, workflow_id: str) -> None:
    described = await client.get_workflow_handle(workflow_id).describe()
    for pending in described.raw_description.pending_activities:
        if pending.attempt > 1 and pending.HasField("next_attempt_schedule_time"):
            request = ResetActivityRequest(namespace=client.namespace, id=pending.activity_id)
            request.execution.workflow_id = workflow_id
            await client.workflow_service.reset_activity(request)


@asynccontextmanager
async def staged(
    folder: Path, hosts: int, *, worker: Path | None = None, client_tokens: bool = True, **settings: str
) -> AsyncIterator[Stage]:
    """Set the stage; `worker` names another program than the service, and its token is ours to ignore.

    `settings` are variables of worker and janitor.
    """
    addresses = Addresses.free()
    with LocalCloud(state=folder / "cloud", probe_scale=0.1, client_tokens=client_tokens) as cloud:
        create_web(cloud, hosts)
        environment = {**addresses.environment, "AWS_ENDPOINT_URL": cloud.endpoint}
        environment |= {"STEADFLEET_HEARTBEAT_TIMEOUT": "2s", "STEADFLEET_MAX_HEARTBEAT_THROTTLE": "1s"}
        environment |= settings
        make_trust(folder)
        parts = {part.name: part for part in stack(addresses, folder)}
        engine = Killable(parts["engine"], folder / "engine.log")
        work = Killable(parts["worker"], folder / "worker.log", environment)
        janitor = Killable(parts["janitor"], folder / "janitor.log", environment)
        if worker is not None:
            work.part = Part("worker", (sys.executable, str(worker)), parts["worker"].env, {}, lambda: None)
        try:
            engine.start()
            client = await connected(parts["engine"], addresses)
            janitor.start()
            work.start()
            address = f"127.0.0.1:{addresses.engine}"
            stage = Stage(cloud, engine, work, janitor, address, hosts, cloud.inventory(), client)
            yield stage
            if stage.nudging:
                stage.nudging.cancel()
        finally:
            work.stop()
            janitor.stop()
            engine.stop()


def create_web(cloud: LocalCloud, hosts: int) -> None:
    image = cloud.register_image("web-1.0", RELEASES / "good-1.0")
    made = create_fleet(cloud.endpoint, cloud.region, name="web", image=image, size=hosts, zones=3, tags={})
    boto3.client("elbv2", **cloud.client_settings).modify_target_group_attributes(
        TargetGroupArn=made.target_group,
        Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": "0"}],
    )
    for bucket in BUCKETS:
        boto3.client("s3", **cloud.client_settings).create_bucket(
            Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
        )


async def connected(engine: Part, addresses: Addresses) -> Client:
    await until(lambda: engine.problem() is None, "the engine answers", timedelta(seconds=60))
    return await Client.connect(f"127.0.0.1:{addresses.engine}", data_converter=data_converter())


async def ready(worker: Killable) -> None:
    part = worker.part
    await until(lambda: part.problem() is None, f"the {part.name} is ready", timedelta(minutes=2))


def replaced(part: Part, program: Path | None) -> Part:
    """Return the part with another program in its place, if there is one."""
    if program is None:
        return part
    return Part(part.name, (sys.executable, str(program)), part.env, part.ports, part.problem)


async def until(holds: Callable[[], bool], what: str, limit: timedelta) -> None:
    deadline = time.monotonic() + limit.total_seconds()
    while not await asyncio.to_thread(holds):
        assert time.monotonic() < deadline, f"not within {limit}: {what}"
        await asyncio.sleep(0.1)


def policy(image: str, **spec: Any) -> PatchPolicy:
    said = {
        "fleet": {"name": "web", "selector": {"groups": ["web"]}},
        "image": {"id": image},
        "strategy": {"type": "canary", "canary": {"steps": [1, "100%"]}},
        "disruptionBudget": {"overall": "100%", "perZone": "100%"},
        "failureTolerance": {"hosts": "20%", "mode": "soft"},
        "healthChecks": CHECKS,
        "bake": {"time": "1s", "interval": "1s"},
        "approval": {"required": False},
        **spec,
    }
    return PatchPolicy.model_validate(
        {"apiVersion": "steadfleet.dev/v1", "kind": "PatchPolicy", "metadata": {"name": "web"}, "spec": said}
    )


_THE_JANITORS = {"DescribeVolumes", "DescribeSnapshots", "DescribeKeyPairs", "DescribeSecurityGroups"}
"""Calls that no worker makes which changes hosts."""

WHEN: tuple[Literal["before", "after"], ...] = ("before", "after")


@dataclass
class Crashes:
    """Kills the worker before, and again after, the first time that each different call is made.

    Two calls are the same when they ask the same of the same things; so a call that is made again
    after a crash goes through.
    """

    cloud: LocalCloud
    kill: Callable[[], None]
    seen: set[tuple[str, str]] = field(default_factory=set)
    points: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def install(self) -> None:
        faults = self.cloud.faults
        faults.strike_call = self._strike  # type: ignore[method-assign]
        faults.hold = self._crash  # type: ignore[method-assign]

    def _strike(self, call: Call) -> list[Fault]:
        if call.action in _THE_JANITORS or "DryRun" in call.parameters:
            return []
        key = _key(call)
        with self.lock:
            for when in WHEN:
                if (when, key) not in self.seen:
                    self.seen.add((when, key))
                    self.points.append(f"{when} {key}")
                    return [Fault(id=f"crash-{len(self.points)}", kind=Kind.HOLD, when=when)]
        return []

    def _crash(self, fault: Fault, call: Call) -> Release:
        with self.lock:
            self.kill()
        return "drop"


def _key(call: Call) -> str:
    """Name a call by what it changes: every mutating one by its subject, a look by its kind alone."""
    if not call.mutating:
        return str(call.action)
    said = {
        name: value
        for name, value in call.parameters.items()
        if not name.startswith(("ClientToken", "TagSpecification")) or "Value" in name
    }
    subject = sorted(str(value) for value in said.values() if str(value).startswith(("i-", "ami-", "lt-")))
    return f"{call.action} {' '.join(dict.fromkeys(subject))}"
