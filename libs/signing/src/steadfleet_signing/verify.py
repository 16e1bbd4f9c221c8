"""Say who signed a bundle, and what, or refuse it and say why. Cryptography only, and no network.

What the signature is worth, `steadfleet_signing.policy` decides.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import AwareDatetime, Field

from steadfleet_core.model import Digest, Model, digest_of
from steadfleet_signing import publickey
from steadfleet_signing.bundle import PAYLOAD_TYPE, Bundle
from steadfleet_signing.errors import (
    BadSignatureError,
    ExpiredKeyError,
    FutureTimestampError,
    MalformedStatementError,
    StatementError,
    UntrustedKeyError,
    VerificationError,
    WrongModeError,
    WrongPayloadTypeError,
)
from steadfleet_signing.statement import Statement
from steadfleet_signing.timestamps import TimestampRefusedError, trusted_time
from steadfleet_signing.trust import Identity, TrustedKey, TrustMaterial

CLOCK_SKEW = timedelta(minutes=5)
"""How far an authority's clock may be ahead of ours."""


class Verified(Model):
    """An attestation whose signature is by someone the policy names, over exactly this statement.

    `signed` is the digest of the bytes that were signed: unlike that of the bundle, nobody but the
    signer can make it another. `times` are when trusted authorities saw the signature; `notes` say
    why others' word did not count.
    """

    bundle: Digest
    signed: Digest
    signer: Identity
    statement: Statement
    times: Annotated[tuple[AwareDatetime, ...], Field(description="in no order")] = ()
    notes: tuple[str, ...] = ()


class Refused(Model):
    """A bundle that proves nothing, and why."""

    bundle: Digest
    reason: str


Attestation = Verified | Refused


def examine(raws: Iterable[bytes], trust: TrustMaterial, *, now: datetime | None = None) -> list[Attestation]:
    """Verify each bundle. One bad bundle among good ones is recorded, never raised."""
    return [_examine(raw, trust, now) for raw in raws]


def _examine(raw: bytes, trust: TrustMaterial, now: datetime | None) -> Attestation:
    try:
        return verify_bundle(raw, trust, now=now)
    except VerificationError as error:
        return Refused(bundle=digest_of(raw), reason=str(error))


def verify_bundle(raw: bytes, trust: TrustMaterial, *, now: datetime | None = None) -> Verified:
    """Return who signed `raw` and what.

    Raises:
        VerificationError: a subclass for each reason.
    """
    bundle, now = Bundle.parse(raw), now or datetime.now(UTC)
    if bundle.dsse_envelope.payload_type != PAYLOAD_TYPE:
        found = bundle.dsse_envelope.payload_type
        raise WrongPayloadTypeError(f"the signature is over {found!r}: expected {PAYLOAD_TYPE}")
    _require_trusted_mode(bundle, trust)
    times, notes = _times(bundle, trust, now)
    signer: Identity
    if bundle.verification_material.certificate is None:
        key = _signing_key(bundle, trust)
        _require_valid(key, times, now)
        signer = key.identity
    else:
        # Imported here: a fleet that trusts keys never loads Sigstore's client.
        from steadfleet_signing.keyless import verify_certificate  # noqa: PLC0415

        signer, promised = verify_certificate(bundle, trust.trusted_root or b"", trust.policy.spec.identities)
        times += promised
    return Verified(
        bundle=digest_of(raw),
        signed=digest_of(bundle.dsse_envelope.payload),
        signer=signer,
        statement=_statement(bundle),
        times=times,
        notes=notes,
    )


def _require_trusted_mode(bundle: Bundle, trust: TrustMaterial) -> None:
    spec = trust.policy.spec
    if not spec.signers:
        raise UntrustedKeyError("the policy trusts nobody: expected keys or identities in it")
    if bundle.verification_material.certificate is not None and not spec.identities:
        raise WrongModeError("the bundle carries a certificate, and the policy trusts keys only")
    if bundle.verification_material.public_key is not None and not spec.keys:
        raise WrongModeError("the bundle is signed by a key, and the policy trusts identities only")


def _signing_key(bundle: Bundle, trust: TrustMaterial) -> TrustedKey:
    envelope = bundle.dsse_envelope
    for entry, key in trust.keys:
        if publickey.is_signed_by(key, envelope.signature, envelope.signed_message):
            return entry
    # The hint only chooses the words: a stranger may write any.
    written = bundle.verification_material.public_key
    for entry, key in trust.keys:
        if written and written.hint == publickey.hint(key):
            raise BadSignatureError(
                f"the signature says it is by {entry}, and is not over this content: it was altered"
            )
    known = ", ".join(entry.name for entry, _ in trust.keys)
    raise UntrustedKeyError(f"it is signed by a key that the policy does not trust: expected one of {known}")


def _times(
    bundle: Bundle, trust: TrustMaterial, now: datetime
) -> tuple[tuple[datetime, ...], tuple[str, ...]]:
    times: list[datetime] = []
    notes: list[str] = []
    for stamp in bundle.verification_material.timestamp_verification_data.rfc3161_timestamps:
        try:
            signature = bundle.dsse_envelope.signature
            times.append(trusted_time(stamp.signed_timestamp, signature, trust.authorities))
        except TimestampRefusedError as error:
            notes.append(f"a timestamp does not count: {error}")
    for time in times:
        if time > now + CLOCK_SKEW:
            raise FutureTimestampError(f"it is dated {time}, and now it is {now}: is a clock wrong?")
    return tuple(times), tuple(notes)


def _require_valid(key: TrustedKey, times: tuple[datetime, ...], now: datetime) -> None:
    # Without a timestamp one thing is known of the time of signing: it is not after now.
    latest = min(times, default=now)
    if key.valid_until and latest > key.valid_until:
        dated = (
            f"it was signed by {latest}" if times else "no trusted timestamp says that it was signed before"
        )
        raise ExpiredKeyError(f"{key} was valid until {key.valid_until}, and {dated}")
    if key.valid_from and latest < key.valid_from:
        raise ExpiredKeyError(f"{key} is valid from {key.valid_from}, and it was signed before, by {latest}")


def _statement(bundle: Bundle) -> Statement:
    try:
        return Statement.parse(bundle.dsse_envelope.payload)
    except StatementError as error:
        raise MalformedStatementError(str(error)) from error
