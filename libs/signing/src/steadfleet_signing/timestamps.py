"""RFC 3161: a timestamp authority's word that a signature existed at a time.

It bounds the time of signing from above only: whoever holds an old signature can have it dated anew.
"""

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

import rfc3161_client
from cryptography import x509

from steadfleet_signing.strict_json import read_object

ROOT_TYPE = "application/vnd.dev.sigstore.trustedroot+json;version=0.1"
MOST_ROOT_BYTES = 2**20


class TimestampRefusedError(ValueError):
    """A timestamp that dates nothing: damaged, of another authority or over another signature."""


@dataclass(frozen=True)
class TimestampAuthority:
    """One authority of a trusted root: its certificates, leaf first, and when its word counts."""

    certificates: tuple[x509.Certificate, ...]
    valid_from: datetime
    valid_until: datetime | None

    @classmethod
    def from_json(cls, authority: Mapping[str, Any]) -> Self:
        ders = [base64.b64decode(c["rawBytes"]) for c in authority["certChain"]["certificates"]]
        certificates = tuple(x509.load_der_x509_certificate(der) for der in ders)
        if len(certificates) < 2:  # noqa: PLR2004  # what signs, and what vouches for it
            raise ValueError("a timestamp authority's certChain: expected its certificate and its root's")
        period = authority["validFor"]
        end = datetime.fromisoformat(period["end"]) if period.get("end") else None
        return cls(certificates, datetime.fromisoformat(period["start"]), end)

    def time_of(self, response: rfc3161_client.TimeStampResponse, message: bytes) -> datetime:
        """Return when `message` existed, or raise TimestampRefusedError."""
        leaf, *intermediates, root = self.certificates
        builder = rfc3161_client.VerifierBuilder().tsa_certificate(leaf).add_root_certificate(root)
        for certificate in intermediates:
            builder = builder.add_intermediate_certificate(certificate)
        try:
            builder.build().verify_message(response, message)
            time = response.tst_info.gen_time
        except Exception as error:  # it is a stranger's: a refusal without a token raises ValueError, say
            raise TimestampRefusedError(str(error) or type(error).__name__) from error
        if time < self.valid_from or (self.valid_until is not None and time > self.valid_until):
            raise TimestampRefusedError(f"it says {time}, when its authority was not trusted")
        return time


def authorities_of(trusted_root: bytes) -> tuple[TimestampAuthority, ...]:
    """Read the timestamp authorities of a Sigstore `trusted_root.json`; raise ValueError if it is none."""
    root = read_object(trusted_root, most_bytes=MOST_ROOT_BYTES)
    if root.get("mediaType") != ROOT_TYPE:
        raise ValueError(f"has mediaType {root.get('mediaType')!r}: expected {ROOT_TYPE}")
    try:
        return tuple(TimestampAuthority.from_json(each) for each in root.get("timestampAuthorities") or ())
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"has a damaged timestamp authority: {error!r}") from error


def trusted_time(raw: bytes, message: bytes, authorities: Iterable[TimestampAuthority]) -> datetime:
    """Return when one of the authorities saw `message`, or raise TimestampRefusedError."""
    try:
        response = rfc3161_client.decode_timestamp_response(raw)
    except ValueError as error:
        raise TimestampRefusedError(f"it is no RFC 3161 response: {error}") from error
    refusals = []
    for authority in authorities:
        try:
            return authority.time_of(response, message)
        except TimestampRefusedError as error:
            refusals.append(str(error))
    raise TimestampRefusedError("; ".join(refusals) or "the policy's trustedRoot has no timestamp authority")
