"""The exact image of a service: what the engine has, held against the trust policy if a registry knows it."""

from python_on_whales import DockerClient
from python_on_whales.exceptions import NoSuchImage

from steadfleet_activities.drill.aws.images import Trusted
from steadfleet_activities.fleet.trust import Verifier
from steadfleet_core.drill.plan import DrillImage
from steadfleet_core.errors import RefusedError
from steadfleet_core.image.order import Platform
from steadfleet_durable import unbroken
from steadfleet_ports.image import ImageReference, ImageVerification

_AT_A_REGISTRY = "@sha256:"


class EngineImages:
    """Pulls nothing: what is pulled during a disaster is not what was rehearsed."""

    def __init__(self, engine: DockerClient, verifier: Verifier | None) -> None:
        self._engine = engine
        self._verifier = verifier

    async def resolve(self, wanted: DrillImage) -> Trusted:
        """Return the engine's own id, and what is proven of it.

        Raises `RefusedError` where the engine has it not, or it may not be used.
        """
        if wanted.id is None:
            raise RefusedError(
                f"image {wanted}: containers are not started by family yet: expected image.id, one that the "
                "engine has, such as registry.example.com/golden/web@sha256:..."
            )
        found = await unbroken(self.found, wanted.id)
        if found is None:
            raise RefusedError(
                f"the worker's Docker engine has no image {wanted.id}: pull it there before, for a disaster "
                "does not wait for a registry"
            )
        return await self.trusted(wanted.id, found)

    async def trusted(self, named: str, found: str) -> Trusted:
        """Verify what was named by a registry's digest; of anything else nothing is proven."""
        if self._verifier is None:
            return Trusted(found, warnings=(f"image {named}: not proven: nothing verifies images here",))
        if _AT_A_REGISTRY not in named:
            said = "not proven: attestations lie beside what a registry has; name it by its digest there"
            return Trusted(found, warnings=(f"image {named}: {said}",))
        reference = ImageReference(platform=Platform.DOCKER, id=named)
        decision = await self._verifier.verify_image(ImageVerification(image=reference))
        if not decision.allowed:
            raise RefusedError(f"image {named} may not be used: {'; '.join(decision.reasons)}")
        warnings = tuple(f"image {named}: {reason}" for reason in decision.reasons)
        return Trusted(found, decision.content, warnings)

    def found(self, reference: str) -> str | None:
        """Return the id of what the engine has by that name; None if it has it not. Blocks."""
        try:
            return self._engine.image.inspect(reference).id
        except NoSuchImage:
            return None
