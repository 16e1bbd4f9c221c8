"""A worker with every workflow and the fakes, for workflow tests."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from temporalio.client import WorkflowHandle
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from fakes.fleet import FakeFleet, FakeReservations
from steadfleet_core.campaign.plan import CampaignOrder
from steadfleet_core.campaign.policy import PatchPolicy
from steadfleet_core.campaign.report import CampaignReport, CampaignStatus
from steadfleet_durable import register, workflow_runner
from steadfleet_workflows.campaign import PatchCampaign
from steadfleet_workflows.fleet import FleetReservation
from steadfleet_workflows.inspection import FleetInspection
from steadfleet_workflows.preview import CampaignPreview
from steadfleet_workflows.shard import PatchShard
from steadfleet_workflows.wave import PatchWave

TASK_QUEUE = "patch-campaign"
WORKFLOWS = [PatchCampaign, PatchWave, PatchShard, FleetReservation, CampaignPreview, FleetInspection]


@asynccontextmanager
async def campaign_worker(
    env: WorkflowEnvironment, fleet: FakeFleet, reservations: FakeReservations | None = None, **options: Any
) -> AsyncIterator[Worker]:
    async with Worker(
        env.client,
        task_queue=TASK_QUEUE,
        workflows=WORKFLOWS,
        activities=[*register(fleet), *register(reservations or FakeReservations())],
        workflow_runner=workflow_runner(),
        max_heartbeat_throttle_interval=timedelta(milliseconds=100),
        default_heartbeat_throttle_interval=timedelta(milliseconds=100),
        **options,
    ) as worker:
        yield worker


def policy(**spec: Any) -> PatchPolicy:
    """Return a canary policy for the fake fleet; `spec` replaces parts of it, in YAML's words."""
    defaults = {
        "fleet": {"name": "web", "selector": {"groups": ["web"]}},
        "image": {"id": "ami-0000000000000002"},
        "strategy": {"type": "canary", "canary": {"steps": [2, "25%", "100%"]}},
        "disruptionBudget": {"overall": 6, "perZone": 2},
        "failureTolerance": {"hosts": 0},
        "healthChecks": {"checks": [{"type": "http", "port": 8080, "path": "/healthz"}]},
        "bake": {"time": "10m", "interval": "1m"},
        "approval": {"required": False},
        "rollback": {"automatic": True, "scope": "wave"},
    }
    return PatchPolicy.model_validate(
        {
            "apiVersion": "steadfleet.dev/v1",
            "kind": "PatchPolicy",
            "metadata": {"name": "web"},
            "spec": {**defaults, **spec},
        }
    )


@dataclass
class Campaign:
    """A campaign under test: its handle, and short words for what tests ask of it."""

    handle: WorkflowHandle[PatchCampaign, CampaignReport]

    async def status(self) -> CampaignStatus:
        return await self.handle.query(PatchCampaign.status)

    async def report(self) -> CampaignReport:
        return await self.handle.result()


async def start_campaign(env: WorkflowEnvironment, by: str = "ann", **spec: Any) -> Campaign:
    order = CampaignOrder(policy=policy(**spec), requested_by=by, search_attributes=False)
    handle = await env.client.start_workflow(
        PatchCampaign.run,
        order,
        id="campaign/web",
        task_queue=TASK_QUEUE,
        execution_timeout=timedelta(days=365),
    )
    return Campaign(handle)
