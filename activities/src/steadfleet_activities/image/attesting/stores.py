"""Where signed bundles lie: beside the image, and as untrusted as whoever may write there."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from steadfleet_activities.image.attesting.artifacts import Artifacts
from steadfleet_ports.image import PublishedCopy
from steadfleet_signing.bundle import MOST_BUNDLE_BYTES
from steadfleet_signing.verify import Refused

MOST_BUNDLES = 64
"""That are looked at of one image: whoever may write beside it could leave any number."""
MOST_BYTES = 4 * MOST_BUNDLE_BYTES
"""Of all of them together."""


@dataclass(frozen=True)
class Stored:
    """One bundle, and where it lies."""

    where: str
    bundle: bytes


@dataclass(frozen=True)
class Found:
    """What lies beside an image: bundles to verify, and what was not even read, and why."""

    bundles: tuple[Stored, ...] = ()
    refused: tuple[Refused, ...] = ()


class Attestations(ABC):
    """Every method blocks. That it cannot list is an error, never an empty answer."""

    @abstractmethod
    def found(self, copy: PublishedCopy) -> Found:
        """Read them, the oldest first: so whoever adds some cannot hide those that were there."""

    @abstractmethod
    def put(self, copy: PublishedCopy, bundle: bytes) -> str:
        """Keep a bundle beside the image, once, and say where."""

    @abstractmethod
    def remove(self, copy: PublishedCopy) -> None:
        """Remove all that lies beside the image; safe when there is nothing."""


@dataclass(frozen=True)
class Shelf:
    """How one platform's images are measured, and where their attestations lie."""

    artifacts: Artifacts
    attestations: Attestations
