"""Whether an image may be used: measured anew, its attestations read, and the trust policy asked."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Self

from steadfleet_activities.image.attesting.artifacts import Measured, digest_in, named
from steadfleet_activities.image.attesting.shelves import shelves
from steadfleet_activities.image.attesting.stores import Shelf
from steadfleet_activities.image.attesting.trust import trust_of
from steadfleet_activities.image.clients import AwsRegions
from steadfleet_activities.image.platforms import Say
from steadfleet_core.errors import RefusedError
from steadfleet_core.image.order import Platform
from steadfleet_core.model import Digest
from steadfleet_durable import get_logger, unbroken
from steadfleet_ports.image import ImageDecision, ImageVerification, PublishedCopy
from steadfleet_signing.policy import Decision, Requirement, decide
from steadfleet_signing.statement import SLSA_PROVENANCE
from steadfleet_signing.trust import TrustMaterial
from steadfleet_signing.verify import Attestation, Verified, examine

MOST_REASONS = 20
NO_POLICY = (
    "no trust policy is configured, so nothing can be proven of any image: set STEADFLEET_TRUST_POLICY"
)

_log = get_logger(__name__)


def _silent(_step: str) -> None:
    """Tell nobody."""


class ImageVerifier:
    """Asks `trust` alone; without one (in dev only) whatever is demanded is refused.

    That something could not be read is raised, to be tried again: it never counts as unsigned.
    """

    def __init__(self, trust: TrustMaterial | None, shelves: Mapping[Platform, Shelf]) -> None:
        self._trust = trust
        self._shelves = shelves

    @classmethod
    def from_environment(cls, regions: AwsRegions, env: Mapping[str, str]) -> Self:
        """Build it from STEADFLEET_ENVIRONMENT, STEADFLEET_TRUST_POLICY, STEADFLEET_ATTESTATIONS_BUCKET.

        Raises:
            WorkerConfigError: only dev may do without a policy.
        """
        return cls(trust_of(env), shelves(regions, env))

    async def verify_image(self, verification: ImageVerification, say: Say = _silent) -> ImageDecision:
        """Decide about the one copy that is meant, and no other.

        Raises:
            RefusedError: there is no such copy, or it cannot be measured.
        """
        demand = _demand(verification)
        shelf = self._shelf(verification.image.platform)
        copy = await shelf.artifacts.resolve(verification.image)
        if self._trust is None:
            return ImageDecision(
                image=copy.id, allowed=not demand, enforced=bool(demand), reasons=(NO_POLICY,)
            )
        measured = await shelf.artifacts.measure(copy, say, deep=verification.deep)
        found = await unbroken(shelf.attestations.found, copy)
        attestations = await unbroken(examine, [one.bundle for one in found.bundles], self._trust)
        attestations = [*attestations, *found.refused]
        decision = decide(self._trust.policy, measured.subjects, attestations, demand, now=datetime.now(UTC))
        answer = _answer(copy, measured, attestations, decision)
        _log.info("verified", asked=named(verification.image), **answer.model_dump(mode="json"))
        return answer

    def _shelf(self, platform: Platform) -> Shelf:
        if platform not in self._shelves:
            raise RefusedError(f"this worker verifies no images of platform {platform}")
        return self._shelves[platform]


def _demand(verification: ImageVerification) -> frozenset[Requirement]:
    try:
        return frozenset(Requirement(one) for one in verification.demand)
    except ValueError as error:
        known = ", ".join(Requirement)
        raise RefusedError(f"demand {verification.demand}: expected some of {known}") from error


def _answer(
    copy: PublishedCopy, measured: Measured, attestations: Sequence[Attestation], decision: Decision
) -> ImageDecision:
    proofs = {proof.bundle for proof in decision.satisfied}
    proving = [one for one in attestations if isinstance(one, Verified) and one.bundle in proofs]
    return ImageDecision(
        image=copy.id,
        allowed=decision.allowed,
        enforced=bool(decision.enforced),
        reasons=_shortened(decision.reasons),
        satisfied=tuple(proof.requirement for proof in decision.satisfied),
        signers=tuple(dict.fromkeys(proof.signer for proof in decision.satisfied)),
        builder=_builder(decision, proving),
        content=measured.content or _attested_content(measured, proving),
    )


def _builder(decision: Decision, proving: Sequence[Verified]) -> str:
    """Name the builder whose provenance counted."""
    proof = {one.requirement: one.bundle for one in decision.satisfied}.get(Requirement.PROVENANCE)
    for one in proving:
        if one.bundle == proof and one.statement.predicate_type == SLSA_PROVENANCE:
            return str(one.statement.predicate["runDetails"]["builder"]["id"])
    return ""


def _attested_content(measured: Measured, proving: Sequence[Verified]) -> Digest | None:
    """Return the content that a trusted signer measured, where it was not read again."""
    here = {digest_in(one) for one in measured.subjects}
    for one in proving:
        for subject in one.statement.subjects:
            if "sha256" in subject.digest and digest_in(subject) not in here:
                return digest_in(subject)
    return None


def _shortened(reasons: Sequence[str]) -> tuple[str, ...]:
    more = len(reasons) - MOST_REASONS
    return (*reasons[:MOST_REASONS], *([f"and {more} more reasons"] if more > 0 else []))
