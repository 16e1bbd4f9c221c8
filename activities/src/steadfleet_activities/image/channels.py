"""Channels, each an entity workflow that is started when it is first asked."""

from datetime import timedelta

from temporalio import activity
from temporalio.client import Client, WithStartWorkflowOperation
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.service import RPCError, RPCStatusCode

from steadfleet_core.errors import RefusedError
from steadfleet_core.image.channel import ChannelStatus, Promotion, PromotionReceipt
from steadfleet_core.image.golden import Channel
from steadfleet_ports.channel import CHANNEL_WORKFLOW, Channels, channel_id

# A promotion verifies before it answers, and its worker may be starting: then the activity is retried.
_PATIENCE = timedelta(seconds=45)


class TemporalChannels(Channels):
    """Asks `channel/<family>/<channel>` through the worker's own connection."""

    def __init__(self, task_queue: str) -> None:
        self._task_queue = task_queue

    @activity.defn
    async def promote_image(self, promotion: Promotion) -> PromotionReceipt:
        return await promote(activity.client(), promotion, self._task_queue)


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
        rpc_timeout=_PATIENCE,
    )
    return receipt


async def channel_version(client: Client, family: str, channel: Channel) -> str:
    """Return where the channel points. Raises `RefusedError` when it points at nothing."""
    try:
        handle = client.get_workflow_handle(channel_id(family, channel))
        status: ChannelStatus = await handle.query("status", result_type=ChannelStatus)
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        status = ChannelStatus(family=family, channel=channel)
    if not status.version:
        raise RefusedError(
            f"channel {channel} of {family} points at nothing: promote a version to it first, or name one"
        )
    return status.version
