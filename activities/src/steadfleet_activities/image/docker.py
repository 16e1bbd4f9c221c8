"""Golden images as OCI images: built in the worker's own engine, and pushed to registries."""

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from python_on_whales import DockerClient, Image
from python_on_whales.exceptions import NoSuchContainer, NoSuchImage

from steadfleet_activities.image import tags
from steadfleet_activities.image.names import OURS, WHOLE, name_of, released_as
from steadfleet_activities.image.oci import Manifest, Registries, Repository, passing_tag
from steadfleet_activities.image.platforms import ImagePlatform, Say, Site
from steadfleet_activities.objects import hex_of
from steadfleet_core.errors import RefusedError
from steadfleet_core.image.golden import BaseImage
from steadfleet_core.image.order import Base, Build, BuiltImage
from steadfleet_durable import unbroken
from steadfleet_ports.image import ImageBuild, ListedImage, Publication, PublishedCopy, Release

ENGINE = "docker"
"""The place where OCI images are built: the engine of the worker."""


class DockerImages(ImagePlatform):
    """What is known of an image lies in its labels, given by packer, and in its names, given by us.

    A label cannot be set later: so an image that is whole, and one that is released, has a name
    `steadfleet/<family>:…` that says so.
    """

    home = ENGINE

    def __init__(self, engine: DockerClient, registries: Registries, environment: Mapping[str, str]) -> None:
        self._engine = engine
        self._registries = registries
        self._environment = {name: said for name, said in environment.items() if name.startswith("DOCKER_")}

    async def resolve_base(self, base: BaseImage) -> Base:
        if base.reference is None:
            raise RefusedError(
                f"spec.build.base: {base} is no image of a Docker engine, and the template builds one: "
                "expected reference"
            )
        found = await unbroken(self._find, base.reference)
        if found is None:
            raise RefusedError(
                f"spec.build.base.reference: the worker's Docker engine has no image {base.reference}: pull "
                "it there, for what is pulled during a build is not what was resolved"
            )
        return Base(id=found.id, name=base.reference, digest=found.id)

    async def check(self, declared: frozenset[str], variables: Mapping[str, str]) -> None:
        """Nothing but the template itself can hinder it."""

    async def released(self, family: str, version: str, places: Sequence[str]) -> str | None:
        if await unbroken(self._find, name_of(family, version)):
            return f"{name_of(family, version)} in the worker's engine"
        for place in places:
            repository = Repository.of(place, family)
            if await unbroken(self._registries.manifest, repository, version):
                return f"{repository}:{version}"
        return None

    async def finished(self, build: Build) -> BuiltImage | None:
        for image in await unbroken(self._of_run, build.run):
            for name in image.repo_tags:
                if whole := WHOLE.fullmatch(name.removeprefix(name_of(build.family, ""))):
                    return _read(image.id, whole)
        return None

    @asynccontextmanager
    async def site(self, order: ImageBuild, scratch: Path) -> AsyncIterator[Site]:  # noqa: ARG002 - packer needs nothing of ours there
        yield Site({"expires_at": tags.written(order.build.expires_at)}, self._environment)

    async def keep(self, build: Build, built: BuiltImage) -> None:
        await unbroken(self._keep, build, built)

    def _keep(self, build: Build, built: BuiltImage) -> None:
        image = self._find(built.id)
        if image is None or (image.config.labels or {}).get(tags.RUN) != build.run:
            raise RefusedError(
                f"packer says that it built {built.id}, and the engine has no such image with the label "
                f"{tags.RUN}={build.run}: the template must commit it with that label, from the variable run"
            )
        self._engine.image.tag(image, name_of(build.family, _whole(build, built)))

    async def discard(self, build: Build, say: Say) -> None:
        say("removing containers and images")
        await unbroken(self._discard, build)

    def _discard(self, build: Build) -> None:
        images = self._of_run(build.run)
        kept = {image.id for image in images if self._is_released(image, build)}
        for container in self._engine.container.list(all=True, filters=[_labelled(build.run)]):
            with suppress(NoSuchContainer):
                # A container has its image's labels too: one of a released image is somebody's own.
                if container.image not in kept:
                    self._engine.container.remove(container, force=True, volumes=True)
        for image in images:
            if image.id not in kept:
                self._forget(image.id)

    def _is_released(self, image: Image, build: Build) -> bool:
        return name_of(build.family, build.version) in image.repo_tags

    async def publish(self, publication: Publication, token: str, say: Say) -> PublishedCopy:  # noqa: ARG002 - a push may be done twice
        place = publication.place.name
        if place == self.home:
            return PublishedCopy(place=place, id=publication.image.id)
        repository = Repository.of(place, publication.build.family)
        say(f"pushing to {repository}")
        manifest = await unbroken(self._pushed, publication, repository)
        return PublishedCopy(place=place, id=f"{repository}@{manifest.digest}")

    def _pushed(self, publication: Publication, repository: Repository) -> Manifest:
        reference = f"{repository}:{passing_tag(publication.build)}"
        self._engine.image.tag(publication.image.id, reference)
        try:
            self._engine.image.push(reference, quiet=True)
        finally:
            self._forget(reference)
        found = self._registries.manifest(repository, passing_tag(publication.build))
        if found is None:
            raise RefusedError(f"{reference} was pushed, and the registry does not have it: look at its log")
        return found

    async def withdraw(self, publication: Publication) -> None:
        if publication.place.name != self.home:
            await unbroken(self._withdraw, publication)

    def _withdraw(self, publication: Publication) -> None:
        repository = Repository.of(publication.place.name, publication.build.family)
        found = self._registries.manifest(repository, passing_tag(publication.build))
        if found is not None:
            self._registries.delete(repository, found.digest)

    async def release(self, release: Release) -> None:
        await unbroken(self._release, release)

    def _release(self, release: Release) -> None:
        build, place = release.publication.build, release.publication.place.name
        if place == self.home:
            self._release_here(build, release.copy_id)
            return
        repository = Repository.of(place, build.family)
        manifest = self._registries.manifest(repository, release.copy_id.rpartition("@")[2])
        if manifest is None:
            raise RefusedError(f"{release.copy_id} is gone: expected the copy of run {build.run}")
        there = self._registries.manifest(repository, build.version)
        _refuse_other(f"{repository}:{build.version}", there.digest if there else None, manifest.digest)
        if there is None:
            self._registries.tag(repository, manifest, build.version)

    def _release_here(self, build: Build, image_id: str) -> None:
        name = name_of(build.family, build.version)
        there = self._find(name)
        _refuse_other(name, there.id if there else None, image_id)
        self._engine.image.tag(image_id, name)

    async def listed(self, family: str) -> list[ListedImage]:
        return await unbroken(self._listed, family)

    def _listed(self, family: str) -> list[ListedImage]:
        images = self._engine.image.list(f"{OURS}{family}*" if family else f"{OURS}*")
        found = []
        for image in images:
            for name in image.repo_tags:
                of, version = released_as(name) or ("", "")
                if of and family in {"", of}:
                    found.append(
                        ListedImage(
                            family=of, version=version, place=ENGINE, id=image.id, created_at=image.created
                        )
                    )
        return found

    def _find(self, reference: str) -> Image | None:
        try:
            return self._engine.image.inspect(reference)
        except NoSuchImage:
            return None

    def _of_run(self, run: str) -> list[Image]:
        return self._engine.image.list(all=True, filters=[_labelled(run)])

    def _forget(self, reference: str) -> None:
        with suppress(NoSuchImage):
            self._engine.image.remove(reference, force=True)


def _labelled(run: str) -> tuple[Literal["label"], str]:
    return "label", f"{tags.RUN}={run}"


def _tail(build: Build) -> str:
    return build.run.rsplit("-", 1)[-1]


def _whole(build: Build, built: BuiltImage) -> str:
    # With the run's own part: an engine takes a name away from the image that had it.
    log = hex_of(built.log) if built.log else "none"
    return f"built-{_tail(build)}-{built.started_at.timestamp():.0f}-{built.ended_at.timestamp():.0f}-{log}"


def _read(image_id: str, whole: re.Match[str]) -> BuiltImage:
    return BuiltImage(
        id=image_id,
        log=None if whole["log"] == "none" else f"sha256:{whole['log']}",
        started_at=datetime.fromtimestamp(int(whole["began"]), UTC),
        ended_at=datetime.fromtimestamp(int(whole["ended"]), UTC),
    )


def _refuse_other(name: str, there: str | None, ours: str) -> None:
    if there not in {None, ours}:
        raise RefusedError(
            f"{name} is {there} already, expected nothing or {ours}: a version names one image for ever; "
            "release this one under another version"
        )
