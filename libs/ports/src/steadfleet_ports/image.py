"""What a build may ask of packer, of the platform that holds images, and of the signer.

Every method looks before it acts: a retry, a crash or a lost response never doubles an effect.
"""

from abc import ABC, abstractmethod
from datetime import datetime
from enum import StrEnum

from temporalio import activity

from steadfleet_core.image.golden import BuildSpec, Gates, Publish, Region, TestSpec
from steadfleet_core.image.order import Build, BuiltImage, ImageOrder, Platform
from steadfleet_core.image.report import Examination, GateReport
from steadfleet_core.model import Digest, Model


class BuildPreparation(Model):
    """Resolve an order. Only the object store is written to: the sources, by digest."""

    order: ImageOrder
    run: str
    expires_at: datetime


class ImageBuild(Model):
    """Build the image that `build` resolves; `spec` says with what template and variables."""

    build: Build
    spec: BuildSpec


class ImageExamination(Model):
    """Boot a fresh machine from the image, list its packages, try it, and take the machine down."""

    build: Build
    image: BuiltImage
    spec: TestSpec
    sbom: bool


class ImageJudgement(Model):
    """Hold the SBOM against the gates; `at` is when, since waivers end."""

    build: Build
    gates: Gates
    sbom: Digest | None
    at: datetime


class Publication(Model):
    """Bring the image to one place: a region, or a registry."""

    build: Build
    image: BuiltImage
    place: Region
    publish: Publish


class PublishedCopy(Model):
    """The image at one place: an AMI's id, or `repository@digest`."""

    place: str
    id: str


class Release(Model):
    """Let a copy be found by family and version, and share it; from then on it does not expire."""

    publication: Publication
    copy_id: str
    order: Digest


class AttestationRequest(Model):
    """What the signer is to say of one copy, once it has measured that copy itself.

    `content` is the digest that another copy was signed with: a copy that measures otherwise is
    refused (`ContentDiffersError`, never retried). Empty for the first. `spec` is what provenance
    names as the build's parameters.
    """

    publication: Publication
    copy_id: str
    order: Digest
    invocation: str
    examination: Examination
    gate: GateReport
    provenance: bool
    content: Digest | None = None
    spec: BuildSpec | None = None


class TrialOrder(Model):
    """`build` is the resolved build of the image, under a run of its own so that it is swept alone."""

    build: Build
    image: BuiltImage
    spec: TestSpec
    sbom: bool = True


class SigningOrder(Model):
    """What the build asked the signer for, once more: after a key was changed, say."""

    requests: tuple[AttestationRequest, ...]


class Attested(Model):
    """What was measured, and where the signed bundles lie."""

    subjects: dict[str, Digest]
    content: Digest
    attestations: tuple[str, ...]
    signer: str


class ImageReference(Model):
    """One image at one place: by its id, or by family and version."""

    platform: Platform = Platform.AWS
    place: str = ""
    id: str = ""
    family: str = ""
    version: str = ""


class ImageVerification(Model):
    """Ask whether an image may be used. `demand` raises the bar of the verifier's own environment.

    A `deep` one reads the image's content again; otherwise the AMI's descriptor is measured, which
    names its snapshots.
    """

    image: ImageReference
    demand: tuple[str, ...] = ()
    deep: bool = False


class ImageDecision(Model):
    """The real policy's answer. `reasons` say what is wrong, also where it is only a warning."""

    image: str
    allowed: bool
    enforced: bool
    reasons: tuple[str, ...] = ()
    satisfied: tuple[str, ...] = ()
    signers: tuple[str, ...] = ()
    builder: str = ""
    content: Digest | None = None


class ImageQuery(Model):
    """Ask which images there are; without a family, of all."""

    family: str = ""


class ListedImage(Model):
    """A released image at one place."""

    family: str
    version: str
    place: str
    id: str
    created_at: datetime | None = None
    attestations: int = 0


class ImageListing(Model):
    images: tuple[ListedImage, ...]


class DocumentKind(StrEnum):
    """What is kept of a build, by its digest."""

    SBOM = "sboms"
    TESTS = "tests"
    LOG = "logs"


class DocumentRequest(Model):
    kind: DocumentKind
    digest: Digest


class Document(Model):
    """A stored document, verified against its digest; `content` is gzip in base64."""

    content: str


class Images(ABC):
    """Builds images, tries them, and brings them to where they are used."""

    @activity.defn
    @abstractmethod
    async def prepare_build(self, preparation: BuildPreparation) -> Build:
        """Resolve what is ordered. Raises `RefusedError` as a non-retryable failure."""

    @activity.defn
    @abstractmethod
    async def build_image(self, build: ImageBuild) -> BuiltImage:
        """Run packer. A template that fails is a non-retryable failure, with packer's words."""

    @activity.defn
    @abstractmethod
    async def discard_build(self, build: ImageBuild) -> None:
        """Remove the image and all that building it made; safe when there is nothing."""

    @activity.defn
    @abstractmethod
    async def examine_image(self, examination: ImageExamination) -> Examination:
        """Try the image. Checks that fail are results, not errors; the machine is always taken down."""

    @activity.defn
    @abstractmethod
    async def discard_machine(self, examination: ImageExamination) -> None:
        """Take down whatever `examine_image` left; safe when there is nothing."""

    @activity.defn
    @abstractmethod
    async def judge_image(self, judgement: ImageJudgement) -> GateReport: ...

    @activity.defn
    @abstractmethod
    async def publish_image(self, publication: Publication) -> PublishedCopy: ...

    @activity.defn
    @abstractmethod
    async def withdraw_image(self, publication: Publication) -> None:
        """Remove the copy at this place; safe when there is none. The build's own image stays."""

    @activity.defn
    @abstractmethod
    async def release_image(self, release: Release) -> None: ...

    @activity.defn
    @abstractmethod
    async def verify_image(self, verification: ImageVerification) -> ImageDecision: ...

    @activity.defn
    @abstractmethod
    async def read_document(self, request: DocumentRequest) -> Document:
        """Read what is kept. One that would not fit into a payload is refused, saying where it lies."""

    @activity.defn
    @abstractmethod
    async def list_images(self, query: ImageQuery) -> ImageListing: ...


class Signer(ABC):
    """Signs what it measured itself, and nothing else. Its worker alone holds the key."""

    @activity.defn
    @abstractmethod
    async def attest_image(self, request: AttestationRequest) -> Attested: ...

    @activity.defn
    @abstractmethod
    async def retract_attestations(self, publication: Publication) -> None:
        """Remove what was signed for a copy that is withdrawn; safe when there is nothing."""
