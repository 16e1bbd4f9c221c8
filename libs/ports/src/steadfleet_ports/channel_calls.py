"""Call a channel's workflow: for a worker and the command line, which both have a client.

Apart from `channel`, which workflows import: they reach a channel through an activity.
"""

from datetime import timedelta

from temporalio.client import Client, WithStartWorkflowOperation
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.service import RPCError, RPCStatusCode

from steadfleet_core.image.channel import ChannelStatus, Promotion, PromotionReceipt
from steadfleet_core.image.golden import Channel
from steadfleet_ports.channel import CHANNEL_WORKFLOW, channel_id

PATIENCE = timedelta(seconds=45)
"""How long a promotion may take to be answered: it verifies first."""


async def promote(client: Client, promotion: Promotion, task_queue: str) -> PromotionReceipt:
    """Order a promotion, making the channel if it is new."""
    start: WithStartWorkflowOperation[object, object] = WithStartWorkflowOperation(
        CHANNEL_WORKFLOW,
        ChannelStatus(family=promotion.family, channel=promotion.channel),
        id=channel_id(promotion.family, promotion.channel),
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        task_queue=task_queue,
    )
    receipt: PromotionReceipt = await client.execute_update_with_start_workflow(
        "promote",
        promotion,
        start_workflow_operation=start,
        result_type=PromotionReceipt,
        rpc_timeout=PATIENCE,
    )
    return receipt


async def channel_status(
    client: Client, family: str, channel: Channel, patience: timedelta = PATIENCE
) -> ChannelStatus:
    """Return where the channel points; one that was never asked for points at nothing."""
    try:
        handle = client.get_workflow_handle(channel_id(family, channel))
        status: ChannelStatus = await handle.query("status", result_type=ChannelStatus, rpc_timeout=patience)
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        return ChannelStatus(family=family, channel=channel)
    return status
