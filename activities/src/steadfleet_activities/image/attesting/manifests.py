"""OCI images, measured at their registry."""

import json
from typing import Any

from steadfleet_activities.image.attesting.artifacts import (
    Artifacts,
    Measured,
    named,
    refuse_released,
    subject,
)
from steadfleet_activities.image.oci import Manifest, Registries, Repository, passing_tag
from steadfleet_activities.image.platforms import Say
from steadfleet_core.errors import RefusedError
from steadfleet_core.image.order import Build
from steadfleet_core.model import Digest
from steadfleet_durable import unbroken
from steadfleet_ports.image import ImageReference, Publication, PublishedCopy
from steadfleet_signing.statement import Subject

MOST_PLATFORMS = 100


class OciArtifacts(Artifacts):
    """Fetches manifests by digest, and believes what has that digest. Layers are named by theirs."""

    def __init__(self, registries: Registries) -> None:
        self._registries = registries

    async def resolve(self, reference: ImageReference) -> PublishedCopy:
        name = named(reference)
        if reference.id:
            repository, digest = located(reference.id)
            return PublishedCopy(place=reference.place or repository.host, id=f"{repository}@{digest}")
        if not reference.place:
            raise RefusedError(
                f"{name} has a copy of its own at each registry: expected which one is meant, by --place and "
                "what the contract calls it, such as registry.example.com/golden"
            )
        repository = Repository.of(reference.place, reference.family)
        found = await unbroken(self._registries.manifest, repository, reference.version)
        if found is None:
            raise RefusedError(
                f"there is no {name} at {reference.place}: expected {repository}:{reference.version}"
            )
        return PublishedCopy(place=reference.place, id=f"{repository}@{found.digest}")

    async def copies_of(self, publication: Publication) -> list[PublishedCopy]:
        place, build = publication.place.name, publication.build
        if place == build.region:  # an image of the engine, which nothing was ever signed for
            return []
        repository = Repository.of(place, build.family)
        found = await unbroken(self._registries.manifest, repository, passing_tag(build))
        if found is None:
            return []
        copy = PublishedCopy(place=place, id=f"{repository}@{found.digest}")
        released = await unbroken(self._registries.manifest, repository, build.version)
        if released is not None and released.digest == found.digest:
            refuse_released(copy, build)
        return [copy]

    async def require_run(self, copy: PublishedCopy, build: Build) -> None:
        repository, digest = located(copy.id)
        found = await unbroken(self._registries.manifest, repository, passing_tag(build))
        if found is None or found.digest != digest:
            there = found.digest if found else "not there"
            raise RefusedError(
                f"{repository}:{passing_tag(build)} is {there}, expected {digest}: nothing is signed that is "
                "not this run's"
            )

    async def measure(self, copy: PublishedCopy, say: Say, *, deep: bool) -> Measured:
        repository, digest = located(copy.id)
        say("fetching the manifest")
        manifest = await unbroken(self._fetched, repository, digest)
        subjects = [subject(str(repository), digest)]
        if deep:
            platforms = _platforms(manifest)
            for number, one in enumerate(platforms, start=1):
                say(f"manifest {number} of {len(platforms)}")
                await unbroken(self._fetched, repository, one)
                subjects.append(subject(str(repository), one))
        return Measured(_once(subjects), digest)

    def _fetched(self, repository: Repository, digest: Digest) -> Manifest:
        manifest = self._registries.manifest(repository, digest)
        if manifest is None:
            raise RefusedError(f"there is no {repository}@{digest}: expected an image at this registry")
        if manifest.digest != digest:
            raise RefusedError(
                f"{repository}@{digest}: the registry answers with {manifest.digest}: it is damaged, or lies"
            )
        return manifest


def located(copy_id: str) -> tuple[Repository, Digest]:
    """Read `registry.example.com/golden/web@sha256:…`."""
    where, _, digest = copy_id.partition("@")
    host, _, name = where.partition("/")
    path, _, family = name.rpartition("/")
    if not family or len(digest) != len("sha256:") + 64 or not digest.startswith("sha256:"):
        raise RefusedError(
            f"{copy_id} names no image at a registry: expected a registry, a name and a digest, such as "
            "registry.example.com/golden/web@sha256:…; an image that only an engine has cannot be signed: "
            "publish it to a registry, or set spec.gates.signature to false"
        )
    return Repository.of(f"{host}/{path}", family), digest


def _platforms(manifest: Manifest) -> list[Digest]:
    """Return the digests of an index's manifests; none for a plain manifest."""
    try:
        content: Any = json.loads(manifest.content)
        listed = [str(one["digest"]) for one in content.get("manifests", [])]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RefusedError(f"manifest {manifest.digest} cannot be read: expected an OCI manifest") from error
    if len(listed) > MOST_PLATFORMS:
        raise RefusedError(
            f"index {manifest.digest} has {len(listed)} manifests: expected at most {MOST_PLATFORMS}"
        )
    return listed


def _once(subjects: list[Subject]) -> tuple[Subject, ...]:
    return tuple({one.digest["sha256"]: one for one in subjects}.values())
