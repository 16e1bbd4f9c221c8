"""A Docker engine, in which each test has names and labels of its own."""

import io
import os
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from python_on_whales import DockerClient
from python_on_whales.exceptions import DockerException

from fakes.registry import FakeRegistry
from steadfleet_activities.image import tags
from steadfleet_activities.image.docker import ENGINE, DockerImages
from steadfleet_activities.image.oci import Registries
from steadfleet_core.image.golden import BuildSpec, Publish, Region
from steadfleet_core.image.order import Base, Build, BuiltImage, Platform
from steadfleet_core.model import digest_of
from steadfleet_ports.image import ImageBuild, Publication, Release

BEGAN = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture
def engine() -> DockerClient:
    engine = DockerClient()
    try:
        engine.container.list()
    except DockerException as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"needs a Docker engine: {error.stderr}")
    return engine


@dataclass
class EngineBench:
    """The platform part of the adapter, and what tests ask of it; its family is this test's alone."""

    engine: DockerClient
    scratch: Path
    family: str = field(default_factory=lambda: f"test-{uuid4().hex[:12]}")
    said: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        environment = {"HOME": str(self.scratch), "DOCKER_HOST": "unix:///var/run/docker.sock", "TOKEN": "x"}
        self.platform = DockerImages(self.engine, Registries(environment), environment)

    def build(self, run: str = "a", version: str = "1.4.2") -> Build:
        return Build(
            family=self.family,
            version=version,
            run=f"image-{self.family}-{version}-{run}",
            platform=Platform.DOCKER,
            region=ENGINE,
            sources=digest_of(b"sources"),
            template="web.pkr.hcl",
            base=Base(id="sha256:0"),
            key=digest_of(b"key"),
            packer_version="1.6.6",
            expires_at=BEGAN + timedelta(hours=8),
        )

    def order(self, build: Build) -> ImageBuild:
        spec = {"template": "web.pkr.hcl", "base": {"reference": "base"}}
        return ImageBuild(build=build, spec=BuildSpec.model_validate(spec))

    def image_of(self, build: Build) -> BuiltImage:
        """Stand in for packer: an image with the run's label, and no name."""
        archive = self.scratch / "root.tar"
        with tarfile.open(archive, "w") as tar:
            tar.addfile(tarfile.TarInfo("hello"), io.BytesIO())
        image = self.engine.image.import_(
            archive, changes=[f"LABEL {tags.RUN}={build.run} test={self.family}", "CMD true"]
        )
        return BuiltImage(
            id=image.id, log=digest_of(b"log"), started_at=BEGAN, ended_at=BEGAN + timedelta(minutes=3)
        )

    async def kept(self, build: Build) -> BuiltImage:
        built = self.image_of(build)
        await self.platform.keep(build, built)
        return built

    def publication(self, build: Build, built: BuiltImage, place: str) -> Publication:
        return Publication(build=build, image=built, place=Region(name=place), publish=Publish())

    def to_release(self, publication: Publication, copy: str) -> Release:
        return Release(publication=publication, copy_id=copy, order=digest_of(b"order"))

    def say(self, what: str) -> None:
        self.said.append(what)

    def shape(self) -> dict[str, Any]:
        """Describe all of this test's in the engine."""
        images = self.engine.image.list(all=True, filters=[("label", f"test={self.family}")])
        containers = self.engine.container.list(all=True, filters=[("label", f"test={self.family}")])
        return {"images": {one.id: sorted(one.repo_tags) for one in images}, "containers": len(containers)}


@pytest.fixture
def bench(engine: DockerClient, tmp_path: Path) -> Iterator[EngineBench]:
    bench = EngineBench(engine, tmp_path)
    try:
        yield bench
    finally:
        for container in engine.container.list(all=True, filters=[("label", f"test={bench.family}")]):
            engine.container.remove(container, force=True)
        for image in engine.image.list(all=True, filters=[("label", f"test={bench.family}")]):
            engine.image.remove(image.id, force=True)


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    with FakeRegistry.running() as registry:
        yield registry
