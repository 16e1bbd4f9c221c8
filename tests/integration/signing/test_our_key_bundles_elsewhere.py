"""What we sign with a key, other people's verifiers accept, and refuse once it is altered."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from integration.signing import tampering
from integration.signing.oracles import ByKey, Cosign, Oracle, Question
from integration.signing.signing import DIGEST, new_signer, pem_of, root_of, statement, trusting_key
from integration.signing.tampering import Tamper

from fakes.sigstore import LocalSigstore
from fakes.sigstore.keys import b64, new_key, sign
from steadfleet_signing import CYCLONEDX, PLAIN_SIGNATURE, SLSA_PROVENANCE, TEST_RESULT, verify_bundle
from steadfleet_signing.bundle import PAYLOAD_TYPE, pae
from steadfleet_signing.errors import BadSignatureError
from steadfleet_signing.signers import LocalKeySigner, TimestampWitness

Mistake = Callable[[ec.EllipticCurvePrivateKey, bytes], bytes]


def without_its_type(key: ec.EllipticCurvePrivateKey, payload: bytes) -> bytes:
    return sign(key, payload)


def hashed_twice(key: ec.EllipticCurvePrivateKey, payload: bytes) -> bytes:
    return sign(key, hashlib.sha256(pae(PAYLOAD_TYPE, payload)).digest())


def hashed_otherwise(key: ec.EllipticCurvePrivateKey, payload: bytes) -> bytes:
    return key.sign(pae(PAYLOAD_TYPE, payload), ec.ECDSA(hashes.SHA384()))


def signed(signer: LocalKeySigner, predicate_type: str = SLSA_PROVENANCE) -> Question:
    bundle = signer.sign(statement(predicate_type))
    return Question(bundle, DIGEST, predicate_type, ByKey(pem_of(signer)))


@pytest.mark.parametrize("predicate_type", [SLSA_PROVENANCE, CYCLONEDX, TEST_RESULT, PLAIN_SIGNATURE])
def test_every_kind_of_statement_is_accepted(
    oracle: Oracle, signer: LocalKeySigner, predicate_type: str
) -> None:
    assert oracle.judge(signed(signer, predicate_type))


@pytest.mark.parametrize("tamper", [tampering.payload_byte, tampering.signature_byte, tampering.payload_type])
def test_an_altered_bundle_is_refused(oracle: Oracle, signer: LocalKeySigner, tamper: Tamper) -> None:
    question = signed(signer)

    assert oracle.judge(question)
    assert not oracle.judge(replace(question, bundle=tamper(question.bundle)))


def test_a_timestamp_is_accepted_and_an_altered_one_refused(
    bundle_oracle: Oracle, sigstore: LocalSigstore, other_sigstore: LocalSigstore
) -> None:
    signer = new_signer(TimestampWitness(sigstore.timestamp_url, root_of(sigstore)))
    trust = ByKey(pem_of(signer), sigstore.trusted_root)
    question = replace(signed(signer), trust=trust)

    assert bundle_oracle.judge(question)
    assert not bundle_oracle.judge(replace(question, bundle=tampering.timestamp(question.bundle)))
    assert not bundle_oracle.judge(replace(question, bundle=tampering.no_timestamp(question.bundle)))
    assert not bundle_oracle.judge(
        replace(question, trust=replace(trust, trusted_root=other_sigstore.trusted_root))
    )


def test_another_key_is_refused(oracle: Oracle, signer: LocalKeySigner) -> None:
    question = signed(signer)

    assert oracle.judge(question)
    assert not oracle.judge(replace(question, trust=ByKey(pem_of(new_signer()))))


@pytest.mark.parametrize("mistake", [without_its_type, hashed_twice, hashed_otherwise])
def test_what_a_mistaken_signer_makes_is_refused(oracle: Oracle, mistake: Mistake) -> None:
    key = new_key()
    signer = LocalKeySigner(key)
    question = signed(signer)
    bundle = json.loads(question.bundle)
    bundle["dsseEnvelope"]["signatures"][0]["sig"] = b64(mistake(key, statement()))
    mistaken = json.dumps(bundle).encode()

    assert oracle.judge(question)
    assert not oracle.judge(replace(question, bundle=mistaken))
    with pytest.raises(BadSignatureError):
        verify_bundle(mistaken, trusting_key(pem_of(signer)))


def test_cosign_refuses_another_artifact(cosign: Cosign, signer: LocalKeySigner) -> None:
    question = signed(signer)

    assert cosign.judge(question)
    assert "digest" in cosign.judge(replace(question, digest="0" * 64)).said


def test_cosign_refuses_another_type_of_statement(cosign: Cosign, signer: LocalKeySigner) -> None:
    question = signed(signer)

    assert cosign.judge(question)
    assert "predicate type" in cosign.judge(replace(question, predicate_type=CYCLONEDX)).said
