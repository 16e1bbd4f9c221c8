"""An audit as text and as JSON values. What strangers wrote reaches no terminal as a command."""

from collections.abc import Iterator
from pathlib import Path

from steadfleet_cli.image.auditing import Audit
from steadfleet_cli.output import clock, dump, section
from steadfleet_signing.errors import one_line
from steadfleet_signing.policy import Decision
from steadfleet_signing.statement import (
    CYCLONEDX,
    PLAIN_SIGNATURE,
    SLSA_PROVENANCE,
    TEST_RESULT,
    VERIFICATION_SUMMARY,
)
from steadfleet_signing.trust import TrustPolicy
from steadfleet_signing.verify import Attestation, Refused, Verified

_WORDS = {
    CYCLONEDX: "SBOM",
    PLAIN_SIGNATURE: "signature",
    SLSA_PROVENANCE: "provenance",
    TEST_RESULT: "test results",
    VERIFICATION_SUMMARY: "verification summary",
}
_MOST_SUBJECTS = 5


def audit_text(audit: Audit) -> str:
    return "\n".join(_lines(audit))


def _lines(audit: Audit) -> Iterator[str]:
    spec = audit.policy.spec
    for subject in audit.subjects:
        yield f"image {one_line(str(subject))}"
    yield f"policy {audit.policy.metadata.name}, environment {spec.environment}"
    for file, attestation in audit.attestations:
        yield ""
        yield from _attestation(file, attestation, audit.policy)
    decision = audit.decision
    yield ""
    for proof in decision.satisfied:
        yield f"proven: {proof.requirement}, by {one_line(proof.signer)} ({proof.bundle[:19]})"
    yield f"demanded: {', '.join(decision.enforced) or f'nothing: {spec.environment} only warns'}"
    yield from section("warnings" if decision.allowed else "reasons", decision.reasons)
    yield ""
    yield _verdict(decision, spec.environment)


def _verdict(decision: Decision, environment: str) -> str:
    if not decision.allowed:
        return "NOT allowed: do not use the image"
    if not decision.enforced:
        return f"allowed without proof: {environment} demands none"
    return "allowed: the image may be used"


def _attestation(file: Path, attestation: Attestation, policy: TrustPolicy) -> Iterator[str]:
    yield f"{file} ({attestation.bundle[:19]})"
    if isinstance(attestation, Refused):
        yield f"  refused: {attestation.reason}"
        return
    yield f"  states: {_predicate(attestation)}"
    yield f"  signed by: {_signer(attestation, policy)}"
    times = ", ".join(clock(time) for time in sorted(attestation.times))
    yield f"  seen by a trusted authority: {times or 'no: nothing but the signer says when'}"
    subjects = attestation.statement.subjects
    yield from (f"  about: {one_line(str(subject))}" for subject in subjects[:_MOST_SUBJECTS])
    if len(subjects) > _MOST_SUBJECTS:
        yield f"  and about {len(subjects) - _MOST_SUBJECTS} more"
    yield from (f"  note: {one_line(note)}" for note in attestation.notes)


def _predicate(verified: Verified) -> str:
    kind = verified.statement.predicate_type
    return f"{_WORDS[kind]} ({kind})" if kind in _WORDS else one_line(kind)


def _signer(verified: Verified, policy: TrustPolicy) -> str:
    entry, signer = policy.entry_of(verified.signer), one_line(str(verified.signer))
    return signer if entry is None or str(entry) == signer else f"{entry} ({signer.removeprefix('key ')})"


def audit_document(audit: Audit) -> dict[str, object]:
    return {
        "policy": audit.policy.metadata.name,
        "environment": audit.policy.spec.environment,
        "subjects": [dump(subject) for subject in audit.subjects],
        "attestations": [_document(file, one, audit.policy) for file, one in audit.attestations],
        "decision": dump(audit.decision),
    }


def _document(file: Path, attestation: Attestation, policy: TrustPolicy) -> dict[str, object]:
    told: dict[str, object] = {"file": str(file), "bundle": attestation.bundle}
    if isinstance(attestation, Refused):
        return {**told, "refused": attestation.reason}
    return {
        **told,
        "signed": attestation.signed,
        "predicateType": attestation.statement.predicate_type,
        "signer": _signer(attestation, policy),
        "times": [time.isoformat() for time in attestation.times],
        "subjects": [dump(subject) for subject in attestation.statement.subjects],
        "notes": list(attestation.notes),
    }
