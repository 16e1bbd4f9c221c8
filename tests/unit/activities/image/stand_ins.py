"""A platform, a bucket and a packer that are not there, and orders to give."""

import base64
import io
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from steadfleet_activities.image.packer.output import Event, Outcome
from steadfleet_activities.image.packer.process import End, Result
from steadfleet_activities.image.packer.versions import Packer
from steadfleet_activities.image.platforms import ImagePlatform, Say, Site
from steadfleet_core.errors import RefusedError
from steadfleet_core.image.golden import BaseImage, GoldenImage
from steadfleet_core.image.order import Base, Build, BuiltImage, ImageOrder, Platform
from steadfleet_core.image.sources import pack
from steadfleet_core.model import digest_of
from steadfleet_ports.image import (
    BuildPreparation,
    ImageBuild,
    ListedImage,
    Publication,
    PublishedCopy,
    Release,
)

RUN = "image-web-1.4.2-019a0000-0000-7000-8000-00000000000a"
EXPIRES_AT = datetime(2026, 11, 21, 20, tzinfo=UTC)
PACKER = Packer(path="/usr/bin/packer", version=(1, 6, 6))

# As little as a template of Docker's may have.
TEMPLATE = """
variable "image_name" {
  type = string
}
variable "base_image" {
  type = string
}
variable "run" {
  type = string
}
variable "greeting" {
  type    = string
  default = "hello"
}
variable "colour" {
  type    = string
  default = "red"
}
source "docker" "web" {
  image       = var.base_image
  commit      = true
  pull        = false
  run_command = ["-d", "-i", "-t", "--label", "steadfleet:run=${var.run}", "--", "{{.Image}}"]
}
build {
  sources = ["source.docker.web"]
}
"""


async def find_packer() -> Packer:
    return PACKER


@dataclass
class FakeS3:
    """One bucket in memory, with S3's conditional writes; `missing` stands for a bucket that is not there."""

    objects: dict[str, bytes] = field(default_factory=dict)
    missing: bool = False
    writes: int = 0

    def put_object(self, *, Key: str, Body: bytes, IfNoneMatch: str, **_: str) -> None:  # noqa: N803 - S3's own
        self._look()
        assert IfNoneMatch == "*"
        if Key in self.objects:
            raise _client_error("PreconditionFailed", "PutObject")
        self.writes += 1
        self.objects[Key] = Body

    def get_object(self, *, Key: str, **_: str) -> dict[str, Any]:  # noqa: N803 - S3's own
        self._look()
        if Key not in self.objects:
            raise _client_error("NoSuchKey", "GetObject")
        return {"Body": io.BytesIO(self.objects[Key])}

    def _look(self) -> None:
        if self.missing:
            raise _client_error("NoSuchBucket", "GetObject")


def _client_error(code: str, operation: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "said S3"}}, operation)


@dataclass
class FakePlatform(ImagePlatform):
    """Knows one base, and records what is asked of it in order."""

    home: str = "docker"
    base: Base = field(default_factory=lambda: Base(id="sha256:base", digest=digest_of(b"base")))
    refused_base: str = ""
    refused_variables: str = ""
    released_as: str | None = None
    whole: BuiltImage | None = None
    done: list[str] = field(default_factory=list)
    given: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    listing: list[ListedImage] = field(default_factory=list)

    async def resolve_base(self, base: BaseImage) -> Base:
        if self.refused_base:
            raise RefusedError(self.refused_base)
        return self.base

    async def check(self, declared: frozenset[str], variables: Mapping[str, str]) -> None:
        if self.refused_variables:
            raise RefusedError(self.refused_variables)

    async def released(self, family: str, version: str, places: Sequence[str]) -> str | None:
        self.done.append(f"looked for {family}@{version} at {', '.join(places) or 'home'}")
        return self.released_as

    async def finished(self, build: Build) -> BuiltImage | None:
        return self.whole

    @asynccontextmanager
    async def site(self, order: ImageBuild, scratch: Path) -> AsyncIterator[Site]:
        self.done.append("opened")
        try:
            yield Site(self.given, self.environment)
        finally:
            self.done.append("closed")

    async def keep(self, build: Build, built: BuiltImage) -> None:
        self.done.append(f"kept {built.id}")

    async def discard(self, build: Build, say: Say) -> None:
        self.done.append("discarded")

    async def publish(self, publication: Publication, token: str, say: Say) -> PublishedCopy:
        self.done.append(f"published {token}")
        return PublishedCopy(place=publication.place.name, id="copy")

    async def withdraw(self, publication: Publication) -> None:
        self.done.append("withdrawn")

    async def release(self, release: Release) -> None:
        self.done.append("released")

    async def listed(self, family: str) -> list[ListedImage]:
        return self.listing


@dataclass
class FakePacker:
    """Stands for a run of packer: records how it was started, and ends as it is told to."""

    image: str = digest_of(b"image")
    end: End = End.ENDED
    exit_status: int = 0
    errors: tuple[str, ...] = ()
    aside: str = ""
    says: list[Event] = field(default_factory=list)
    during: Callable[[], Any] | None = None
    argv: list[str] = field(default_factory=list)
    env: dict[str, str] = field(default_factory=dict)
    variables: bytes = b""
    mode: int = 0
    sources: list[str] = field(default_factory=list)

    async def __call__(  # noqa: PLR0917 - as packer's own runner has them
        self,
        argv: Sequence[str],
        cwd: Path,
        env: Mapping[str, str],
        on_event: Callable[[Event], None],
        time_limit: timedelta,
        grace: timedelta,
        *,
        folder: Path,
    ) -> Result:
        self.argv, self.env = list(argv), dict(env)
        self._look(Path(argv[-2].removeprefix("-var-file=")), cwd)
        for event in self.says:
            on_event(event)
        if self.during:
            await self.during()
        log = _log(folder)
        made = Outcome(image_id=self.image or None, amis={}, errors=self.errors)
        return Result(end=self.end, exit_status=self.exit_status, outcome=made, log=log, aside=self.aside)

    def _look(self, variables: Path, cwd: Path) -> None:
        self.variables, self.mode = variables.read_bytes(), variables.stat().st_mode & 0o777
        self.sources = sorted(path.relative_to(cwd).as_posix() for path in cwd.rglob("*") if path.is_file())


def _log(folder: Path) -> Path:
    path = folder / "packer.log"
    path.write_text("what packer said")
    return path


def contract(**spec: Any) -> GoldenImage:
    """Write one for the Docker builder; `spec` replaces its parts."""
    spec = {"publish": {"registries": [{"name": "registry.example.com/golden"}]}} | spec
    build = {"template": "web.pkr.hcl", "base": {"reference": "debian:12"}} | spec.pop("build", {})
    return GoldenImage.model_validate(
        {
            "apiVersion": "steadfleet.dev/v1",
            "kind": "GoldenImage",
            "metadata": {"name": "web"},
            "spec": {"version": "1.4.2", "build": build, **spec},
        }
    )


def packed(folder: Path, template: str = TEMPLATE) -> str:
    folder.mkdir(exist_ok=True)
    (folder / "web.pkr.hcl").write_text(template)
    return base64.b64encode(pack(folder, ["."])).decode()


def preparation(image: GoldenImage, sources: str, run: str = RUN) -> BuildPreparation:
    order = ImageOrder(image=image, sources=sources, requested_by="ops")
    return BuildPreparation(order=order, run=run, expires_at=EXPIRES_AT)


def build_of(**changed: Any) -> Build:
    facts: dict[str, Any] = {
        "family": "web",
        "version": "1.4.2",
        "run": RUN,
        "platform": Platform.DOCKER,
        "region": "docker",
        "sources": digest_of(b"sources"),
        "template": "web.pkr.hcl",
        "base": Base(id="sha256:base"),
        "key": digest_of(b"key"),
        "packer_version": "1.6.6",
        "expires_at": EXPIRES_AT,
    }
    return Build(**(facts | changed))
