"""What the tests of the image adapter stand on: two regions, an adapter, and orders to give."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from steadfleet_activities.image import tags
from steadfleet_activities.image.aws import AwsImages
from steadfleet_activities.image.clients import AwsRegions
from steadfleet_core.image.golden import BuildSpec, Channel, Publish, Region
from steadfleet_core.image.order import Base, Build, BuiltImage, Platform
from steadfleet_core.model import digest_of
from steadfleet_local_cloud import LocalCloud
from steadfleet_ports.image import ImageBuild, Publication, Release

CONTENT = Path(__file__).parents[4] / "examples" / "web" / "good-1.0"
HOME: Final = "eu-west-1"
AWAY: Final = "us-east-1"
RUN = "image-web-1.4.2-019a0000-0000-7000-8000-00000000000a"
OTHER_RUN = "image-web-1.4.2-019a0000-0000-7000-8000-00000000000b"
BUCKET = "steadfleet-plans"
BEGAN = datetime(2026, 11, 21, 12, tzinfo=UTC)


@dataclass
class Workbench:
    """A local cloud of two regions, and the platform part of the adapter that serves it."""

    cloud: LocalCloud
    channels: dict[tuple[str, Channel], str] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.regions = AwsRegions(**self.cloud.client_settings)
        self.make_bucket(BUCKET)
        self.platform = self.make()

    def make(self, **options: Any) -> AwsImages:
        given: dict[str, Any] = {"environment": {}, "places": [AWAY], **options}
        return AwsImages(self.regions, self._channel_version, **given)

    async def _channel_version(self, family: str, channel: Channel) -> str:
        return self.channels.get((family, channel), "")

    def make_bucket(self, name: str) -> None:
        self.regions.s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": HOME})

    def say(self, what: str) -> None:
        self.said.append(what)

    def build(self, run: str = RUN, version: str = "1.4.2") -> Build:
        return Build(
            family="web",
            version=version,
            run=run,
            platform=Platform.AWS,
            region=HOME,
            sources=digest_of(b"sources"),
            template="web.pkr.hcl",
            base=Base(id="ami-0123456789abcdef0"),
            key=digest_of(b"key"),
            packer_version="1.6.6",
            expires_at=BEGAN + timedelta(hours=8),
        )

    def order(self, build: Build | None = None, **variables: str) -> ImageBuild:
        spec = BuildSpec.model_validate(
            {"template": "web.pkr.hcl", "base": {"name": "base"}, "variables": variables}
        )
        return ImageBuild(build=build or self.build(), spec=spec)

    def image_of(self, build: Build, given: dict[str, str] | None = None) -> BuiltImage:
        """Stand in for packer: an image as it leaves one."""
        marks = tags.temporary(build) if given is None else given
        return self.built(self.cloud.register_image(build.image_name, CONTENT, marks))

    def built(self, image: str) -> BuiltImage:
        return BuiltImage(
            id=image, log=digest_of(b"log"), started_at=BEGAN, ended_at=BEGAN + timedelta(minutes=3)
        )

    def publication(self, built: BuiltImage, place: str = AWAY, **publish: Any) -> Publication:
        return Publication(
            build=publish.pop("build", self.build()),
            image=built,
            place=Region(name=place, kms_key=publish.pop("kms_key", None)),
            publish=Publish.model_validate(publish),
        )

    def to_release(self, publication: Publication, copy: str) -> Release:
        return Release(publication=publication, copy_id=copy, order=digest_of(b"order"))

    def images(self, region: str) -> list[dict[str, Any]]:
        return [one for one in self.cloud.inventory()["images"] if one["region"] == region]

    def image(self, image: str) -> dict[str, Any]:
        (found,) = [one for one in self.cloud.inventory()["images"] if one["id"] == image]
        return found

    def snapshot_of(self, image: str) -> dict[str, Any]:
        snapshot = self.image(image)["snapshot"]
        (found,) = [one for one in self.cloud.inventory()["snapshots"] if one["id"] == snapshot]
        return found
