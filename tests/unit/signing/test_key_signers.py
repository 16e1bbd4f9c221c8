import hashlib
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from fakes.dating import Dating
from fakes.serving import Answer, serving
from fakes.trust import NOW, image, new_signer, plain, trusted_key, trusting
from steadfleet_core.errors import RefusedError
from steadfleet_signing import TrustMaterial, verify_bundle
from steadfleet_signing.errors import SelfCheckError, SigningError, SigningServiceError, StatementError
from steadfleet_signing.publickey import to_pem
from steadfleet_signing.signers import KmsSigner, LocalKeySigner, TimestampWitness, signer_for
from steadfleet_signing.timestamps import ROOT_TYPE

ARN = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"


REJECTION = bytes.fromhex("3005 3003 020102")  # a TimeStampResp of status 2, without a token


class FakeKms:
    """KMS with one key, as AWS documents it: a message of type DIGEST is signed as it is."""

    def __init__(self, curve: ec.EllipticCurve | None = None) -> None:
        self.key = ec.generate_private_key(curve or ec.SECP256R1())
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def get_public_key(self, **call: Any) -> dict[str, Any]:
        self.calls.append(("get_public_key", call))
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        return {"PublicKey": self.key.public_key().public_bytes(serialization.Encoding.DER, form)}

    def sign(self, **call: Any) -> dict[str, Any]:
        self.calls.append(("sign", call))
        return {"Signature": self.key.sign(self._digest(call), ec.ECDSA(Prehashed(hashes.SHA256())))}

    def _digest(self, call: dict[str, Any]) -> bytes:
        assert call["MessageType"] == "DIGEST"
        digest: bytes = call["Message"]
        return digest


class KmsHashingTwice(FakeKms):
    """KMS as some stand-ins have it: they hash the digest again."""

    def _digest(self, call: dict[str, Any]) -> bytes:
        return hashlib.sha256(call["Message"]).digest()


def pem_of(key: Any, password: bytes | None = None) -> bytes:
    hidden = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    pem: bytes = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, hidden)
    return pem


@pytest.mark.parametrize("password", [None, b"correct horse"])
def test_a_local_key_signs(password: bytes | None) -> None:
    pem = pem_of(ec.generate_private_key(ec.SECP256R1()), password)
    signer = LocalKeySigner.from_pem(pem, password)

    verified = verify_bundle(signer.sign(plain(image())), TrustMaterial.of(trusting(trusted_key(signer))))

    assert verified.signer == signer.identity


def test_signing_again_gives_the_same_bundle() -> None:
    signer = new_signer()

    assert signer.sign(plain(image())) == signer.sign(plain(image()))


@pytest.mark.parametrize(
    ("pem", "password"),
    [
        (b"no key", None),
        (pem_of(ec.generate_private_key(ec.SECP256R1()), b"secret"), None),
        (pem_of(ec.generate_private_key(ec.SECP256R1()), b"secret"), b"wrong"),
        (pem_of(ec.generate_private_key(ec.SECP384R1())), None),
    ],
)
def test_a_key_that_cannot_be_used_is_refused_and_not_shown(pem: bytes, password: bytes | None) -> None:
    with pytest.raises(SigningError, match="expected") as refused:
        LocalKeySigner.from_pem(pem, password)

    assert "secret" not in str(refused.value)
    assert "wrong" not in str(refused.value)


@pytest.mark.parametrize("environment", ["prod", "production", "qa", "DEV", ""])
def test_a_local_key_is_refused_in_production_and_where_nobody_knows(environment: str) -> None:
    with pytest.raises(RefusedError, match="LocalKeySigner holds its key in a file"):
        signer_for(environment, new_signer())


@pytest.mark.parametrize("environment", ["dev", "staging"])
def test_a_local_key_signs_in_development(environment: str) -> None:
    signer = new_signer()

    assert signer_for(environment, signer) is signer


def test_kms_signs_in_production() -> None:
    signer = KmsSigner(FakeKms(), ARN)

    assert signer_for("prod", signer) is signer


def test_kms_is_given_a_digest_and_the_arn() -> None:
    kms = FakeKms()
    signer = KmsSigner(kms, ARN)

    verified = verify_bundle(signer.sign(plain(image())), TrustMaterial.of(trusting(trusted_key(signer))))

    assert verified.signer == signer.identity
    assert [name for name, _ in kms.calls] == ["sign", "get_public_key"]
    assert {call["KeyId"] for _, call in kms.calls} == {ARN}
    assert len(kms.calls[0][1]["Message"]) == 32
    assert kms.calls[0][1]["SigningAlgorithm"] == "ECDSA_SHA_256"


def test_kms_that_hashes_the_digest_again_is_caught() -> None:
    with pytest.raises(SelfCheckError, match="hash a digest again"):
        KmsSigner(KmsHashingTwice(), ARN).sign(plain(image()))


def test_kms_with_another_key_than_the_pinned_one_is_caught() -> None:
    pinned = to_pem(new_signer().public_key)

    with pytest.raises(SelfCheckError, match="hold another key"):
        KmsSigner(FakeKms(), ARN, public_key=pinned).sign(plain(image()))


def test_a_pinned_key_is_not_asked_for() -> None:
    kms = FakeKms()

    KmsSigner(kms, ARN, public_key=to_pem(kms.key.public_key())).sign(plain(image()))

    assert [name for name, _ in kms.calls] == ["sign"]


def test_a_kms_key_of_another_kind_is_refused() -> None:
    with pytest.raises(SigningError, match="ECC_NIST_P256"):
        _ = KmsSigner(FakeKms(ec.SECP384R1()), ARN).identity


@pytest.mark.parametrize("name", ["alias/release", ARN.replace("key/", "alias/"), "1234abcd", ARN + "\n"])
def test_a_key_is_named_by_arn(name: str) -> None:
    with pytest.raises(SigningError, match="expected a key's ARN"):
        KmsSigner(FakeKms(), name)


def test_nothing_is_signed_that_no_verifier_would_read() -> None:
    kms = FakeKms()

    with pytest.raises(StatementError):
        KmsSigner(kms, ARN).sign(b"{}")
    assert kms.calls == []


def test_a_witness_dates_the_signature(dating: Dating, dating_url: str) -> None:
    signer = LocalKeySigner(
        ec.generate_private_key(ec.SECP256R1()), TimestampWitness(dating_url, dating.trusted_root)
    )
    trust = TrustMaterial.of(trusting(trusted_key(signer), requireTimestamp=True), dating.trusted_root)

    verified = verify_bundle(signer.sign(plain(image())), trust)

    assert len(verified.times) == 1
    assert dating.asked[0].headers["content-type"] == "application/timestamp-query"


def test_a_witness_whom_verifiers_do_not_trust_is_noticed_when_signing(
    other_dating: Dating, dating_url: str
) -> None:
    witness = TimestampWitness(dating_url, other_dating.trusted_root)

    with pytest.raises(SigningServiceError, match="would not be believed"):
        witness.timestamp(b"signature")


def test_a_witness_that_repeats_an_old_answer_is_noticed(dating: Dating) -> None:
    replayed = dating.stamp(b"signature", NOW)

    with serving(lambda _: Answer(200, replayed)) as host:
        witness = TimestampWitness(f"http://{host}", dating.trusted_root)
        with pytest.raises(SigningServiceError, match="another request"):
            witness.timestamp(b"signature")


@pytest.mark.parametrize("answer", [Answer(503), Answer(200, b"no timestamp"), Answer(200, REJECTION)])
def test_a_witness_that_does_not_answer_well_is_an_error_to_retry(dating: Dating, answer: Answer) -> None:
    with serving(lambda _: answer) as host:
        witness = TimestampWitness(f"http://{host}", dating.trusted_root)
        with pytest.raises(SigningServiceError, match=host):
            witness.timestamp(b"signature")


def test_a_witness_needs_an_url_and_a_root_with_authorities(dating: Dating) -> None:
    with pytest.raises(SigningError, match="http or https"):
        TimestampWitness("file:///etc/passwd", dating.trusted_root)
    with pytest.raises(SigningError, match="trusted root"):
        TimestampWitness("http://127.0.0.1", b"{}")
    with pytest.raises(SigningError, match="expected it to name an authority"):
        TimestampWitness("http://127.0.0.1", b'{"mediaType": "%s"}' % ROOT_TYPE.encode())
