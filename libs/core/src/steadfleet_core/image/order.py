"""What starts a build, and what it is resolved to."""

from datetime import datetime
from enum import StrEnum

from pydantic import Field

from steadfleet_core.image.golden import GoldenImage
from steadfleet_core.model import Digest, Model, canonical, digest_of

MOST_SOURCES = 1_000_000
"""Bytes of packed sources: they travel in one payload, which may have 2 MB."""


def workflow_id(family: str, version: str) -> str:
    return f"image/{family}/{version}"


class Platform(StrEnum):
    """What kind of image packer's builder makes: an AMI, or an OCI image."""

    AWS = "aws"
    DOCKER = "docker"


class ImageOrder(Model):
    """What starts a build.

    `sources` is the canonical tar.gz, in base64, of the files that the contract names.
    """

    image: GoldenImage
    sources: str
    requested_by: str = Field(min_length=1)
    search_attributes: bool = True

    @property
    def digest(self) -> Digest:
        """Identify what was asked, whoever asked it: the same inputs attach to the same build."""
        return digest_of(canonical(self.image) + b"\n" + self.sources.encode())

    @property
    def workflow_id(self) -> str:
        return workflow_id(self.image.family, self.image.version)


class Base(Model):
    """The exact image that is built upon; `digest` is of its content where the platform tells it."""

    id: str
    name: str = ""
    digest: Digest | None = None


class Build(Model):
    """An order, resolved: nothing in it floats.

    `run` names and tags everything that is made on the way; `expires_at` is when that may be swept.
    `key` is the digest of all inputs: the sources, the variables, the base, the builder.
    """

    family: str
    version: str
    run: str
    platform: Platform
    region: str
    sources: Digest
    template: str
    base: Base
    key: Digest
    packer_version: str
    expires_at: datetime

    @property
    def image_name(self) -> str:
        """Name the image at its platform; what exists under this name was made by this run."""
        return f"{self.family}-{self.version}-{self.run.rsplit('-', 1)[-1]}"


class BuiltImage(Model):
    """What packer left: an AMI in the build's region, or an image of the engine. `log` is by digest."""

    id: str
    log: Digest | None = None
    started_at: datetime
    ended_at: datetime
    warnings: tuple[str, ...] = ()
