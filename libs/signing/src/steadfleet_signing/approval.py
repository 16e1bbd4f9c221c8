"""Proof that an approval is the word of who it names: a signature over exactly what is approved.

Temporal's access control lets everybody who may write say any name. A policy with
`approval.proven: true` lists its approvers' public keys, and counts only what these have signed:
the verb, the campaign, its run, the plan's digest, and an end.

>>> proof = seal(statement_of(approval), private_key)
>>> check_approval(proof, pem, approval, now=now)
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import AwareDatetime

from steadfleet_core.errors import RefusedError
from steadfleet_core.model import Digest, Model
from steadfleet_signing import publickey
from steadfleet_signing.bundle import PAYLOAD_TYPE, Bundle, Envelope, Signature, pae
from steadfleet_signing.errors import (
    BadSignatureError,
    MalformedStatementError,
    StatementError,
    VerificationError,
    WrongPayloadTypeError,
)
from steadfleet_signing.statement import Statement, Subject

APPROVAL = "https://steadfleet.dev/attestation/approval/v1"


class Approval(Model):
    """What is approved. `run` is the first run of the campaign's chain: another of the name is another."""

    verb: str = "approve"
    campaign: str
    run: str
    plan: Digest
    by: str


class SealedApproval(Model):
    """An approval as it is signed; it counts until it expires."""

    approval: Approval
    expires: AwareDatetime


def refuse_bad_keys(keys: Mapping[str, str]) -> None:
    """Raise `RefusedError`, naming the approver whose key cannot be read."""
    for name, pem in keys.items():
        try:
            publickey.load_pem(pem)
        except ValueError as error:
            raise RefusedError(f"spec.approval.keys.{name}: {error}") from error


def statement_of(sealed: SealedApproval) -> bytes:
    """Return the statement's bytes: its subject is the plan."""
    approval = sealed.approval
    subject = Subject(name=approval.campaign, digest={"sha256": approval.plan.removeprefix("sha256:")})
    predicate = sealed.model_dump(mode="json")
    return Statement(subjects=(subject,), predicate_type=APPROVAL, predicate=predicate).canonical()


def seal(statement: bytes, key: ec.EllipticCurvePrivateKey) -> str:
    """Sign with the approver's own key, which never leaves their machine; returns a Sigstore bundle."""
    public = publickey.require_p256(key.public_key())
    signature = key.sign(pae(PAYLOAD_TYPE, statement), ec.ECDSA(hashes.SHA256()))
    envelope = Envelope(payload=statement, payload_type=PAYLOAD_TYPE, signatures=(Signature(sig=signature),))
    return Bundle.of_key(envelope, publickey.hint(public)).to_json().decode()


def check_approval(proof: str, pem: str, expected: Approval, *, now: datetime) -> None:
    """Raise `VerificationError`, saying why, unless the key signed exactly this, and it has not expired."""
    bundle = Bundle.parse(proof.encode())
    if bundle.dsse_envelope.payload_type != PAYLOAD_TYPE:
        raise WrongPayloadTypeError(
            f"the proof signs {bundle.dsse_envelope.payload_type}: expected {PAYLOAD_TYPE}"
        )
    if not publickey.is_signed_by(
        publickey.load_pem(pem), bundle.dsse_envelope.signature, bundle.dsse_envelope.signed_message
    ):
        raise BadSignatureError(f"the proof was not signed by the key that the policy has for {expected.by}")
    sealed = _sealed(bundle.dsse_envelope.payload)
    for field, value in expected.model_dump().items():
        said: Any = getattr(sealed.approval, field)
        if said != value:
            raise VerificationError(f"the proof is for {field} {said}, expected {value}: sign this one")
    if now >= sealed.expires:
        raise VerificationError(f"the proof expired at {sealed.expires:%Y-%m-%d %H:%M} UTC: sign it again")


def _sealed(payload: bytes) -> SealedApproval:
    try:
        statement = Statement.parse(payload)
        if statement.predicate_type != APPROVAL:
            raise MalformedStatementError(f"the proof states {statement.predicate_type}: expected {APPROVAL}")
        return SealedApproval.model_validate(statement.predicate)
    except (StatementError, ValueError) as error:
        raise MalformedStatementError(f"what the proof signs is no approval: {error}") from error
