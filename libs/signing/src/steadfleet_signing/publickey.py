"""ECDSA P-256 public keys: the one kind that every Sigstore client and every KMS signs and verifies."""

import base64
import hashlib

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

P256_WORDS = "an ECDSA P-256 public key in PEM (-----BEGIN PUBLIC KEY-----)"


def load_pem(pem: str) -> ec.EllipticCurvePublicKey:
    """Raise ValueError if `pem` is anything but one P-256 public key."""
    if pem.count("-----BEGIN") > 1:
        raise ValueError(f"expected {P256_WORDS}, and only one")
    try:
        key = serialization.load_pem_public_key(pem.encode())
    except Exception as error:  # the parser raises several kinds, and names none of them
        raise ValueError(f"expected {P256_WORDS}") from error
    return require_p256(key)


def require_p256(key: PublicKeyTypes) -> ec.EllipticCurvePublicKey:
    if not (isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1)):
        raise ValueError(f"expected {P256_WORDS}")
    return key


def to_pem(key: ec.EllipticCurvePublicKey) -> str:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_bytes(serialization.Encoding.PEM, form).decode()


def fingerprint(key: ec.EllipticCurvePublicKey) -> str:
    """Return `sha256:…` of the key's SubjectPublicKeyInfo: its name wherever one is needed."""
    return "sha256:" + _spki_digest(key).hex()


def hint(key: ec.EllipticCurvePublicKey) -> str:
    """Return what cosign writes as a bundle's key hint."""
    return base64.b64encode(_spki_digest(key)).decode()


def _spki_digest(key: ec.EllipticCurvePublicKey) -> bytes:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return hashlib.sha256(key.public_bytes(serialization.Encoding.DER, form)).digest()


def is_signed_by(key: ec.EllipticCurvePublicKey, signature: bytes, message: bytes) -> bool:
    try:
        key.verify(signature, message, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True
