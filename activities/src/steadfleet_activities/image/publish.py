"""Bring a built AMI to another region, and take it away again."""

import hashlib
from typing import Any

from temporalio.exceptions import ApplicationError

from steadfleet_activities.fleet.errors import UNCLEAR
from steadfleet_activities.fleet.waiting import looked
from steadfleet_activities.image import tags
from steadfleet_activities.image.amis import Ami, Amis, specifications
from steadfleet_activities.image.clients import AwsRegions
from steadfleet_activities.image.platforms import Say
from steadfleet_core.errors import RefusedError
from steadfleet_core.model import format_duration
from steadfleet_durable import unbroken
from steadfleet_ports.image import Publication, PublishedCopy


class Copies:
    """The copies of one build in the regions that it is published to."""

    def __init__(self, regions: AwsRegions) -> None:
        self._regions = regions

    async def publish(self, publication: Publication, token: str, say: Say) -> PublishedCopy:
        """Find the copy, or ask for it, and wait until it can be launched. Nothing is shared yet."""
        place, built = publication.place.name, publication.image.id
        if place == publication.build.region:
            await unbroken(self._at_home, publication)
            return PublishedCopy(place=place, id=built)
        amis = Amis(self._regions.at(place))
        known = await unbroken(_copies, publication, amis)
        for failed in known:
            if failed.lost:
                await unbroken(amis.remove, failed, tags.temporary(publication.build))
        copy = next((one for one in known if not one.lost), None)
        if copy is None:
            say(f"asking {place} for a copy")
            copy = await unbroken(self._asked, publication, amis, token)
        await self._arrived(publication, amis, copy, say)
        return PublishedCopy(place=place, id=copy.id)

    def withdraw(self, publication: Publication) -> None:
        """Remove the copy and its snapshots. The build's own image goes with the build."""
        build, place = publication.build, publication.place.name
        if place == build.region:
            return
        amis = Amis(self._regions.at(place))
        for ami in _copies(publication, amis):
            amis.remove(ami, tags.temporary(build))
        # What an earlier try left behind when it had deregistered the image already.
        amis.delete_snapshots(amis.snapshots({f"tag:{tags.RUN}": [build.run]}))

    def _at_home(self, publication: Publication) -> None:
        region = publication.build.region
        found = Amis(self._regions.at(region)).find(publication.image.id)
        if found is None or found.state != "available":
            raise RefusedError(
                f"image {publication.image.id} in {region} is {found.state if found else 'gone'}, expected "
                "available, as it was built: find out who changed it, and start a new build"
            )

    def _asked(self, publication: Publication, amis: Amis, token: str) -> Ami:
        build, place = publication.build, publication.place
        regional = self._regions.at(place.name)
        try:
            answer = regional.creator.copy_image(
                Name=build.image_name,
                Description=_description(publication),
                SourceImageId=publication.image.id,
                SourceRegion=build.region,
                CopyImageTags=False,
                TagSpecifications=specifications(_identity(publication), "image", "snapshot"),
                # A copy that was withdrawn, or failed, must not be the answer to who asks again.
                ClientToken=hashlib.sha256(f"{token}\n{place.name}".encode()).hexdigest()[:64],
                **_encryption(place.kms_key),
            )
        except UNCLEAR:
            made = _copies(publication, amis)
            if not made:
                raise
            return made[0]
        return Ami(id=answer["ImageId"], name=build.image_name, state="pending", tags={})

    async def _arrived(self, publication: Publication, amis: Amis, asked: Ami, say: Say) -> None:
        def done(seen: Ami) -> bool:
            say(f"copy {seen.id} in {amis.region} is {seen.state}")
            return seen.lost or seen.state == "available"

        copy = await looked(done, publication.publish.copy_time_limit, _seen, amis, asked)
        _refuse_unfit(publication, copy, amis.region)
        # The call gave them already, where the platform knows how: a look makes sure.
        snapshots = await unbroken(amis.snapshots_of, copy)
        await unbroken(amis.tag, [copy.id, *snapshots], _identity(publication))


def _seen(amis: Amis, asked: Ami) -> Ami:
    # A copy that was just asked for may not be listed yet.
    return amis.find(asked.id) or asked


def _copies(publication: Publication, amis: Amis) -> list[Ami]:
    """Find what earlier tries asked for: by its tags, and by its name, which is single in a region."""
    build = publication.build
    mine = {tags.RUN: build.run, tags.SOURCE_IMAGE: publication.image.id}
    found = {ami.id: ami for ami in amis.tagged(mine)}
    for ami in amis.named(build.image_name):
        untagged = tags.RUN not in ami.tags and ami.description == _description(publication)
        if not untagged and not ami.is_of(build.run):
            raise RefusedError(
                f"image {ami.id} in {amis.region} is named {build.image_name} and is not of run {build.run}: "
                "deregister it, or find out whose it is"
            )
        found[ami.id] = ami
    return list(found.values())


def _identity(publication: Publication) -> dict[str, str]:
    built = publication.image.id
    return {**tags.temporary(publication.build), tags.SOURCE_IMAGE: built, tags.KEY: publication.build.key}


def _description(publication: Publication) -> str:
    build = publication.build
    return f"{build.family} {build.version}: copy of {publication.image.id} in {build.region}"


def _encryption(kms_key: str | None) -> dict[str, Any]:
    return {"Encrypted": True, "KmsKeyId": kms_key} if kms_key else {}


def _refuse_unfit(publication: Publication, copy: Ami, region: str) -> None:
    where = f"copy {copy.id} in {region}"
    if copy.lost:
        raise ApplicationError(
            f"{where} became {copy.state}: {copy.reason or 'no reason given'}", type="CopyFailedError"
        )
    if copy.state != "available":
        limit = format_duration(publication.publish.copy_time_limit)
        raise ApplicationError(f"{where} is {copy.state} after {limit}", type="CopyOverdueError")
    if publication.place.kms_key and copy.unencrypted:
        raise ApplicationError(
            f"{where} is not encrypted, though kmsKey asked for it",
            type="NotEncryptedError",
            non_retryable=True,
        )
