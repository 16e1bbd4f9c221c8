"""
KMS where moto differs from AWS in what a signer can see.

moto hashes a digest once more before it signs or verifies it, signs with keys that are disabled or
about to be deleted, and answers an invalid signature as if that were no error.
"""

from __future__ import annotations

import json
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from moto.core.exceptions import JsonRESTError
from moto.kms.models import KmsBackend
from moto.kms.responses import KmsResponse

from steadfleet_local_cloud.patches import Patches

_RAW_LIMIT = 4096  # bytes
_WINDOW = range(7, 31)  # days
_HASHES: dict[str, type[hashes.HashAlgorithm]] = {
    "SHA_256": hashes.SHA256,
    "SHA_384": hashes.SHA384,
    "SHA_512": hashes.SHA512,
}


class Digest(bytes):
    """A message that is hashed already."""


class Kms:
    """Wrap moto's KMS: the calls of a signer and of whoever ends a key."""

    def __init__(self, patches: Patches) -> None:
        patches.wrap(KmsResponse, "_get_param", _parameter)
        patches.wrap(KmsBackend, "sign", _sign)
        patches.wrap(KmsBackend, "verify", _verify)
        patches.wrap(KmsBackend, "get_public_key", _get_public_key)
        patches.wrap(KmsBackend, "enable_key", _unless_pending)
        patches.wrap(KmsBackend, "disable_key", _unless_pending)
        patches.wrap(KmsBackend, "schedule_key_deletion", _schedule)
        patches.wrap(KmsBackend, "cancel_key_deletion", _cancel)


def _parameter(original: Any, response: Any, name: str, default: Any = None) -> Any:
    value = original(response, name, default)
    if name != "Message" or not isinstance(value, bytes):
        return value
    kind = json.loads(response.body).get("MessageType", "RAW")
    if kind not in {"RAW", "DIGEST"}:
        raise _invalid(f"This local cloud knows the message types RAW and DIGEST, not {kind!r}.")
    if kind == "RAW" and len(value) > _RAW_LIMIT:
        raise _invalid(f"A RAW message has at most {_RAW_LIMIT} bytes, this one {len(value)}.")
    return Digest(value) if kind == "DIGEST" else value


def _sign(original: Any, backend: Any, key_id: str, message: bytes, signing_algorithm: str) -> Any:
    key = _usable(backend, key_id)
    if not isinstance(message, Digest):
        return original(backend, key_id, message, signing_algorithm)
    _, _, algorithm = original(backend, key_id, b"-", signing_algorithm)  # it checks usage and algorithm
    scheme = _scheme(message, signing_algorithm, padding.PSS.DIGEST_LENGTH)
    return key.arn, key.private_key.private_key.sign(bytes(message), *scheme), algorithm


def _verify(
    original: Any, backend: Any, *, key_id: str, message: bytes, signature: bytes, signing_algorithm: str
) -> Any:
    key = _usable(backend, key_id)
    arn, valid, algorithm = original(backend, key_id, message, signature, signing_algorithm)
    if isinstance(message, Digest):
        valid = _holds(key.private_key.private_key.public_key(), message, signature, signing_algorithm)
    if not valid:
        raise JsonRESTError("KMSInvalidSignatureException", "")
    return arn, valid, algorithm


def _holds(public_key: Any, digest: Digest, signature: bytes, signing_algorithm: str) -> bool:
    try:
        public_key.verify(signature, bytes(digest), *_scheme(digest, signing_algorithm, padding.PSS.AUTO))
    except InvalidSignature:
        return False
    return True


def _scheme(digest: Digest, signing_algorithm: str, salt: Any) -> tuple[Any, ...]:
    algorithm = _HASHES[signing_algorithm[-len("SHA_256") :]]()
    if len(digest) != algorithm.digest_size:
        raise _invalid(f"Digest is invalid length for algorithm {signing_algorithm}.")
    if signing_algorithm.startswith("ECDSA"):
        return (ec.ECDSA(Prehashed(algorithm)),)
    if signing_algorithm.startswith("RSASSA_PSS"):
        return padding.PSS(padding.MGF1(algorithm), salt), Prehashed(algorithm)
    return padding.PKCS1v15(), Prehashed(algorithm)


def _get_public_key(original: Any, backend: Any, key_id: str) -> Any:
    _usable(backend, key_id)
    return original(backend, key_id)


def _unless_pending(original: Any, backend: Any, key_id: str) -> None:
    key = _key(backend, key_id)
    _refuse_pending(key)
    original(backend, key.id)


def _schedule(original: Any, backend: Any, key_id: str, pending_window_in_days: int) -> Any:
    key = _key(backend, key_id)
    _refuse_pending(key)
    if pending_window_in_days not in _WINDOW:
        raise _invalid(f"PendingWindowInDays {pending_window_in_days} is not between 7 and 30.")
    return original(backend, key.id, pending_window_in_days)


def _cancel(original: Any, backend: Any, key_id: str) -> None:
    key = _key(backend, key_id)
    if key.key_state != "PendingDeletion":
        raise JsonRESTError("KMSInvalidStateException", f"{key.arn} is not pending deletion.")
    original(backend, key.id)


def _usable(backend: Any, key_id: str) -> Any:
    key = _key(backend, key_id)
    _refuse_pending(key)
    if key.key_state == "Disabled":
        raise JsonRESTError("DisabledException", f"{key.arn} is disabled.")
    return key


def _refuse_pending(key: Any) -> None:
    if key.key_state == "PendingDeletion":
        raise JsonRESTError("KMSInvalidStateException", f"{key.arn} is pending deletion.")


def _key(backend: Any, key_id: str) -> Any:
    return backend.keys[backend.any_id_to_key_id(key_id)]


def _invalid(message: str) -> JsonRESTError:
    return JsonRESTError("ValidationException", message)
