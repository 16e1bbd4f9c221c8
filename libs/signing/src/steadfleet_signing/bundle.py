"""Sigstore bundles v0.3 that hold one DSSE envelope: how attestations are stored and sent.

A bundle is read strictly, because whoever can write to the store can write one. Nothing in it is
believed here; `steadfleet_signing.verify` does that.
"""

import base64
import binascii
import json
from collections.abc import Callable
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    model_validator,
)
from pydantic.alias_generators import to_camel

from steadfleet_core.model import Model
from steadfleet_signing.errors import MalformedBundleError
from steadfleet_signing.strict_json import first_problem, read_object

BUNDLE_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
_READ_TYPES = frozenset({BUNDLE_TYPE, "application/vnd.dev.sigstore.bundle+json;version=0.3"})
PAYLOAD_TYPE = "application/vnd.in-toto+json"

MOST_BUNDLE_BYTES = 24 * 2**20
MOST_WITNESSES = 32
"""Log entries, and timestamps, that a bundle may carry: each costs time to verify."""


def pae(payload_type: str, payload: bytes) -> bytes:
    """Return what a DSSE signature is over: the payload with its type, unambiguously joined."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def _decode(value: object) -> bytes:
    if isinstance(value, bytes):
        return value
    try:
        raw = base64.b64decode(value if isinstance(value, str) else "", validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("expected base64") from error
    # Stray bits after the last byte would let the same content be written in several ways.
    if not raw or base64.b64encode(raw).decode() != value:
        raise ValueError("expected base64 of at least one byte, padded")
    return raw


def _encode(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _one_of(allowed: frozenset[str]) -> Callable[[str], str]:
    def check(value: str) -> str:
        if value not in allowed:
            raise ValueError(f"expected {' or '.join(sorted(allowed))}")
        return value

    return check


Base64 = Annotated[bytes, BeforeValidator(_decode), PlainSerializer(_encode, when_used="json")]


class _Message(Model):
    """A protobuf message in its JSON form."""

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True, validate_by_alias=True)


class PublicKeyHint(_Message):
    """Whose key it may be; opaque, unsigned, and never a reason to trust."""

    hint: str = ""


class Certificate(_Message):
    raw_bytes: Base64


class SignedTimestamp(_Message):
    signed_timestamp: Base64


class TimestampData(_Message):
    rfc3161_timestamps: Annotated[tuple[SignedTimestamp, ...], Field(max_length=MOST_WITNESSES)] = ()


def _log_entry(entry: dict[str, Any]) -> dict[str, Any]:
    """Write out the zeros and empty lists that protobuf's JSON leaves out, and Sigstore's client needs."""
    proof = entry.get("inclusionProof")
    if isinstance(proof, dict):
        entry = {**entry, "inclusionProof": {"logIndex": "0", "hashes": [], **proof}}
    return {"logIndex": "0", **entry}


LogEntry = Annotated[dict[str, Any], AfterValidator(_log_entry)]
"""An entry of a transparency log, as it is written: only Sigstore's client reads it."""


class VerificationMaterial(_Message):
    public_key: PublicKeyHint | None = None
    certificate: Certificate | None = None
    tlog_entries: Annotated[tuple[LogEntry, ...], Field(max_length=MOST_WITNESSES)] = ()
    timestamp_verification_data: TimestampData = TimestampData()

    @model_validator(mode="after")
    def _one_kind_of_signer(self) -> Self:
        if (self.public_key is None) == (self.certificate is None):
            raise ValueError("expected either a publicKey or a certificate")
        return self


class Signature(_Message):
    sig: Base64
    keyid: str = ""


class Envelope(_Message):
    payload: Base64
    payload_type: str
    signatures: Annotated[tuple[Signature, ...], Field(min_length=1, max_length=1)]

    @property
    def signature(self) -> bytes:
        return self.signatures[0].sig

    @property
    def signed_message(self) -> bytes:
        return pae(self.payload_type, self.payload)


class Bundle(_Message):
    media_type: Annotated[str, AfterValidator(_one_of(_READ_TYPES))] = BUNDLE_TYPE
    verification_material: VerificationMaterial
    dsse_envelope: Envelope

    @classmethod
    def of_key(cls, envelope: Envelope, hint: str, timestamps: tuple[bytes, ...] = ()) -> Self:
        witnessed = TimestampData(
            rfc3161_timestamps=tuple(SignedTimestamp(signed_timestamp=raw) for raw in timestamps)
        )
        material = VerificationMaterial(
            public_key=PublicKeyHint(hint=hint), timestamp_verification_data=witnessed
        )
        return cls(verification_material=material, dsse_envelope=envelope)

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """Read a stranger's bundle, or raise MalformedBundleError."""
        try:
            content = _without_nulls(read_object(raw, most_bytes=MOST_BUNDLE_BYTES))
            return cls.model_validate(content, by_alias=True, by_name=False)
        except ValidationError as error:
            raise MalformedBundleError(f"the bundle's {first_problem(error)}") from error
        except ValueError as error:
            raise MalformedBundleError(f"the bundle {error}") from error

    def to_json(self) -> bytes:
        """Write the bundle as every Sigstore client reads it."""
        content = self.model_dump(mode="json", by_alias=True, exclude_none=True)
        witnessed = content["verificationMaterial"]["timestampVerificationData"]
        if not witnessed["rfc3161Timestamps"]:
            witnessed.clear()
        return json.dumps(content, separators=(",", ":")).encode()


def _without_nulls(value: Any) -> Any:
    """Leave out what is null: in protobuf's JSON that is the same as not set."""
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value
