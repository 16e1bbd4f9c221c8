"""What a platform does for images: the part of the port that differs between AMIs and OCI images."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path

from steadfleet_core.image.golden import BaseImage
from steadfleet_core.image.order import Base, Build, BuiltImage
from steadfleet_ports.image import ImageBuild, ListedImage, Publication, PublishedCopy, Release

Say = Callable[[str], None]
"""Tell a person where it stands."""


@dataclass(frozen=True)
class Site:
    """What packer is given beside the user's own: variables, as far as they are declared, and environment."""

    variables: Mapping[str, str]
    environment: Mapping[str, str] = field(default_factory=dict)


class ImagePlatform(ABC):
    """Looks before it acts, as the port does; raises what its own SDK raises."""

    home: str
    """The place where images are built."""

    @abstractmethod
    async def resolve_base(self, base: BaseImage) -> Base: ...

    @abstractmethod
    async def check(self, declared: frozenset[str], variables: Mapping[str, str]) -> None:
        """Refuse a template, by what it declares, and variables with which no build could begin."""

    @abstractmethod
    async def released(self, family: str, version: str, places: Sequence[str]) -> str | None:
        """Name an image that was released as this version, at home or at these places, if there is one."""

    @abstractmethod
    async def finished(self, build: Build) -> BuiltImage | None:
        """Find what this run built before, whole; refuse what stands in its place."""

    @abstractmethod
    def site(self, order: ImageBuild, scratch: Path) -> AbstractAsyncContextManager[Site]:
        """Make what the build needs, and remove it whatever happens."""

    @abstractmethod
    async def keep(self, build: Build, built: BuiltImage) -> None:
        """Verify what packer says it built, and note on it that it is whole."""

    @abstractmethod
    async def discard(self, build: Build, say: Say) -> None: ...

    @abstractmethod
    async def publish(self, publication: Publication, token: str, say: Say) -> PublishedCopy:
        """Bring it to the place; `token` names this try, and no other."""

    @abstractmethod
    async def withdraw(self, publication: Publication) -> None: ...

    @abstractmethod
    async def release(self, release: Release) -> None: ...

    @abstractmethod
    async def listed(self, family: str) -> list[ListedImage]:
        """List what is released, of one family or of all."""
