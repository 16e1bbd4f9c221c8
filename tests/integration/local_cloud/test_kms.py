"""Keys that sign: plain boto3 asks, `cryptography` judges."""

import hashlib
from collections.abc import Callable
from typing import Any, Literal

import boto3
import pytest
from botocore.exceptions import ClientError
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key
from integration.local_cloud.aws import Aws
from moto import mock_aws
from securesystemslib.signer import AWSSigner, SSlibKey  # type: ignore[attr-defined]  # its own public names

from steadfleet_local_cloud import LocalCloud

ALGORITHM: Literal["ECDSA_SHA_256"] = "ECDSA_SHA_256"
MESSAGE = b"a statement " * 1000  # more than KMS takes in the raw
DIGEST = hashlib.sha256(MESSAGE).digest()


def error_code(call: Callable[[], object]) -> str:
    with pytest.raises(ClientError) as refused:
        call()
    return refused.value.response["Error"]["Code"]


def make_key(kms: Any, spec: str = "ECC_NIST_P256") -> str:
    return str(kms.create_key(KeySpec=spec, KeyUsage="SIGN_VERIFY")["KeyMetadata"]["Arn"])


def sign(kms: Any, key: str, message: bytes = DIGEST, kind: str = "DIGEST") -> bytes:
    answer = kms.sign(KeyId=key, Message=message, MessageType=kind, SigningAlgorithm=ALGORITHM)
    return bytes(answer["Signature"])


def public_key(kms: Any, key: str) -> ec.EllipticCurvePublicKey:
    found = load_der_public_key(kms.get_public_key(KeyId=key)["PublicKey"])
    assert isinstance(found, ec.EllipticCurvePublicKey)
    return found


def test_a_digest_is_signed_as_it_is(aws: Aws) -> None:
    key = make_key(aws.kms)

    signature = sign(aws.kms, key)

    public_key(aws.kms, key).verify(signature, MESSAGE, ec.ECDSA(hashes.SHA256()))
    with pytest.raises(InvalidSignature):
        public_key(aws.kms, key).verify(signature, DIGEST, ec.ECDSA(hashes.SHA256()))


def test_a_short_message_is_hashed_and_signed(aws: Aws) -> None:
    key = make_key(aws.kms)

    signature = sign(aws.kms, key, b"short", "RAW")

    public_key(aws.kms, key).verify(signature, b"short", ec.ECDSA(hashes.SHA256()))


def test_a_digest_is_verified_as_it_is(aws: Aws) -> None:
    key = make_key(aws.kms)
    short = hashlib.sha256(b"short").digest()
    signature = sign(aws.kms, key, b"short", "RAW")

    def verify(message: bytes, kind: Any) -> dict[str, Any]:
        return dict(
            aws.kms.verify(
                KeyId=key,
                Message=message,
                MessageType=kind,
                Signature=signature,
                SigningAlgorithm=ALGORITHM,
            )
        )

    assert verify(b"short", "RAW")["SignatureValid"]
    assert verify(short, "DIGEST")["SignatureValid"]
    assert error_code(lambda: verify(DIGEST, "DIGEST")) == "KMSInvalidSignatureException"
    assert error_code(lambda: verify(short, "RAW")) == "KMSInvalidSignatureException"


@pytest.mark.parametrize("spec", ["RSASSA_PSS_SHA_256", "RSASSA_PKCS1_V1_5_SHA_512"])
def test_an_rsa_key_signs_digests_too(aws: Aws, spec: Any) -> None:
    key = make_key(aws.kms, "RSA_2048")
    digest = (hashlib.sha256 if spec.endswith("256") else hashlib.sha512)(MESSAGE).digest()

    signature = aws.kms.sign(KeyId=key, Message=digest, MessageType="DIGEST", SigningAlgorithm=spec)[
        "Signature"
    ]

    assert aws.kms.verify(
        KeyId=key, Message=digest, MessageType="DIGEST", Signature=signature, SigningAlgorithm=spec
    )["SignatureValid"]


@pytest.mark.parametrize(
    ("message", "kind"), [(DIGEST + b"x", "DIGEST"), (MESSAGE, "RAW"), (DIGEST, "EXTERNAL_MU")]
)
def test_what_kms_does_not_sign_is_refused(aws: Aws, message: bytes, kind: str) -> None:
    key = make_key(aws.kms)

    assert error_code(lambda: sign(aws.kms, key, message, kind)) == "ValidationException"


def test_an_alias_signs_as_its_key(aws: Aws) -> None:
    key = make_key(aws.kms)
    aws.kms.create_alias(AliasName="alias/images", TargetKeyId=key)

    signature = sign(aws.kms, "alias/images")

    public_key(aws.kms, key).verify(signature, MESSAGE, ec.ECDSA(hashes.SHA256()))


def test_a_disabled_key_signs_nothing_until_it_is_enabled(aws: Aws) -> None:
    key = make_key(aws.kms)
    aws.kms.disable_key(KeyId=key)

    assert error_code(lambda: sign(aws.kms, key)) == "DisabledException"
    assert error_code(lambda: public_key(aws.kms, key)) == "DisabledException"

    aws.kms.enable_key(KeyId=key)
    assert sign(aws.kms, key)


def test_a_key_that_will_be_deleted_signs_nothing(aws: Aws) -> None:
    key = make_key(aws.kms)
    assert (
        error_code(lambda: aws.kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=3))
        == "ValidationException"
    )
    aws.kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)

    assert aws.kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "PendingDeletion"
    for attempt in (
        lambda: sign(aws.kms, key),
        lambda: aws.kms.enable_key(KeyId=key),
        lambda: aws.kms.disable_key(KeyId=key),
        lambda: aws.kms.schedule_key_deletion(KeyId=key),
    ):
        assert error_code(attempt) == "KMSInvalidStateException"

    aws.kms.cancel_key_deletion(KeyId=key)
    assert error_code(lambda: sign(aws.kms, key)) == "DisabledException"
    assert error_code(lambda: aws.kms.cancel_key_deletion(KeyId=key)) == "KMSInvalidStateException"


def test_a_key_that_encrypts_does_not_sign(aws: Aws) -> None:
    key = aws.kms.create_key()["KeyMetadata"]["Arn"]

    assert error_code(lambda: sign(aws.kms, key)) == "ValidationException"


def test_securesystemslib_signs_with_it(cloud: LocalCloud, aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    key = make_key(aws.kms)
    for name, value in {
        "AWS_ENDPOINT_URL_KMS": cloud.endpoint,
        "AWS_DEFAULT_REGION": cloud.region,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
    }.items():
        monkeypatch.setenv(name, value)

    uri, public = AWSSigner.import_(key)
    signature = AWSSigner.from_priv_key_uri(uri, public).sign(MESSAGE)

    assert isinstance(public, SSlibKey)
    public.verify_signature(signature, MESSAGE)


@mock_aws
def test_moto_alone_still_hashes_a_digest_again() -> None:
    """When this fails, moto has mended it: take `Digest` and what it needs out of `kms.py`."""
    kms = boto3.client("kms", "eu-west-1", aws_access_key_id="a", aws_secret_access_key="b")
    key = make_key(kms)

    signature = sign(kms, key)

    with pytest.raises(InvalidSignature):
        public_key(kms, key).verify(signature, MESSAGE, ec.ECDSA(hashes.SHA256()))
    public_key(kms, key).verify(signature, DIGEST, ec.ECDSA(hashes.SHA256()))
