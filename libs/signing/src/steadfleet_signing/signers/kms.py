"""Signing with a key that never leaves AWS KMS."""

import hashlib
import re
from functools import cached_property
from typing import Any, Protocol

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from steadfleet_signing import publickey
from steadfleet_signing.errors import SigningError
from steadfleet_signing.signers.key import KeySigner
from steadfleet_signing.signers.witness import TimestampWitness

_KEY_ARN = re.compile(r"arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+")


class KmsClient(Protocol):
    """The two calls of boto3's KMS client that signing needs; its errors pass through."""

    @property
    def get_public_key(self) -> Any: ...

    @property
    def sign(self) -> Any: ...


class KmsSigner(KeySigner):
    """Signs with an ECC_NIST_P256 key, named by ARN: an alias could be pointed at another key.

    With `public_key`, the PEM that verifiers are given, KMS is not asked for it, and a key that
    does not fit is noticed at the first signature.
    """

    def __init__(
        self,
        client: KmsClient,
        key_arn: str,
        *,
        public_key: str | None = None,
        witness: TimestampWitness | None = None,
    ) -> None:
        super().__init__(witness)
        if not _KEY_ARN.fullmatch(key_arn):
            raise SigningError(f"KMS key {key_arn!r}: expected a key's ARN (arn:aws:kms:…:key/…), no alias")
        self._client, self._key_arn, self._pem = client, key_arn, public_key

    @cached_property
    def public_key(self) -> ec.EllipticCurvePublicKey:
        try:
            if self._pem:
                return publickey.load_pem(self._pem)
            answer = self._client.get_public_key(KeyId=self._key_arn)
            return publickey.require_p256(serialization.load_der_public_key(answer["PublicKey"]))
        except ValueError as error:
            raise SigningError(f"KMS key {self._key_arn}: {error}; is it of spec ECC_NIST_P256?") from error

    def _sign(self, message: bytes) -> bytes:
        # A digest, for KMS takes no message above 4 KiB, and an SBOM is larger.
        answer = self._client.sign(
            KeyId=self._key_arn,
            Message=hashlib.sha256(message).digest(),
            MessageType="DIGEST",
            SigningAlgorithm="ECDSA_SHA_256",
        )
        return bytes(answer["Signature"])
