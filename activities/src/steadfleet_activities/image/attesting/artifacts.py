"""The images of one platform, as signer and verifiers see them: found, and measured by themselves."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from steadfleet_activities.image.platforms import Say
from steadfleet_core.errors import RefusedError
from steadfleet_core.image.order import Build
from steadfleet_core.model import Digest
from steadfleet_ports.image import ImageReference, Publication, PublishedCopy
from steadfleet_signing.statement import Subject


@dataclass(frozen=True)
class Measured:
    """What was measured of one copy. `content` is what its copies elsewhere must be too, if it was read."""

    subjects: tuple[Subject, ...]
    content: Digest | None = None


class Artifacts(ABC):
    """Raises what its platform's own client raises."""

    @abstractmethod
    async def resolve(self, reference: ImageReference) -> PublishedCopy:
        """Find the one copy that is meant, or refuse in words."""

    @abstractmethod
    async def copies_of(self, publication: Publication) -> list[PublishedCopy]:
        """Find what the publication's run left at its place; refuse if it is released already."""

    @abstractmethod
    async def require_run(self, copy: PublishedCopy, build: Build) -> None:
        """Refuse a copy that the platform does not know as this run's."""

    @abstractmethod
    async def measure(self, copy: PublishedCopy, say: Say, *, deep: bool) -> Measured:
        """Read its digests from the platform; a `deep` look reads the content too."""


def named(reference: ImageReference) -> str:
    """Return the id, or `family@version`; refuse a reference that is neither or both."""
    golden = bool(reference.family and reference.version)
    if bool(reference.id) == golden or (reference.id and (reference.family or reference.version)):
        raise RefusedError("expected an image's id, or its family and version, and not both")
    return reference.id or f"{reference.family}@{reference.version}"


def refuse_released(copy: PublishedCopy, build: Build) -> None:
    raise RefusedError(
        f"{copy.id} in {copy.place} is released as {build.family}@{build.version}: what was signed for it "
        "stays"
    )


def digest_in(subject: Subject) -> Digest:
    return f"sha256:{subject.digest['sha256']}"


def subject(name: str, digest: Digest) -> Subject:
    return Subject(name=name, digest={"sha256": digest.removeprefix("sha256:")})
