import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.trust import image, new_signer, plain, trusted_key, trusting
from steadfleet_core.model import digest_of
from steadfleet_signing import (
    Bundle,
    Refused,
    Statement,
    TrustMaterial,
    VerificationError,
    Verified,
    examine,
    verify_bundle,
)
from steadfleet_signing.bundle import Envelope, Signature, pae
from steadfleet_signing.errors import (
    BadSignatureError,
    MalformedStatementError,
    UntrustedKeyError,
    WrongModeError,
    WrongPayloadTypeError,
)
from steadfleet_signing.publickey import hint

SIGNER = new_signer()
TRUST = TrustMaterial.of(trusting(trusted_key(SIGNER)))
PAYLOAD = plain(image())
RAW = SIGNER.sign(PAYLOAD)
CERTIFIED = TrustMaterial.of(
    trusting(
        identities=[{"issuer": "https://ci.example", "subject": "build", "builders": []}],
        environment="staging",
    ),
    trusted_root=b'{"mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1"}',
)


def bundle_of(
    payload: bytes, *, payload_type: str = "application/vnd.in-toto+json", sig: bytes = b""
) -> bytes:
    signature = sig or SIGNER._sign(pae(payload_type, payload))
    envelope = Envelope(payload=payload, payload_type=payload_type, signatures=(Signature(sig=signature),))
    return Bundle.of_key(envelope, hint(SIGNER.public_key)).to_json()


def with_certificate() -> bytes:
    content: dict[str, Any] = json.loads(RAW)
    content["verificationMaterial"].pop("publicKey")
    content["verificationMaterial"]["certificate"] = {"rawBytes": "AAAA"}
    return json.dumps(content).encode()


def test_a_bundle_by_a_trusted_key_says_who_signed_what() -> None:
    verified = verify_bundle(RAW, TRUST)

    assert verified == Verified(
        bundle=digest_of(RAW),
        signed=digest_of(PAYLOAD),
        signer=SIGNER.identity,
        statement=Statement.parse(PAYLOAD),
    )


def test_any_of_the_trusted_keys_will_do() -> None:
    others = [trusted_key(new_signer(), name=f"other-{i}") for i in range(2)]
    trust = TrustMaterial.of(trusting(*others, trusted_key(SIGNER)))

    assert verify_bundle(RAW, trust).signer == SIGNER.identity


def test_what_is_verified_survives_being_sent() -> None:
    verified = verify_bundle(RAW, TRUST)

    assert Verified.model_validate_json(verified.model_dump_json()) == verified


def test_a_bundle_by_another_key_is_refused() -> None:
    with pytest.raises(UntrustedKeyError, match="does not trust: expected one of release"):
        verify_bundle(new_signer().sign(PAYLOAD), TRUST)


def test_a_hint_is_no_reason_to_trust() -> None:
    content = json.loads(new_signer().sign(PAYLOAD))
    content["verificationMaterial"]["publicKey"]["hint"] = hint(SIGNER.public_key)

    with pytest.raises(BadSignatureError):
        verify_bundle(json.dumps(content).encode(), TRUST)


@given(at=st.integers(0, len(PAYLOAD) - 1), by=st.integers(1, 255))
def test_a_flipped_byte_of_the_payload_is_noticed(at: int, by: int) -> None:
    altered = flipped(PAYLOAD, at, by)
    signature = Bundle.parse(RAW).dsse_envelope.signature

    with pytest.raises(BadSignatureError, match="key release, and is not over this content"):
        verify_bundle(bundle_of(altered, sig=signature), TRUST)


@given(st.data())
def test_a_flipped_byte_of_the_signature_is_noticed(data: st.DataObject) -> None:
    signature = Bundle.parse(RAW).dsse_envelope.signature
    at, by = data.draw(st.integers(0, len(signature) - 1)), data.draw(st.integers(1, 255))

    with pytest.raises(BadSignatureError):
        verify_bundle(bundle_of(PAYLOAD, sig=flipped(signature, at, by)), TRUST)


@given(at=st.integers(0, len(RAW) - 1), by=st.integers(1, 255))
def test_a_flipped_byte_of_the_bundle_is_refused_or_means_nothing(at: int, by: int) -> None:
    try:
        verified = verify_bundle(flipped(RAW, at, by), TRUST)
    except VerificationError:
        return

    # Only the hint and the key id are not signed, and nobody believes them.
    assert (verified.signer, verified.statement) == (SIGNER.identity, Statement.parse(PAYLOAD))


def flipped(raw: bytes, at: int, by: int) -> bytes:
    return raw[:at] + bytes([raw[at] ^ by]) + raw[at + 1 :]


@given(st.binary(max_size=200))
def test_noise_is_refused_and_never_crashes(noise: bytes) -> None:
    assert isinstance(examine([noise], TRUST)[0], Refused)


def test_a_signature_over_something_else_than_a_statement_is_refused() -> None:
    with pytest.raises(WrongPayloadTypeError, match=r"'text/plain': expected application/vnd\.in-toto"):
        verify_bundle(bundle_of(PAYLOAD, payload_type="text/plain"), TRUST)


def test_the_type_of_the_payload_is_signed_too() -> None:
    signature = SIGNER._sign(pae("text/plain", PAYLOAD))

    with pytest.raises(BadSignatureError):
        verify_bundle(bundle_of(PAYLOAD, sig=signature), TRUST)


@pytest.mark.parametrize(
    "payload", [b"{}", b"not JSON", PAYLOAD.replace(b'"_type"', b'"_type":"","_type"', 1)]
)
def test_rightly_signed_nonsense_is_refused(payload: bytes) -> None:
    with pytest.raises(MalformedStatementError):
        verify_bundle(bundle_of(payload), TRUST)


def test_a_policy_that_trusts_nobody_refuses_all() -> None:
    with pytest.raises(UntrustedKeyError, match="trusts nobody"):
        verify_bundle(RAW, TrustMaterial.of(trusting(environment="dev")))


def test_a_policy_of_keys_refuses_certificates() -> None:
    with pytest.raises(WrongModeError, match="trusts keys only"):
        verify_bundle(with_certificate(), TRUST)


def test_a_policy_of_identities_refuses_keys() -> None:
    with pytest.raises(WrongModeError, match="trusts identities only"):
        verify_bundle(RAW, CERTIFIED)


def test_one_bad_bundle_among_good_ones_is_recorded() -> None:
    good, bad, again = examine([RAW, b"{}", RAW], TRUST)

    assert isinstance(good, Verified)
    assert isinstance(again, Verified)
    assert isinstance(bad, Refused)
    assert bad.bundle == digest_of(b"{}")
    assert "verificationMaterial" in bad.reason


def test_a_bundle_that_sigstore_cannot_read_is_refused_too() -> None:
    attestation = examine([with_certificate()], CERTIFIED)[0]

    assert isinstance(attestation, Refused)
    assert "its certificate proves nothing" in attestation.reason


def test_verifying_keys_loads_no_sigstore_client() -> None:
    code = """
import sys
from fakes.trust import *
from steadfleet_signing import *
signer = new_signer()
verify_bundle(signer.sign(plain(image())), TrustMaterial.of(trusting(trusted_key(signer))))
print([module for module in sys.modules if module.split(".")[0] in ("sigstore", "tuf", "requests", "boto3")])
"""
    run = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        text=True,
        capture_output=True,
        cwd=Path(__file__).parents[2],
    )

    assert run.stdout.strip() == "[]"
