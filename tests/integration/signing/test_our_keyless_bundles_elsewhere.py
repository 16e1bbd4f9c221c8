"""What we sign as an identity, other people's verifiers accept for it, and refuse once it is altered."""

from dataclasses import replace
from typing import Any

import pytest
from integration.signing import tampering
from integration.signing.oracles import ByIdentity, Cosign, Oracle, Question, SigstoreJs
from integration.signing.signing import DIGEST, PARTS_OF_A_ROOT, PIPELINE, keyless_signer, statement
from integration.signing.tampering import Tamper

from fakes.sigstore import LocalSigstore
from steadfleet_signing import CYCLONEDX, SLSA_PROVENANCE

ALTERED = [
    tampering.payload_byte,
    tampering.payload_type,
    tampering.signature_byte,
    tampering.log_proof,
    tampering.log_checkpoint,
    tampering.no_log_entry,
    tampering.timestamp,
    tampering.no_timestamp,
]


@pytest.fixture(scope="module")
def question(sigstore: LocalSigstore) -> Question:
    trust = ByIdentity(PIPELINE, sigstore.issuer.url, sigstore.trusted_root)
    return Question(keyless_signer(sigstore).sign(statement()), DIGEST, SLSA_PROVENANCE, trust)


def distrusting(question: Question, **changed: Any) -> Question:
    assert isinstance(question.trust, ByIdentity)
    return replace(question, trust=replace(question.trust, **changed))


def test_what_is_signed_is_accepted_for_who_signed(bundle_oracle: Oracle, question: Question) -> None:
    assert bundle_oracle.judge(question)


@pytest.mark.parametrize("subject", [PIPELINE + "/more", PIPELINE[:-1]])
def test_another_subject_is_refused(bundle_oracle: Oracle, question: Question, subject: str) -> None:
    assert not bundle_oracle.judge(distrusting(question, subject=subject))


def test_another_issuer_is_refused(bundle_oracle: Oracle, question: Question) -> None:
    assert not bundle_oracle.judge(distrusting(question, issuer="https://issuer.example"))


def test_another_instance_proves_nothing(
    bundle_oracle: Oracle, question: Question, other_sigstore: LocalSigstore
) -> None:
    assert not bundle_oracle.judge(distrusting(question, trusted_root=other_sigstore.trusted_root))


@pytest.mark.parametrize("part", PARTS_OF_A_ROOT)
def test_every_party_must_be_one_that_is_trusted(
    bundle_oracle: Oracle, question: Question, other_sigstore: LocalSigstore, part: str
) -> None:
    assert isinstance(question.trust, ByIdentity)
    root = question.trust.trusted_root | {part: other_sigstore.trusted_root[part]}

    assert not bundle_oracle.judge(distrusting(question, trusted_root=root))


@pytest.mark.parametrize("tamper", ALTERED)
def test_an_altered_bundle_is_refused(bundle_oracle: Oracle, question: Question, tamper: Tamper) -> None:
    assert not bundle_oracle.judge(replace(question, bundle=tamper(question.bundle)))


def test_an_altered_log_entry_is_refused(question: Question) -> None:
    # cosign does not read it, but computes from the signature what the entry must be.
    assert not SigstoreJs().judge(replace(question, bundle=tampering.log_entry(question.bundle)))


def test_cosign_refuses_another_artifact(cosign: Cosign, question: Question) -> None:
    assert "digest" in cosign.judge(replace(question, digest="0" * 64)).said


def test_cosign_refuses_another_type_of_statement(cosign: Cosign, question: Question) -> None:
    assert "predicate type" in cosign.judge(replace(question, predicate_type=CYCLONEDX)).said
