"""Which exact AMI a build stands on."""

from collections.abc import Awaitable, Callable

from steadfleet_activities.image import tags
from steadfleet_activities.image.amis import Ami, Amis
from steadfleet_core.errors import RefusedError
from steadfleet_core.image.golden import BaseImage, Channel
from steadfleet_core.image.order import Base
from steadfleet_durable import unbroken

ChannelVersion = Callable[[str, Channel], Awaitable[str]]
"""Say at which version of a family its channel points; empty for none."""

_WHERE = "spec.build.base"


class Bases:
    """The images of the home region."""

    def __init__(self, amis: Amis, channel_version: ChannelVersion) -> None:
        self._amis = amis
        self._channel_version = channel_version

    async def resolve(self, base: BaseImage) -> Base:
        """Find the one available image that is meant, or refuse in words."""
        if base.reference is not None:
            raise RefusedError(
                f"{_WHERE}.reference: {base.reference} names an image of a Docker engine, and the template "
                "builds an AMI: expected id, name or family"
            )
        found = await self._meant(base)
        if found.state != "available":
            raise RefusedError(
                f"{_WHERE}: image {found.id} is {found.state}, expected available: wait until it is, or "
                "name another"
            )
        return Base(id=found.id, name=found.name)

    async def _meant(self, base: BaseImage) -> Ami:
        if base.family is not None:
            version = base.version or await self._at_channel(base.family, base.channel)
            return await unbroken(self._by_version, base.family, version)
        if base.id is not None:
            return await unbroken(self._by_id, base.id)
        return await unbroken(self._newest, base.name or "", base.owner)

    async def _at_channel(self, family: str, channel: Channel | None) -> str:
        version = await self._channel_version(family, channel) if channel else ""
        if not version:
            raise RefusedError(
                f"{_WHERE}: channel {channel} of {family} points at no version: promote one to it, or name "
                "a version"
            )
        return version

    def _by_id(self, image_id: str) -> Ami:
        found = self._amis.find(image_id)
        if found is None:
            raise RefusedError(
                f"{_WHERE}.id: there is no image {image_id} in {self._amis.region}: expected one that this "
                "account may launch; correct the id, or share the image with this account"
            )
        return found

    def _newest(self, name: str, owner: str | None) -> Ami:
        # Without an owner only our own: anyone may publish an image under any name.
        found = self._amis.named(name, owner)
        available = [ami for ami in found if ami.state == "available"]
        if not found:
            whose = f"owned by {owner}" if owner else "of this account's own"
            raise RefusedError(
                f"{_WHERE}.name: there is no image {name} {whose} in {self._amis.region}: correct the name, "
                "or say in owner whose it is"
            )
        return (available or found)[0]

    def _by_version(self, family: str, version: str) -> Ami:
        wanted = {tags.FAMILY: family, tags.VERSION: version}
        found = self._amis.tagged(wanted)
        if len(found) != 1:
            ids = ", ".join(sorted(ami.id for ami in found)) or "none"
            tagged = " and ".join(f"{key}={value}" for key, value in wanted.items())
            raise RefusedError(
                f"{_WHERE}: {family}@{version} in {self._amis.region}: got {ids}, expected exactly one image "
                f"tagged {tagged}; publish it there, or name the one that is meant by id"
            )
        return found[0]
