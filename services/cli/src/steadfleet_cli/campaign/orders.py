"""What a campaign was started with: in its first event, which needs no worker."""

from temporalio.client import Client

from steadfleet_core.campaign.plan import CampaignOrder


def campaign_id(name: str) -> str:
    return f"campaign/{name}"


async def order_of(client: Client, workflow_id: str, run_id: str) -> CampaignOrder:
    handle = client.get_workflow_handle(workflow_id, run_id=run_id)
    first = await anext(handle.fetch_history_events(page_size=1))
    started = first.workflow_execution_started_event_attributes
    values = await client.data_converter.decode(started.input.payloads[:1], [CampaignOrder])
    order: CampaignOrder = values[0]
    return order
