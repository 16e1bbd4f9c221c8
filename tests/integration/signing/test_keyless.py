"""Signed without a key of ours, against a private Sigstore, and verified for exactly who signed."""

import json

import pytest
from integration.signing import tampering
from integration.signing.signing import (
    PARTS_OF_A_ROOT,
    PIPELINE,
    keyless_signer,
    new_signer,
    pem_of,
    statement,
    trusting_identity,
    trusting_key,
)
from integration.signing.tampering import Tamper

from fakes.sigstore import LocalSigstore, Service
from fakes.sigstore.issuer import Issuer
from steadfleet_signing import OidcIdentity, Statement, VerificationError, verify_bundle
from steadfleet_signing.errors import SigningServiceError, UntrustedIdentityError, WrongModeError
from steadfleet_signing.signers import KeylessSigner

TAMPERED: list[tuple[Tamper, str]] = [
    (tampering.payload_byte, "invalid signature"),
    (tampering.payload_type, "application/json"),
    (tampering.signature_byte, "verified time"),  # which was told of another signature
    (tampering.log_entry, "root hash"),
    (tampering.log_proof, "root hash"),
    (tampering.log_checkpoint, "checkpoint"),
    (tampering.no_log_entry, "log entry"),
    (tampering.timestamp, "verified time"),
    (tampering.no_timestamp, "signed timestamp"),
]


@pytest.fixture(scope="module")
def bundle(sigstore: LocalSigstore) -> bytes:
    return keyless_signer(sigstore).sign(statement())


@pytest.mark.parametrize("subject", [PIPELINE, "release@ci.example"])
def test_what_is_signed_is_accepted_for_who_signed(sigstore: LocalSigstore, subject: str) -> None:
    bundle = keyless_signer(sigstore, subject).sign(statement())

    verified = verify_bundle(bundle, trusting_identity(sigstore, subject=subject))

    assert verified.signer == OidcIdentity(issuer=sigstore.issuer.url, subject=subject)
    assert verified.statement == Statement.parse(statement())
    assert len(verified.times) == 1


@pytest.mark.parametrize("subject", [PIPELINE + "/more", PIPELINE[:-1], "https://ci.example/other.yml"])
def test_another_subject_is_refused(sigstore: LocalSigstore, bundle: bytes, subject: str) -> None:
    with pytest.raises(UntrustedIdentityError):
        verify_bundle(bundle, trusting_identity(sigstore, subject=subject))


def test_another_issuer_is_refused(sigstore: LocalSigstore, bundle: bytes) -> None:
    with pytest.raises(UntrustedIdentityError):
        verify_bundle(bundle, trusting_identity(sigstore, issuer="https://issuer.example"))


def test_another_instance_proves_nothing(
    sigstore: LocalSigstore, other_sigstore: LocalSigstore, bundle: bytes
) -> None:
    foreign = keyless_signer(other_sigstore).sign(statement())

    verify_bundle(foreign, trusting_identity(other_sigstore))
    with pytest.raises(UntrustedIdentityError):
        verify_bundle(foreign, trusting_identity(sigstore))
    with pytest.raises(UntrustedIdentityError):
        verify_bundle(bundle, trusting_identity(other_sigstore))


@pytest.mark.parametrize("part", PARTS_OF_A_ROOT)
def test_every_party_must_be_one_that_is_trusted(
    sigstore: LocalSigstore, other_sigstore: LocalSigstore, bundle: bytes, part: str
) -> None:
    root = sigstore.trusted_root | {part: other_sigstore.trusted_root[part]}

    with pytest.raises(UntrustedIdentityError):
        verify_bundle(bundle, trusting_identity(sigstore, root=root))


@pytest.mark.parametrize(("tamper", "reason"), TAMPERED)
def test_an_altered_bundle_is_refused(
    sigstore: LocalSigstore, bundle: bytes, tamper: Tamper, reason: str
) -> None:
    with pytest.raises(VerificationError, match=reason):
        verify_bundle(tamper(bundle), trusting_identity(sigstore))


def test_keys_do_not_vouch_for_certificates(sigstore: LocalSigstore, bundle: bytes) -> None:
    with pytest.raises(WrongModeError):
        verify_bundle(bundle, trusting_key(pem_of(new_signer())))
    with pytest.raises(WrongModeError):
        verify_bundle(new_signer().sign(statement()), trusting_identity(sigstore))


def test_a_token_of_another_issuer_gets_no_certificate(sigstore: LocalSigstore) -> None:
    with Issuer.running() as stranger:
        signer = KeylessSigner(json.dumps(sigstore.trust_config), lambda: stranger.token(PIPELINE))

        with pytest.raises(SigningServiceError, match=r"401.*BadTokenError"):
            signer.sign(statement())


def test_a_token_for_another_audience_gets_no_certificate(sigstore: LocalSigstore) -> None:
    token = sigstore.issuer.token(PIPELINE, audience="something-else")

    with pytest.raises(SigningServiceError):
        KeylessSigner(json.dumps(sigstore.trust_config), lambda: token).sign(statement())


@pytest.mark.parametrize(
    ("service", "words"),
    [
        (Service.CERTIFICATES, "503"),
        (Service.LOG, "503"),
        (Service.TIMESTAMPS, "does the timestamp authority answer"),
    ],
)
def test_a_service_that_is_down_is_named_and_signing_again_helps(
    sigstore: LocalSigstore, service: Service, words: str
) -> None:
    with LocalSigstore.running(sigstore.issuer) as ailing:
        signer = keyless_signer(ailing)
        ailing.down.add(service)
        with pytest.raises(SigningServiceError, match=words):
            signer.sign(statement())
        ailing.down.clear()

        verify_bundle(signer.sign(statement()), trusting_identity(ailing))
