"""A local cloud whose machines packer can log in to, and the whole adapter as a worker has it."""

import asyncio
import base64
import os
import shutil
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import pytest
from integration.image.packer.conftest import busybox
from temporalio.testing import ActivityEnvironment

from steadfleet_activities.image.clients import AwsRegions
from steadfleet_activities.image.images import PlatformImages
from steadfleet_core.image.golden import GoldenImage
from steadfleet_core.image.order import Build, BuiltImage, ImageOrder
from steadfleet_core.image.sources import pack
from steadfleet_local_cloud import LocalCloud
from steadfleet_local_cloud.errors import BaseImageError, EngineError
from steadfleet_ports.image import BuildPreparation, ImageBuild

TEMPLATES = Path(__file__).parent
BUCKET = "steadfleet-plans"

__all__ = ["busybox"]  # a fixture of theirs


def missing(what: str) -> None:
    """Skip for what this machine lacks; in CI nothing may be lacking."""
    if os.environ.get("CI"):
        pytest.fail(f"missing: {what}")
    pytest.skip(f"needs {what}")


@pytest.fixture
def cloud() -> Iterator[LocalCloud]:
    if shutil.which("packer") is None:
        missing("packer")
    try:
        cloud = LocalCloud(machines="docker")
    except (EngineError, BaseImageError) as error:
        missing(f"a Docker engine and the base image ({error})")
    with cloud:
        yield cloud


@dataclass
class Yard:
    """The adapter of one worker, and orders to give; everything goes through its activities."""

    cloud: LocalCloud
    scratch: Path
    template: Path = TEMPLATES / "template"
    base: dict[str, str] = field(default_factory=lambda: {"name": "debian-*-base"})
    run: str = field(default_factory=lambda: f"image-web-1.4.2-{uuid4()}")
    steps: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        settings = self.cloud.client_settings
        environment = {
            "AWS_REGION": self.cloud.region,
            "AWS_ENDPOINT_URL": self.cloud.endpoint,
            "AWS_ACCESS_KEY_ID": settings["aws_access_key_id"],
            "AWS_SECRET_ACCESS_KEY": settings["aws_secret_access_key"],
            "PATH": os.environ["PATH"],
        }
        self.images = PlatformImages.from_environment(environment)
        self.images._builds._scratch = self.scratch
        self.aws = AwsRegions(**settings)
        self.aws.s3.create_bucket(
            Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
        )

    def order(self, **variables: str) -> ImageOrder:
        contract = {
            "apiVersion": "steadfleet.dev/v1",
            "kind": "GoldenImage",
            "metadata": {"name": "web"},
            "spec": {
                "version": "1.4.2",
                "build": {
                    "template": "web.pkr.hcl",
                    "files": ["setup.sh"],
                    "base": self.base,
                    "variables": variables,
                    "timeLimit": "5m",
                },
                "gates": {"signature": False, "provenance": False},
            },
        }
        image = GoldenImage.model_validate(contract)
        sources = base64.b64encode(pack(self.template, image.files)).decode()
        return ImageOrder(image=image, sources=sources, requested_by="ops")

    async def prepared(self, **variables: str) -> ImageBuild:
        order = self.order(**variables)
        preparation = BuildPreparation(
            order=order, run=self.run, expires_at=datetime(2026, 11, 21, 20, tzinfo=UTC) + timedelta(hours=1)
        )
        build: Build = await ActivityEnvironment().run(self.images.prepare_build, preparation)
        return ImageBuild(build=build, spec=order.image.spec.build)

    async def build(self, build: ImageBuild, environment: ActivityEnvironment | None = None) -> BuiltImage:
        environment = environment or ActivityEnvironment()
        told = environment.on_heartbeat

        def note(*details: Any) -> None:
            if details:
                self.steps.append(str(details[0]))
            told(*details)

        environment.on_heartbeat = note
        return await environment.run(self.images.build_image, build)

    async def discard(self, build: ImageBuild) -> None:
        await ActivityEnvironment().run(self.images.discard_build, build)

    async def until_said(self, words: str, building: asyncio.Task[Any]) -> None:
        """Wait until packer's output is shown as the step; end at once when the build does."""
        async with asyncio.timeout(120):
            while not any(words in step for step in self.steps) and not building.done():  # noqa: ASYNC110 - heartbeats come by themselves
                await asyncio.sleep(0.05)
        if building.done():
            await building

    def inventory(self) -> dict[str, Any]:
        """List all that exists; what is stored by digest stays."""
        found: dict[str, Any] = dict(self.cloud.inventory())
        return {kind: items for kind, items in found.items() if kind not in {"buckets", "objects", "content"}}

    def kill_packer(self) -> None:
        """End packer's process group as nothing can be prevented from: known by the folder it runs in."""
        groups = {
            os.getpgid(pid)
            for pid in (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
            if self._is_packer(pid)
        }
        assert groups, "packer does not run"
        for group in groups:
            os.killpg(group, signal.SIGKILL)

    def _is_packer(self, pid: int) -> bool:
        try:
            program = Path(f"/proc/{pid}/exe").readlink().name
            environment = Path(f"/proc/{pid}/environ").read_bytes()
        except OSError:
            return False
        return program == "packer" and f"HOME={self.scratch}".encode() in environment


@pytest.fixture
def yard(cloud: LocalCloud) -> Iterator[Yard]:
    # pytest's own folder has a path too long for packer's sockets.
    with TemporaryDirectory(prefix="yard-") as folder:
        yield Yard(cloud, Path(folder))
