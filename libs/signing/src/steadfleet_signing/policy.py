"""Decide from attestations whether an image may be used. Pure: no I/O, no clock, no cryptography.

What is missing counts as not proven, so whoever can delete attestations can only have images refused.
Failing to list them is not the same as there being none: then raise, do not decide.

>>> decision = decide(policy, [measured], examine(bundles, TrustMaterial.of(policy)), now=now)
"""

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from steadfleet_core.errors import RefusedError
from steadfleet_core.model import Digest, Model, format_duration
from steadfleet_signing.errors import one_line
from steadfleet_signing.statement import (
    CYCLONEDX,
    SLSA_PROVENANCE,
    TEST_RESULT,
    VERIFICATION_SUMMARY,
    Subject,
)
from steadfleet_signing.trust import TrustPolicy
from steadfleet_signing.verify import Attestation, Refused, Verified


class Requirement(StrEnum):
    """One thing that must be proven of an image."""

    SIGNATURE = "signature"
    PROVENANCE = "provenance"
    SBOM = "sbom"
    TESTS = "tests"


Demand = AbstractSet[Requirement]

SIGNED: Demand = frozenset({Requirement.SIGNATURE})
PRODUCTION: Demand = frozenset({Requirement.SIGNATURE, Requirement.PROVENANCE})
"""What prod requires anyway, and a campaign with `image.signed: true` demands in every environment."""
CHANNEL: Demand = frozenset(Requirement)
"""What a channel demands of an image before it points there."""


class Rule(NamedTuple):
    requires: Demand
    enforced: bool


_RULES: Mapping[str, Rule] = {
    "dev": Rule(SIGNED, enforced=False),
    "staging": Rule(SIGNED, enforced=True),
    "prod": Rule(PRODUCTION, enforced=True),
}


def rule_of(environment: str) -> Rule:
    """Return what an environment requires; one that nobody has heard of is held to prod's rule."""
    return _RULES.get(environment, _RULES["prod"])


class Proof(Model):
    """Which attestation proved a requirement, and whose it is; `signed` is what to revoke it by."""

    requirement: Requirement
    signer: str
    bundle: Digest
    signed: Digest


class Decision(Model):
    """Whether an image may be used, and everything worth telling the person who asks why.

    `enforced` is what had to be proven; where that is nothing (dev), `reasons` are warnings.
    """

    allowed: bool
    enforced: tuple[Requirement, ...]
    satisfied: tuple[Proof, ...]
    reasons: tuple[str, ...]


def decide(
    policy: TrustPolicy,
    subjects: Sequence[Subject],
    attestations: Sequence[Attestation],
    demand: Demand = frozenset(),
    *,
    now: datetime,
) -> Decision:
    """Hold an image against its environment's rule and what this call demands beyond it.

    `subjects` are all digests of the image that we measured ourselves: an attestation must name
    each of them.

    Raises:
        RefusedError: nothing was measured, so nothing can be said of it.
    """
    if not subjects or any("sha256" not in subject.digest for subject in subjects):
        raise RefusedError("no image was measured: expected its sha256, not what others say it is")
    rule = rule_of(policy.spec.environment)
    wanted = rule.requires | demand
    enforced = wanted if rule.enforced else demand
    case = _Case(policy, tuple(subjects), now)
    refusals = [(each, case.objection(each)) for each in attestations]
    admitted = [each for each, why in refusals if isinstance(each, Verified) and not why]
    proofs = {each: case.proof(each, admitted) for each in Requirement}
    missing = {each for each in wanted if not proofs[each]}
    revocations = case.revocations(admitted)
    complaints = [case.complaint(each, admitted) for each in Requirement if each in missing]
    return Decision(
        allowed=not revocations and not enforced & missing,
        enforced=tuple(each for each in Requirement if each in enforced),
        satisfied=tuple(proof for proof in proofs.values() if proof),
        reasons=tuple(map(one_line, (*revocations, *complaints, *(why for _, why in refusals if why)))),
    )


@dataclass(frozen=True)
class _Case:
    policy: TrustPolicy
    subjects: tuple[Subject, ...]
    now: datetime

    def revocations(self, admitted: Sequence[Verified]) -> list[str]:
        """Say which of the digests at hand were revoked: no environment may use those, dev neither.

        Those too that a trusted signer measured of this image and we did not: its content, say, which
        all copies of it have in common.
        """
        stated = [subject for each in admitted for subject in each.statement.subjects]
        named = {subject.digest.get("sha256"): subject.name for subject in (*stated, *self.subjects)}
        return [
            f"{named[digest] or 'the image'} was revoked: {entry.reason} ({entry.digest})"
            for entry in self.policy.spec.revoked
            if (digest := entry.digest.removeprefix("sha256:")) in named
        ]

    def objection(self, attestation: Attestation) -> str | None:
        """Say why an attestation does not count at all, if so."""
        why = attestation.reason if isinstance(attestation, Refused) else self._objection(attestation)
        return f"attestation {_short(attestation.bundle)} does not count: {why}" if why else None

    def _objection(self, verified: Verified) -> str | None:
        revoked = {entry.digest: entry.reason for entry in self.policy.spec.revoked}
        if verified.signed in revoked:
            return f"it was revoked: {revoked[verified.signed]}"
        if self.policy.entry_of(verified.signer) is None:
            return (
                f"it was signed by {verified.signer}, whom policy {self.policy.metadata.name} does not trust"
            )
        return self._not_about_us(verified) or self._out_of_time(verified)

    def _not_about_us(self, verified: Verified) -> str | None:
        named = verified.statement.subjects
        for subject in self.subjects:
            if not any(each.is_same_as(subject) for each in named):
                others = f" and {len(named) - 1} more" if len(named) > 1 else ""
                return (
                    f"it is about {named[0]}{others}, not about {subject}: was it copied from another image?"
                )
        return None

    def _out_of_time(self, verified: Verified) -> str | None:
        spec = self.policy.spec
        if not verified.times and (spec.require_timestamp or spec.max_age):
            notes = "".join(f"; {note}" for note in verified.notes)
            return f"no trusted timestamp says when it was signed, which the policy requires{notes}"
        if spec.max_age is None:
            return None
        # The earliest word counts, the signer's own too: whoever holds an old signature can have it
        # dated anew, but cannot change what it says.
        signed = min((*verified.times, *_finished(verified)))
        if self.now - signed <= spec.max_age:
            return None
        limit = format_duration(spec.max_age)
        return f"it is of {signed:%Y-%m-%d %H:%M} UTC, older than maxAge {limit}: build the image anew"

    def proof(self, requirement: Requirement, admitted: Sequence[Verified]) -> Proof | None:
        for each in admitted:
            if _SHORTCOMINGS[requirement](self.policy, each) is None:
                signer = str(self.policy.entry_of(each.signer))
                return Proof(requirement=requirement, signer=signer, bundle=each.bundle, signed=each.signed)
        return None

    def complaint(self, requirement: Requirement, admitted: Sequence[Verified]) -> str:
        if not admitted:
            return f"{requirement}: not proven: no attestation of this image by a trusted signer was found"
        whys = [f"{_short(each.bundle)} {_SHORTCOMINGS[requirement](self.policy, each)}" for each in admitted]
        return f"{requirement}: not proven: attestation {'; '.join(whys)}"


def _short(digest: str) -> str:
    return digest[:19]


def _signature(_policy: TrustPolicy, verified: Verified) -> str | None:
    """Take anything that a trusted signer states of an image for their signature, except bad news."""
    verdict_at = {TEST_RESULT: "result", VERIFICATION_SUMMARY: "verificationResult"}
    verdict = _at(verified.statement.predicate, verdict_at.get(verified.statement.predicate_type, ""))
    return "says that the image failed" if verdict == "FAILED" else None


def _is_not(predicate_type: str, verified: Verified) -> str | None:
    found = verified.statement.predicate_type
    return f"states {found}: expected {predicate_type}" if found != predicate_type else None


def _provenance(policy: TrustPolicy, verified: Verified) -> str | None:
    if other := _is_not(SLSA_PROVENANCE, verified):
        return other
    builder = _at(verified.statement.predicate, "runDetails", "builder", "id")
    if builder not in policy.spec.builders:
        allowed = ", ".join(policy.spec.builders) or "none"
        return f"names builder {builder!r}: the policy allows {allowed}"
    entry = policy.entry_of(verified.signer)
    if entry is None or builder not in entry.builders:
        return f"names builder {builder!r}, for which {entry} may not speak"
    return None


def _sbom(_policy: TrustPolicy, verified: Verified) -> str | None:
    return _is_not(CYCLONEDX, verified)


def _tests(_policy: TrustPolicy, verified: Verified) -> str | None:
    if other := _is_not(TEST_RESULT, verified):
        return other
    result, failed = (_at(verified.statement.predicate, key) for key in ("result", "failedTests"))
    if result != "PASSED" or failed:
        return f"says that its tests ended with {result!r}, failed {failed or []}: expected PASSED, and none"
    return None


_SHORTCOMINGS: Mapping[Requirement, Callable[[TrustPolicy, Verified], str | None]] = {
    Requirement.SIGNATURE: _signature,
    Requirement.PROVENANCE: _provenance,
    Requirement.SBOM: _sbom,
    Requirement.TESTS: _tests,
}
"""Why an attestation does not prove a requirement, or None if it does."""


def _finished(verified: Verified) -> tuple[datetime, ...]:
    """Return when the provenance itself says that the build ended, if it does."""
    written = _at(verified.statement.predicate, "runDetails", "metadata", "finishedOn")
    try:
        moment = datetime.fromisoformat(written) if isinstance(written, str) else None
    except ValueError:
        return ()
    return (moment,) if moment and moment.tzinfo else ()


def _at(value: Any, *path: str) -> Any:
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value
