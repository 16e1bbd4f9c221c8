"""What we sign with a key, other people's verifiers accept, and refuse once it is altered."""

from dataclasses import replace
from pathlib import Path

import pytest
from integration.signing import tampering
from integration.signing.oracles import ByKey, Cosign, Oracle, Question, SecureSystemsLib, SigstoreJs
from integration.signing.signing import DIGEST, new_signer, pem_of, statement
from integration.signing.tampering import Tamper

from steadfleet_signing.signers import LocalKeySigner
from steadfleet_signing.statement import CYCLONEDX, PLAIN_SIGNATURE, SLSA_PROVENANCE, TEST_RESULT


@pytest.fixture(params=[Cosign, SigstoreJs, SecureSystemsLib], ids=lambda kind: kind.__name__)
def oracle(request: pytest.FixtureRequest, tmp_path: Path) -> Oracle:
    made: Oracle = request.param(tmp_path) if request.param is Cosign else request.param()
    return made


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


def test_another_key_is_refused(oracle: Oracle, signer: LocalKeySigner) -> None:
    question = signed(signer)

    assert oracle.judge(question)
    assert not oracle.judge(replace(question, trust=ByKey(pem_of(new_signer()))))


def test_cosign_refuses_another_artifact(cosign: Cosign, signer: LocalKeySigner) -> None:
    question = signed(signer)

    assert cosign.judge(question)
    assert "digest" in cosign.judge(replace(question, digest="0" * 64)).said


def test_cosign_refuses_another_type_of_statement(cosign: Cosign, signer: LocalKeySigner) -> None:
    question = signed(signer)

    assert cosign.judge(question)
    assert "predicate type" in cosign.judge(replace(question, predicate_type=CYCLONEDX)).said
