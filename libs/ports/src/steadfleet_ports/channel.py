"""How a build and the command line reach a family's channel."""

from abc import ABC, abstractmethod

from temporalio import activity

from steadfleet_core.image.channel import Promotion, PromotionReceipt
from steadfleet_core.image.golden import Channel

CHANNEL_WORKFLOW = "ImageChannel"
"""The entity workflow's type; its id is `channel/<family>/<channel>`."""


def channel_id(family: str, channel: Channel) -> str:
    return f"channel/{family}/{channel}"


class Channels(ABC):
    """Moves channels. A promotion that is refused is an answer, not an error."""

    @activity.defn
    @abstractmethod
    async def promote_image(self, promotion: Promotion) -> PromotionReceipt: ...
