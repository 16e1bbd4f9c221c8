"""Signing with a key that is ours for long: the part that does not depend on where it is kept."""

from abc import abstractmethod
from typing import ClassVar, Self

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from steadfleet_signing import publickey
from steadfleet_signing.bundle import PAYLOAD_TYPE, Bundle, Envelope, Signature, pae
from steadfleet_signing.errors import SelfCheckError, SigningError
from steadfleet_signing.signers.signer import Signer
from steadfleet_signing.signers.witness import TimestampWitness
from steadfleet_signing.statement import Statement
from steadfleet_signing.trust import KeyIdentity


class KeySigner(Signer):
    """Signs with one P-256 key, and has a `witness` date the signature, if there is one.

    No Rekor log is asked: log entries are for keyless signing.
    """

    def __init__(self, witness: TimestampWitness | None = None) -> None:
        self._witness = witness

    @property
    @abstractmethod
    def public_key(self) -> ec.EllipticCurvePublicKey:
        """The key that verifiers are given."""

    @abstractmethod
    def _sign(self, message: bytes) -> bytes:
        """Return an ECDSA signature over the SHA-256 of the message, in DER."""

    @property
    def identity(self) -> KeyIdentity:
        return KeyIdentity(fingerprint=publickey.fingerprint(self.public_key))

    def sign(self, statement: bytes) -> bytes:
        Statement.parse(statement)
        message = pae(PAYLOAD_TYPE, statement)
        signature = self._sign(message)
        if not publickey.is_signed_by(self.public_key, signature, message):
            raise SelfCheckError(
                f"the signature just made by {self.identity} does not verify: does the device hash a digest "
                "again, or hold another key?"
            )
        envelope = Envelope(
            payload=statement, payload_type=PAYLOAD_TYPE, signatures=(Signature(sig=signature),)
        )
        timestamps = (self._witness.timestamp(signature),) if self._witness else ()
        return Bundle.of_key(envelope, publickey.hint(self.public_key), timestamps).to_json()


class LocalKeySigner(KeySigner):
    """Signs with a private key in our own memory: for development, rehearsals and tests."""

    development_only: ClassVar[bool] = True

    def __init__(self, key: ec.EllipticCurvePrivateKey, witness: TimestampWitness | None = None) -> None:
        super().__init__(witness)
        publickey.require_p256(key.public_key())
        self._key = key

    @classmethod
    def from_pem(
        cls, pem: bytes, password: bytes | None = None, *, witness: TimestampWitness | None = None
    ) -> Self:
        """Read a P-256 private key, or raise SigningError; its content is never in the message."""
        try:
            key = serialization.load_pem_private_key(pem, password)
        except (ValueError, TypeError) as error:
            raise SigningError(
                "the signing key cannot be read: expected a P-256 private key in PEM, and its password if any"
            ) from error
        if not (isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1)):
            raise SigningError("the signing key is of another kind: expected ECDSA P-256")
        return cls(key, witness)

    @property
    def public_key(self) -> ec.EllipticCurvePublicKey:
        return self._key.public_key()

    def _sign(self, message: bytes) -> bytes:
        # Deterministic (RFC 6979): signing again gives the same bundle, stored under the same digest.
        return self._key.sign(message, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))
