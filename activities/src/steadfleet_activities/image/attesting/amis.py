"""AMIs, measured in their own region."""

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from steadfleet_activities.fleet.errors import code_of
from steadfleet_activities.image import tags
from steadfleet_activities.image.amis import Amis, read_tags
from steadfleet_activities.image.attesting.artifacts import (
    Artifacts,
    Measured,
    named,
    refuse_released,
    subject,
)
from steadfleet_activities.image.attesting.content import content_of
from steadfleet_activities.image.clients import AwsRegions
from steadfleet_activities.image.platforms import Say
from steadfleet_core.errors import RefusedError
from steadfleet_core.image.order import Build
from steadfleet_durable import unbroken
from steadfleet_ports.image import ImageReference, Publication, PublishedCopy
from steadfleet_signing.ami import describe

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import ImageTypeDef

_UNKNOWN = frozenset({"InvalidAMIID.NotFound", "InvalidAMIID.Malformed", "InvalidAMIID.Unavailable"})


class AmiArtifacts(Artifacts):
    """Reads EC2 and EBS, and changes nothing. A reference without a place means the home region."""

    def __init__(self, regions: AwsRegions) -> None:
        self._regions = regions

    async def resolve(self, reference: ImageReference) -> PublishedCopy:
        named(reference)
        place = reference.place or self._regions.home
        image_id = reference.id or await unbroken(self._released, reference, place)
        return PublishedCopy(place=place, id=image_id)

    async def copies_of(self, publication: Publication) -> list[PublishedCopy]:
        build, place = publication.build, publication.place.name
        found = await unbroken(Amis(self._regions.at(place)).of_run, build.run, build.image_name)
        for ami in found:
            if ami.released:
                refuse_released(PublishedCopy(place=place, id=ami.id), build)
        return [PublishedCopy(place=place, id=ami.id) for ami in found]

    async def require_run(self, copy: PublishedCopy, build: Build) -> None:
        found = read_tags(await unbroken(self._described, copy))
        wanted = {tags.RUN: build.run, tags.KEY: build.key}
        wrong = [
            f"{key} is {found.get(key, '(none)')}, expected {value}"
            for key, value in wanted.items()
            if found.get(key) != value
        ]
        if wrong:
            raise RefusedError(
                f"image {copy.id} in {copy.place} is not tagged as this run's: {'; '.join(wrong)}; "
                "nothing is signed for it"
            )

    async def measure(self, copy: PublishedCopy, say: Say, *, deep: bool) -> Measured:
        descriptor = describe(await unbroken(self._described, copy), copy.place)
        fixed = subject(descriptor.arn, descriptor.digest)
        if not deep:
            return Measured((fixed,))
        content = await content_of(self._regions.ebs_at(copy.place), descriptor.disks, say)
        snapshots = ",".join(disk.snapshot for disk in descriptor.disks)
        return Measured((fixed, subject(f"ebs-content:{snapshots}", content)), content)

    def _released(self, reference: ImageReference, place: str) -> str:
        wanted = {tags.FAMILY: reference.family, tags.VERSION: reference.version}
        found = Amis(self._regions.at(place)).tagged(wanted)
        if len(found) != 1:
            ids = ", ".join(sorted(ami.id for ami in found)) or "none"
            tagged = " and ".join(f"{key}={value}" for key, value in wanted.items())
            raise RefusedError(
                f"{named(reference)} in {place}: got {ids}, expected exactly one image tagged {tagged}; "
                "publish it there, or name the one that is meant by id"
            )
        return found[0].id

    def _described(self, copy: PublishedCopy) -> "ImageTypeDef":
        try:
            found = self._regions.at(copy.place).ec2.describe_images(ImageIds=[copy.id])["Images"]
        except ClientError as error:
            if code_of(error) not in _UNKNOWN:
                raise
            found = []
        if not found:
            raise RefusedError(
                f"there is no image {copy.id} in {copy.place}: expected one that this account may launch"
            )
        if found[0]["State"] != "available":
            raise RefusedError(f"image {copy.id} in {copy.place} is {found[0]['State']}, expected available")
        return found[0]
