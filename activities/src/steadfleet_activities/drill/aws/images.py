"""The exact image that a service is started from, held against the trust policy."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from temporalio import activity

from steadfleet_activities.drill.aws.clients import DrillAws
from steadfleet_activities.fleet.images import Images
from steadfleet_activities.fleet.trust import Verifier
from steadfleet_activities.image.channels import channel_version
from steadfleet_core.campaign.policy import ImageSpec
from steadfleet_core.drill.plan import DrillImage
from steadfleet_core.errors import RefusedError
from steadfleet_core.image.golden import Channel
from steadfleet_core.model import Digest
from steadfleet_durable import unbroken
from steadfleet_ports.image import ImageReference, ImageVerification

ChannelVersion = Callable[[str, Channel], Awaitable[str]]
_UNVERIFIED = "nothing verifies images here"


@dataclass(frozen=True)
class Trusted:
    """An image that may be used here; `warnings` are what an environment that only warns has to say."""

    id: str
    content: Digest | None = None
    warnings: tuple[str, ...] = ()


async def asked_channel(family: str, channel: Channel) -> str:
    """Ask through the worker's own connection."""
    return await channel_version(activity.client(), family, channel)


class DrillImages:
    """Finds images in the recovery region. Without a verifier nothing is proven of any image."""

    def __init__(self, verifier: Verifier | None, channels: ChannelVersion = asked_channel) -> None:
        self._verifier = verifier
        self._channels = channels

    async def resolve(self, aws: DrillAws, wanted: DrillImage) -> str:
        """Return the id. Raises `RefusedError` where it is not there, or not available."""
        version: str | None = wanted.version
        if wanted.family is not None and wanted.channel is not None:
            version = await self._channels(wanted.family, wanted.channel)
        spec = ImageSpec(id=wanted.id, family=wanted.family, version=version)
        return (await unbroken(Images(aws).resolve, spec)).id

    async def trusted(self, aws: DrillAws, image_id: str) -> Trusted:
        """Verify it; raises `RefusedError` with the policy's reasons where it may not be used."""
        if self._verifier is None:
            return Trusted(image_id, warnings=(f"image {image_id}: {_UNVERIFIED}",))
        reference = ImageReference(place=aws.region, id=image_id)
        decision = await self._verifier.verify_image(ImageVerification(image=reference))
        if not decision.allowed:
            reasons = "; ".join(decision.reasons)
            raise RefusedError(f"image {image_id} in {aws.region} may not be used: {reasons}")
        warnings = tuple(f"image {image_id}: {reason}" for reason in decision.reasons)
        return Trusted(image_id, decision.content, warnings)
