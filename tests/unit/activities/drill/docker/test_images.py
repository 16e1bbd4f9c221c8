"""What is proven of a container's image: what a registry's digest names, and nothing of anything else."""

from typing import Any

import pytest

from steadfleet_activities.drill.docker.images import EngineImages
from steadfleet_core.errors import RefusedError
from steadfleet_core.image.order import Platform
from steadfleet_core.model import digest_of
from steadfleet_ports.image import ImageDecision, ImageReference, ImageVerification

NAMED = "registry.example.com/golden/web@sha256:" + "0" * 64
NO_ENGINE: Any = None


class Judge:
    def __init__(self, *, allowed: bool) -> None:
        self.allowed = allowed
        self.asked: list[ImageReference] = []

    async def verify_image(self, verification: ImageVerification) -> ImageDecision:
        self.asked.append(verification.image)
        return ImageDecision(
            image=verification.image.id,
            allowed=self.allowed,
            enforced=True,
            reasons=() if self.allowed else ("it is not signed",),
            content=digest_of(b"content"),
        )


async def test_what_a_registrys_digest_names_is_verified_there() -> None:
    judge = Judge(allowed=True)
    trusted = await EngineImages(NO_ENGINE, judge).trusted(NAMED, "sha256:1")
    assert (trusted.id, trusted.content, trusted.warnings) == ("sha256:1", digest_of(b"content"), ())
    assert judge.asked == [ImageReference(platform=Platform.DOCKER, id=NAMED)]


async def test_an_image_that_may_not_be_used_is_refused_with_the_reasons() -> None:
    with pytest.raises(RefusedError, match="it is not signed"):
        await EngineImages(NO_ENGINE, Judge(allowed=False)).trusted(NAMED, "sha256:1")


@pytest.mark.parametrize("named", ["web:1.0", "sha256:" + "0" * 64])
async def test_of_what_only_the_engine_knows_nothing_is_proven(named: str) -> None:
    judge = Judge(allowed=True)
    trusted = await EngineImages(NO_ENGINE, judge).trusted(named, "sha256:1")
    assert "not proven" in trusted.warnings[0]
    assert trusted.content is None
    assert judge.asked == []
