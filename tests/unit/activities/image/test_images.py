"""The adapter joins its parts: each method reaches the right one, and errors leave it in our words."""

from typing import Any

import httpx
import pytest
from python_on_whales.exceptions import DockerException
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment
from unit.activities.image.stand_ins import (
    EXPIRES_AT,
    FakePacker,
    FakePlatform,
    FakeS3,
    build_of,
    contract,
    find_packer,
)

from steadfleet_activities.image.build import Builds
from steadfleet_activities.image.errors import at_the_edge
from steadfleet_activities.image.images import PlatformImages, _NotJoined
from steadfleet_activities.image.prepare import Preparations
from steadfleet_activities.image.store import BUCKET, ImageStore, Kept
from steadfleet_core.image.golden import Gates, Publish, Region, TestSpec
from steadfleet_core.image.order import BuiltImage, Platform
from steadfleet_core.model import digest_of
from steadfleet_durable import register
from steadfleet_ports.image import (
    DocumentKind,
    DocumentRequest,
    ImageBuild,
    ImageExamination,
    ImageJudgement,
    ImageQuery,
    ImageReference,
    ImageVerification,
    ListedImage,
    Publication,
    Release,
)

ENVIRONMENT = {
    "AWS_REGION": "eu-west-1",
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    "STEADFLEET_REGIONS": "eu-central-1, us-east-1",
    "STEADFLEET_BUILD_CALLERS": "192.0.2.7/32",
    "PATH": "/nowhere",
}
BUILT = BuiltImage(id="sha256:1", started_at=EXPIRES_AT, ended_at=EXPIRES_AT)


class Bench:
    def __init__(self) -> None:
        self.platform = FakePlatform()
        self.store = ImageStore(FakeS3())  # type: ignore[arg-type]  # a stand-in
        platforms = {Platform.DOCKER: self.platform}
        missing = _NotJoined()
        self.images = PlatformImages(
            platforms,
            Preparations(self.store, platforms, find_packer),
            Builds(self.store, find_packer, FakePacker()),
            self.store,
            examiner=missing,
            verifier=missing,
        )

    async def run(self, activity: Any, request: Any) -> Any:
        return await ActivityEnvironment().run(activity, request)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def publication(region: str = "docker") -> Publication:
    build = build_of(region=region)
    return Publication(build=build, image=BUILT, place=Region(name="there"), publish=Publish())


async def test_each_method_reaches_the_platform(bench: Bench) -> None:
    order = ImageBuild(build=build_of(), spec=contract().spec.build)
    release = Release(publication=publication(), copy_id="copy", order=digest_of(b"order"))

    await bench.run(bench.images.discard_build, order)
    copy = await bench.run(bench.images.publish_image, publication())
    await bench.run(bench.images.release_image, release)
    await bench.run(bench.images.withdraw_image, publication())

    assert copy.id == "copy"
    assert [step.split()[0] for step in bench.platform.done] == [
        "discarded",
        "published",
        "released",
        "withdrawn",
    ]


async def test_each_try_to_publish_has_a_token_of_its_own(bench: Bench) -> None:
    """What an earlier try asked for may have failed, or been withdrawn."""
    for attempt in (1, 2):
        environment = ActivityEnvironment()
        environment.info = environment.default_info()
        environment.info = type(environment.info)(**{**vars(environment.info), "attempt": attempt})
        await environment.run(bench.images.publish_image, publication())

    assert len(set(bench.platform.done)) == 2


async def test_build_of_another_region_is_refused(bench: Bench) -> None:
    with pytest.raises(ApplicationError, match="this worker serves docker in docker") as refused:
        await bench.run(bench.images.withdraw_image, publication("eu-west-1"))

    assert refused.value.non_retryable


async def test_images_of_every_platform_are_listed(bench: Bench) -> None:
    bench.platform.listing = [ListedImage(family="web", version="1.4.2", place="docker", id="sha256:1")]

    listing = await bench.run(bench.images.list_images, ImageQuery())

    assert list(listing.images) == bench.platform.listing


async def test_document_is_read_by_its_digest(bench: Bench) -> None:
    digest = bench.store.put(Kept.LOG, b"said")
    request = DocumentRequest(kind=DocumentKind.LOG, digest=digest)

    assert (await bench.run(bench.images.read_document, request)).content


async def test_part_that_is_not_joined_refuses(bench: Bench) -> None:
    """An image that nobody tried must not look as if it had passed."""
    build = build_of()
    examination = ImageExamination(build=build, image=BUILT, spec=TestSpec(), sbom=True)
    judgement = ImageJudgement(build=build, gates=Gates(), sbom=None, at=EXPIRES_AT)
    verification = ImageVerification(image=ImageReference(id="ami-1"))

    for activity, request in [
        (bench.images.examine_image, examination),
        (bench.images.judge_image, judgement),
        (bench.images.verify_image, verification),
    ]:
        with pytest.raises(ApplicationError, match="it was started without that part") as refused:
            await bench.run(activity, request)
        assert (refused.value.type, refused.value.non_retryable) == ("NotBuiltError", True)
    await bench.run(bench.images.discard_machine, examination)


def test_adapter_is_built_from_the_environment() -> None:
    images = PlatformImages.from_environment(ENVIRONMENT)
    platform: Any = images._platforms[Platform.AWS]

    assert len(register(images)) == 12
    assert set(images._platforms) == {Platform.AWS}, "without a docker program there is no engine"
    assert platform.home == "eu-west-1"
    assert platform._listings._places == ("eu-west-1", "eu-central-1", "us-east-1")
    assert platform._doors._callers == ("192.0.2.7/32",)
    assert platform._environment["AWS_REGION"] == "eu-west-1"
    assert "PATH" not in platform._environment
    assert images._store.bucket == BUCKET


def test_profile_of_the_workers_home_is_named_to_packer(tmp_path: Any) -> None:
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "config").write_text("[profile builder]\n")
    given = {**ENVIRONMENT, "HOME": str(tmp_path), "AWS_PROFILE": "builder"}

    platform: Any = PlatformImages.from_environment(given)._platforms[Platform.AWS]

    assert platform._environment["AWS_CONFIG_FILE"] == str(tmp_path / ".aws" / "config")
    assert "AWS_SHARED_CREDENTIALS_FILE" not in platform._environment
    assert platform._environment["AWS_SDK_LOAD_CONFIG"] == "1"


def status_error(status: int) -> httpx.HTTPStatusError:
    request = httpx.Request("GET", "https://registry.example.com/v2/")
    return httpx.HTTPStatusError("", request=request, response=httpx.Response(status, request=request))


@pytest.mark.parametrize(
    ("error", "kind", "permanent"),
    [
        (DockerException(["docker"], 1, b"", b"no space left"), "DockerError", False),
        (status_error(503), "Registry503", False),
        (status_error(429), "Registry429", False),
        (status_error(403), "Registry403", True),
        (httpx.ConnectError("refused"), "ConnectError", False),
    ],
)
def test_error_says_its_kind_and_whether_to_retry(error: Exception, kind: str, *, permanent: bool) -> None:
    with (
        pytest.raises(ApplicationError, match="publishing to there") as ours,
        at_the_edge("publishing to there"),
    ):
        raise error

    assert (ours.value.type, ours.value.non_retryable) == (kind, permanent)
