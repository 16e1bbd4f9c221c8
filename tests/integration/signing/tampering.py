"""Bundles that were altered on their way, each in one place."""

import base64
import json
from collections.abc import Callable
from typing import Any

Tamper = Callable[[bytes], bytes]


def payload_byte(bundle: bytes) -> bytes:
    """Flip a bit within the signed statement, which stays JSON: `sha256` becomes `sha257`."""
    return _altered(bundle, lambda parts: _flip(parts["dsseEnvelope"], "payload", at=b"sha256", offset=5))


def signature_byte(bundle: bytes) -> bytes:
    return _altered(bundle, lambda parts: _flip(parts["dsseEnvelope"]["signatures"][0], "sig"))


def payload_type(bundle: bytes) -> bytes:
    """Name another type for the same payload: it is signed too."""
    return _altered(bundle, lambda parts: parts["dsseEnvelope"].update(payloadType="application/json"))


def log_entry(bundle: bytes) -> bytes:
    """Let the log hold another digest than was signed; its proof no longer fits."""

    def alter(parts: dict[str, Any]) -> None:
        body = json.loads(base64.b64decode(_entry(parts)["canonicalizedBody"]))
        _flip(body["spec"]["hashedRekordV002"]["data"], "digest")
        canonical = json.dumps(body, sort_keys=True, separators=(",", ":"))
        _entry(parts)["canonicalizedBody"] = base64.b64encode(canonical.encode()).decode()

    return _altered(bundle, alter)


def log_proof(bundle: bytes) -> bytes:
    return _altered(bundle, lambda parts: _flip_in(_entry(parts)["inclusionProof"]["hashes"]))


def log_checkpoint(bundle: bytes) -> bytes:
    """Alter the last byte of the log's signature on its head."""

    def alter(parts: dict[str, Any]) -> None:
        checkpoint = _entry(parts)["inclusionProof"]["checkpoint"]
        note, signature = checkpoint["envelope"].rstrip("\n").rsplit(" ", 1)
        raw = {"signature": signature}
        _flip(raw, "signature")
        checkpoint["envelope"] = f"{note} {raw['signature']}\n"

    return _altered(bundle, alter)


def no_log_entry(bundle: bytes) -> bytes:
    return _altered(bundle, lambda parts: parts["verificationMaterial"]["tlogEntries"].clear())


def timestamp(bundle: bytes) -> bytes:
    """Alter the last byte of the timestamp authority's signature."""
    return _altered(bundle, lambda parts: _flip(_timestamps(parts)[0], "signedTimestamp"))


def no_timestamp(bundle: bytes) -> bytes:
    return _altered(bundle, lambda parts: _timestamps(parts).clear())


def _entry(parts: dict[str, Any]) -> dict[str, Any]:
    entry: dict[str, Any] = parts["verificationMaterial"]["tlogEntries"][0]
    return entry


def _timestamps(parts: dict[str, Any]) -> list[dict[str, str]]:
    stamps: list[dict[str, str]] = parts["verificationMaterial"]["timestampVerificationData"][
        "rfc3161Timestamps"
    ]
    return stamps


def _altered(bundle: bytes, alter: Callable[[dict[str, Any]], None]) -> bytes:
    parts = json.loads(bundle)
    alter(parts)
    altered = json.dumps(parts).encode()
    assert json.loads(altered) != json.loads(bundle)
    return altered


def _flip(holder: dict[str, Any], field: str, *, at: bytes = b"", offset: int = 0) -> None:
    raw = bytearray(base64.b64decode(holder[field]))
    place = raw.index(at) + offset if at else -1
    raw[place] ^= 1
    holder[field] = base64.b64encode(raw).decode()


def _flip_in(hashes: list[str]) -> None:
    raw = bytearray(base64.b64decode(hashes[0]))
    raw[-1] ^= 1
    hashes[0] = base64.b64encode(raw).decode()
