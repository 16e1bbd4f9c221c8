"""An approval counts for exactly what was signed, until it expires."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from steadfleet_core.errors import RefusedError
from steadfleet_signing import publickey
from steadfleet_signing.approval import (
    Approval,
    SealedApproval,
    check_approval,
    refuse_bad_keys,
    seal,
    statement_of,
)
from steadfleet_signing.errors import VerificationError

NOW = datetime(2026, 1, 1, tzinfo=UTC)
KEY = ec.generate_private_key(ec.SECP256R1())
PEM = publickey.to_pem(KEY.public_key())
APPROVED = Approval(campaign="campaign/web", run="run-1", plan=f"sha256:{'a' * 64}", by="bob")


def sealed(approval: Approval = APPROVED, key: ec.EllipticCurvePrivateKey = KEY) -> str:
    return seal(statement_of(SealedApproval(approval=approval, expires=NOW + timedelta(minutes=10))), key)


def test_what_was_signed_counts() -> None:
    check_approval(sealed(), PEM, APPROVED, now=NOW)  # raises nothing, where all that follows does


@pytest.mark.parametrize(
    "other",
    [
        {"verb": "abort"},
        {"campaign": "campaign/api"},
        {"run": "run-2"},
        {"plan": f"sha256:{'b' * 64}"},
        {"by": "eve"},
    ],
)
def test_a_proof_of_anything_else_does_not(other: dict[str, str]) -> None:
    with pytest.raises(VerificationError, match=f"is for {next(iter(other))}"):
        check_approval(sealed(APPROVED.model_copy(update=other)), PEM, APPROVED, now=NOW)


def test_a_proof_by_another_key_does_not() -> None:
    with pytest.raises(VerificationError, match="not signed by the key that the policy has for bob"):
        check_approval(sealed(key=ec.generate_private_key(ec.SECP256R1())), PEM, APPROVED, now=NOW)


def test_a_proof_expires() -> None:
    with pytest.raises(VerificationError, match="expired at 2026-01-01 00:10"):
        check_approval(sealed(), PEM, APPROVED, now=NOW + timedelta(minutes=10))


@given(st.data())
def test_no_changed_proof_counts(data: st.DataObject) -> None:
    proof = sealed()
    payload = proof.index('"payload":"') + len('"payload":"')
    place = data.draw(st.integers(payload, proof.index('"', payload) - 4))
    sign = data.draw(st.sampled_from([sign for sign in "ABCxyz019" if sign != proof[place]]))
    with pytest.raises(VerificationError):
        check_approval(f"{proof[:place]}{sign}{proof[place + 1 :]}", PEM, APPROVED, now=NOW)


def test_a_key_that_cannot_be_read_is_named() -> None:
    with pytest.raises(RefusedError, match=r"spec\.approval\.keys\.bob: expected an ECDSA P-256 public key"):
        refuse_bad_keys({"ann": PEM, "bob": "pem"})
