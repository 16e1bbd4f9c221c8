"""Workers of the self-hosted engine as processes, and a fleet in a local cloud of ours."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from chaos.stage import TASK_QUEUE, Killable, create_web, nudge, policy, ready, replaced, until
from self_host.native import NativeEngine
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest
from temporalio.client import Client, WorkflowHandle
from temporalio.service import RPCError

from receipt import Receipt, count_receipt
from steadfleet_cli.parts import Addresses, stack
from steadfleet_cli.trust import make_trust
from steadfleet_core.campaign.plan import CampaignOrder
from steadfleet_core.campaign.report import CampaignReport
from steadfleet_durable import connect
from steadfleet_local_cloud import LocalCloud
from steadfleet_workflows.campaign import PatchCampaign

HOSTS = 12
_SETTINGS = {
    "STEADFLEET_HEARTBEAT_TIMEOUT": "2s",
    "STEADFLEET_MAX_HEARTBEAT_THROTTLE": "1s",
    "STEADFLEET_CREDENTIALS_INTERVAL": "1s",
}


@dataclass
class Stage:
    cloud: LocalCloud
    engine: NativeEngine
    workers: Mapping[str, Killable]
    client: Client
    before: dict[str, Any] = field(default_factory=dict)

    def start_workers(self) -> None:
        for worker in self.workers.values():
            worker.start()

    def stop_workers(self) -> None:
        for worker in self.workers.values():
            worker.stop()

    async def start(self, image: str, **spec: Any) -> WorkflowHandle[PatchCampaign, CampaignReport]:
        self.before = self.cloud.inventory()
        order = CampaignOrder(policy=policy(image, **spec), requested_by="tests")
        return await self.client.start_workflow(
            PatchCampaign.run, order, id="campaign/web", task_queue=TASK_QUEUE
        )

    async def result(self, handle: WorkflowHandle[PatchCampaign, CampaignReport]) -> CampaignReport:
        """Await the end through outages of the engine."""
        while True:
            with suppress(RPCError):
                return await handle.result()
            await asyncio.sleep(0.2)

    async def launched(self, count: int) -> None:
        """Await that many machines more than there were."""
        known = {one["id"] for one in self.before["instances"]}

        def enough() -> bool:
            return sum(one["id"] not in known for one in self.cloud.inventory()["instances"]) >= count

        await until(enough, f"{count} machines launched", timedelta(minutes=3))

    def receipt(self) -> Receipt:
        return count_receipt(self.cloud.record(), self.before, self.cloud.inventory())


@asynccontextmanager
async def staged(
    engine: NativeEngine,
    folder: Path,
    *names: str,
    hosts: int = HOSTS,
    client_tokens: bool = True,
    worker: Path | None = None,
) -> AsyncIterator[Stage]:
    """
    Set the stage with the named workers; they stop and start with the engine's installation.

    `worker` is another program than the service that changes hosts.
    """
    addresses = Addresses.free()
    with LocalCloud(state=folder / "cloud", probe_scale=0.1, client_tokens=client_tokens) as cloud:
        create_web(cloud, hosts)
        make_trust(folder)
        environment = {"AWS_ENDPOINT_URL": cloud.endpoint, **_SETTINGS, **engine.variables("worker")}
        workers = {
            part.name: Killable(
                replaced(part, worker if part.name == "worker" else None),
                folder / f"{part.name}.log",
                environment,
            )
            for part in stack(addresses, folder)
            if part.name in names
        }
        client = await connect(env=engine.variables("operator"))
        stage = Stage(cloud, engine, workers, client)
        nudging = asyncio.create_task(nudge(client))
        engine.start_ours, engine.stop_ours = stage.start_workers, stage.stop_workers
        try:
            stage.start_workers()
            for one in workers.values():
                await ready(one)
            yield stage
        finally:
            nudging.cancel()
            stage.stop_workers()


async def forget(client: Client, workflow_type: str) -> None:
    """Delete every run of the type, as retention does, and await that nothing of them is there."""
    query = f"WorkflowType = '{workflow_type}'"
    while (await client.count_workflows(query + " AND ExecutionStatus = 'Running'")).count:
        pass  # what has ended is known to be closed a moment later
    async for run in client.list_workflows(query):
        execution = WorkflowExecution(workflow_id=run.id, run_id=run.run_id)
        request = DeleteWorkflowExecutionRequest(namespace=client.namespace, workflow_execution=execution)
        await client.workflow_service.delete_workflow_execution(request)
    while (await client.count_workflows(query)).count:  # the engine deletes in the background
        pass
