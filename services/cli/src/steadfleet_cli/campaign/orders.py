"""What a campaign was started with: in its first event, which needs no worker."""

from typing import Any

from temporalio.client import Client, WorkflowHandle

from steadfleet_core.campaign.book import ContinuedOrder
from steadfleet_core.campaign.plan import CampaignOrder
from steadfleet_core.campaign.report import CampaignReport
from steadfleet_workflows.campaign import PatchCampaign

CampaignHandle = WorkflowHandle[PatchCampaign, CampaignReport]


def campaign_id(name: str) -> str:
    return f"campaign/{name}"


def campaign_handle(client: Client, workflow_id: str, run_id: str | None = None) -> CampaignHandle:
    handle: CampaignHandle = client.get_workflow_handle_for(PatchCampaign.run, workflow_id, run_id=run_id)
    return handle


async def order_of(client: Client, workflow_id: str, run_id: str) -> CampaignOrder:
    handle = client.get_workflow_handle(workflow_id, run_id=run_id)
    first = await anext(handle.fetch_history_events(page_size=1))
    started = first.workflow_execution_started_event_attributes
    kinds: list[Any] = [CampaignOrder | ContinuedOrder]
    order: CampaignOrder = (await client.data_converter.decode(started.input.payloads, kinds))[0]
    return order
