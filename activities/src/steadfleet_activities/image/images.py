"""Golden images: the parts joined, and the platform chosen."""

import os
import shutil
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Protocol, Self

from python_on_whales import DockerClient
from temporalio import activity

from steadfleet_activities.fleet.clients import SLOTS
from steadfleet_activities.image.aws import AwsImages
from steadfleet_activities.image.build import Builds
from steadfleet_activities.image.channels import channel_version
from steadfleet_activities.image.clients import AwsRegions
from steadfleet_activities.image.docker import DockerImages
from steadfleet_activities.image.documents import read_document
from steadfleet_activities.image.errors import at_the_edge
from steadfleet_activities.image.listing import BUNDLES
from steadfleet_activities.image.oci import Registries
from steadfleet_activities.image.packer.versions import find_packer
from steadfleet_activities.image.platforms import ImagePlatform
from steadfleet_activities.image.prepare import Preparations
from steadfleet_activities.image.store import BUCKET, ImageStore
from steadfleet_core.errors import NotBuiltError, RefusedError
from steadfleet_core.image.golden import Channel
from steadfleet_core.image.order import Build, BuiltImage, Platform
from steadfleet_core.image.report import Examination, GateReport
from steadfleet_durable import Heartbeat, unbroken
from steadfleet_ports.image import (
    BuildPreparation,
    Document,
    DocumentRequest,
    ImageBuild,
    ImageDecision,
    ImageExamination,
    ImageJudgement,
    ImageListing,
    ImageQuery,
    Images,
    ImageVerification,
    Publication,
    PublishedCopy,
    Release,
)

_ENGINE_SOCKET = "/var/run/docker.sock"


class Examiner(Protocol):
    """Tries an image on a fresh machine, and judges its packages."""

    async def examine_image(self, examination: ImageExamination) -> Examination: ...
    async def discard_machine(self, examination: ImageExamination) -> None: ...
    async def judge_image(self, judgement: ImageJudgement) -> GateReport: ...


class Verifier(Protocol):
    """Holds an image's attestations against the policy."""

    async def verify_image(self, verification: ImageVerification) -> ImageDecision: ...


class PlatformImages(Images):
    """Joins the parts; each method is one activity, whose story is in the part that it calls."""

    def __init__(
        self,
        platforms: Mapping[Platform, ImagePlatform],
        preparations: Preparations,
        builds: Builds,
        store: ImageStore,
        *,
        examiner: Examiner,
        verifier: Verifier,
    ) -> None:
        self._platforms = platforms
        self._store = store
        self._preparations = preparations
        self._builds = builds
        self._examiner = examiner
        self._verifier = verifier

    @classmethod
    def from_environment(
        cls,
        env: Mapping[str, str] | None = None,
        *,
        slots: int = SLOTS,
        examiner: Examiner | None = None,
        verifier: Verifier | None = None,
    ) -> Self:
        """Build it from AWS's own variables, Docker's, and ours.

        STEADFLEET_BUCKET, STEADFLEET_ATTESTATIONS_BUCKET; STEADFLEET_REGIONS, the regions to list
        images of; STEADFLEET_BUILD_CALLERS, the addresses (CIDR) from which this worker reaches the
        machines that it builds on, if not from inside their VPC; STEADFLEET_PACKER.
        """
        given = os.environ if env is None else env
        regions = AwsRegions.from_environment(given, slots=slots)
        store = ImageStore(regions.s3, given.get("STEADFLEET_BUCKET") or BUCKET)
        platforms = _platforms(regions, given)
        packer = partial(find_packer, given)
        missing = _NotJoined()
        return cls(
            platforms,
            Preparations(store, platforms, packer),
            Builds(store, packer),
            store,
            examiner=examiner or missing,
            verifier=verifier or missing,
        )

    @activity.defn
    async def prepare_build(self, preparation: BuildPreparation) -> Build:
        with at_the_edge(f"preparing {preparation.run}"):
            async with Heartbeat():
                return await self._preparations.prepare(preparation)

    @activity.defn
    async def build_image(self, build: ImageBuild) -> BuiltImage:
        with at_the_edge(f"building {build.build.image_name}"):
            async with Heartbeat() as beat:
                return await self._builds.build(self._at_home(build.build), build, beat.step)

    @activity.defn
    async def discard_build(self, build: ImageBuild) -> None:
        with at_the_edge(f"discarding {build.build.image_name}"):
            async with Heartbeat() as beat:
                await self._at_home(build.build).discard(build.build, beat.step)

    @activity.defn
    async def examine_image(self, examination: ImageExamination) -> Examination:
        with at_the_edge(f"trying {examination.build.image_name}"):
            return await self._examiner.examine_image(examination)

    @activity.defn
    async def discard_machine(self, examination: ImageExamination) -> None:
        with at_the_edge(f"taking down the machine of {examination.build.image_name}"):
            await self._examiner.discard_machine(examination)

    @activity.defn
    async def judge_image(self, judgement: ImageJudgement) -> GateReport:
        with at_the_edge(f"judging {judgement.build.image_name}"):
            return await self._examiner.judge_image(judgement)

    @activity.defn
    async def publish_image(self, publication: Publication) -> PublishedCopy:
        with at_the_edge(f"publishing to {publication.place.name}"):
            async with Heartbeat() as beat:
                platform = self._at_home(publication.build)
                return await platform.publish(publication, _this_try(), beat.step)

    @activity.defn
    async def withdraw_image(self, publication: Publication) -> None:
        with at_the_edge(f"withdrawing from {publication.place.name}"):
            await self._at_home(publication.build).withdraw(publication)

    @activity.defn
    async def release_image(self, release: Release) -> None:
        with at_the_edge(f"releasing {release.copy_id}"):
            await self._at_home(release.publication.build).release(release)

    @activity.defn
    async def verify_image(self, verification: ImageVerification) -> ImageDecision:
        with at_the_edge(f"verifying {verification.image.id or verification.image.family}"):
            return await self._verifier.verify_image(verification)

    @activity.defn
    async def read_document(self, request: DocumentRequest) -> Document:
        with at_the_edge(f"reading one of the {request.kind}"):
            async with Heartbeat():
                return await unbroken(read_document, self._store, request)

    @activity.defn
    async def list_images(self, query: ImageQuery) -> ImageListing:
        with at_the_edge("listing images"):
            found = [await platform.listed(query.family) for platform in self._platforms.values()]
            return ImageListing(images=tuple(image for images in found for image in images))

    def _at_home(self, build: Build) -> ImagePlatform:
        platform = self._platforms.get(build.platform)
        if platform is None or platform.home != build.region:
            serves = ", ".join(f"{name} in {one.home}" for name, one in self._platforms.items())
            raise RefusedError(
                f"{build.image_name} is built with {build.platform} in {build.region}, and this worker "
                f"serves {serves}: give all workers of the queue the same platform and region"
            )
        return platform


class _NotJoined:
    """Stands where a part is not given: it refuses, and so nothing is taken for examined or verified."""

    async def examine_image(self, examination: ImageExamination) -> Examination:
        raise _not_built("tried", examination.image.id)

    async def discard_machine(self, examination: ImageExamination) -> None:
        """Nothing was booted."""

    async def judge_image(self, judgement: ImageJudgement) -> GateReport:
        raise _not_built("judged", judgement.build.image_name)

    async def verify_image(self, verification: ImageVerification) -> ImageDecision:
        raise _not_built("verified", verification.image.id or verification.image.family)


def _not_built(what: str, image: str) -> NotBuiltError:
    return NotBuiltError(f"{image} cannot be {what} by this worker: it was started without that part")


async def _channel_version(family: str, channel: Channel) -> str:
    return await channel_version(activity.client(), family, channel)


def _this_try() -> str:
    info = activity.info()
    return f"{info.workflow_run_id}/{info.activity_id}/{info.attempt}"


def _platforms(regions: AwsRegions, env: Mapping[str, str]) -> dict[Platform, ImagePlatform]:
    platforms: dict[Platform, ImagePlatform] = {
        Platform.AWS: AwsImages(
            regions,
            _channel_version,
            environment=env,
            places=_listed(env, "STEADFLEET_REGIONS"),
            callers=_listed(env, "STEADFLEET_BUILD_CALLERS"),
            bundles=env.get("STEADFLEET_ATTESTATIONS_BUCKET") or BUNDLES,
        )
    }
    if shutil.which("docker", path=env.get("PATH")) and (
        env.get("DOCKER_HOST") or Path(_ENGINE_SOCKET).exists()
    ):
        engine = DockerClient(host=env.get("DOCKER_HOST"))
        platforms[Platform.DOCKER] = DockerImages(engine, Registries(env), env)
    return platforms


def _listed(env: Mapping[str, str], name: str) -> list[str]:
    return [one.strip() for one in env.get(name, "").split(",") if one.strip()]
