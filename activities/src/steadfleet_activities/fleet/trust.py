"""Whether the image that a campaign launches may be used: asked anew each time, about exactly that image."""

from dataclasses import dataclass
from typing import Protocol

from steadfleet_core.errors import RefusedError
from steadfleet_core.fleet import Image
from steadfleet_ports.image import ImageDecision, ImageReference, ImageVerification
from steadfleet_signing.policy import PRODUCTION


class Verifier(Protocol):
    """Holds an image's attestations against the worker's trust policy."""

    async def verify_image(self, verification: ImageVerification) -> ImageDecision: ...


@dataclass(frozen=True)
class Judged:
    """`problems` forbid launching it; `warnings` are what an environment that only warns has to say."""

    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class ImageTrust:
    """Asks about images of one region. Without a verifier nothing is proven of any image."""

    verifier: Verifier | None
    region: str

    async def judge(self, image: Image, *, signed: bool) -> Judged:
        """Verify the image by its id. That nobody could be asked is raised: it is no verdict."""
        demand = tuple(PRODUCTION) if signed else ()
        reference = ImageReference(place=self.region, id=image.id)
        asked = ImageVerification(image=reference, demand=demand)
        try:
            decision = await self._ask(asked)
        except RefusedError as refused:
            return Judged(problems=(f"image {image.id} cannot be verified: {refused}",))
        if decision.allowed:
            return Judged(warnings=tuple(f"image {image.id}: {reason}" for reason in decision.reasons))
        reasons = "; ".join(decision.reasons)
        return Judged(problems=(f"image {image.id} ({image.name}) may not be used: {reasons}",))

    async def _ask(self, asked: ImageVerification) -> ImageDecision:
        if self.verifier is not None:
            return await self.verifier.verify_image(asked)
        reason = "nothing verifies images here"
        return ImageDecision(
            image=asked.image.id, allowed=not asked.demand, enforced=False, reasons=(reason,)
        )
