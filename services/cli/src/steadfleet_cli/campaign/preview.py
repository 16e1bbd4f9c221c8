"""Ask a worker what a campaign would do."""

import secrets
from datetime import timedelta

from temporalio.client import Client

from steadfleet_cli.engine import TASK_QUEUE, result_of
from steadfleet_core.campaign.plan import CampaignOrder, Preview
from steadfleet_ports.fleet import Freeze
from steadfleet_workflows.preview import CampaignPreview

_MOST = timedelta(minutes=15)


async def preview_of(client: Client, order: CampaignOrder, *, probe: bool) -> Preview:
    """Resolve the order against the fleet as it stands; nothing is touched or stored."""
    handle = await client.start_workflow(
        CampaignPreview.run,
        Freeze(order=order, store=False, probe=probe),
        id=f"preview/{order.policy.metadata.name}/{secrets.token_hex(4)}",
        task_queue=TASK_QUEUE,
        execution_timeout=_MOST,
    )
    return await result_of(client, handle)
