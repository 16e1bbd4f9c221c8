"""Channels, each an entity workflow that is started when it is first asked."""

from temporalio import activity
from temporalio.client import Client

from steadfleet_core.errors import RefusedError
from steadfleet_core.image.channel import Promotion, PromotionReceipt
from steadfleet_core.image.golden import Channel
from steadfleet_ports.channel import Channels
from steadfleet_ports.channel_calls import channel_status, promote


class TemporalChannels(Channels):
    """Asks `channel/<family>/<channel>` through the worker's own connection."""

    def __init__(self, task_queue: str) -> None:
        self._task_queue = task_queue

    @activity.defn
    async def promote_image(self, promotion: Promotion) -> PromotionReceipt:
        return await promote(activity.client(), promotion, self._task_queue)


async def channel_version(client: Client, family: str, channel: Channel) -> str:
    """Return where the channel points. Raises `RefusedError` when it points at nothing."""
    status = await channel_status(client, family, channel)
    if not status.version:
        raise RefusedError(
            f"channel {channel} of {family} points at nothing: promote a version to it first, or name one"
        )
    return status.version
