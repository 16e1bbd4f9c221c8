"""What cosign signs, we accept for exactly who signed it, and refuse once it is altered."""

import base64
import json

import pytest
from integration.signing import tampering
from integration.signing.cosign_key import BY_KEY, CosignKey
from integration.signing.signing import (
    DIGEST,
    PIPELINE,
    PROVENANCE,
    new_signer,
    pem_of,
    trusting_identity,
    trusting_key,
)
from integration.signing.tampering import Tamper

from fakes.sigstore import LocalSigstore
from steadfleet_signing import SLSA_PROVENANCE, OidcIdentity, Verified, verify_bundle
from steadfleet_signing.errors import BadSignatureError, MalformedBundleError, UntrustedKeyError

STATEMENT_V0_1 = b'"https://in-toto.io/Statement/v0.1"'


def test_an_attestation_by_key_is_accepted(key: CosignKey) -> None:
    bundle = key.attest(*BY_KEY)

    verified = verify_bundle(bundle, trusting_key(key.public))

    # cosign still writes the older form of a statement here.
    assert STATEMENT_V0_1 in payload_of(bundle)
    assert verified.statement.predicate_type == SLSA_PROVENANCE
    assert digests(verified) == [DIGEST]
    assert verified.statement.predicate["buildDefinition"] == PROVENANCE["buildDefinition"]


@pytest.mark.parametrize("tamper", [tampering.payload_byte, tampering.signature_byte])
def test_an_altered_attestation_is_refused(key: CosignKey, tamper: Tamper) -> None:
    bundle = key.attest(*BY_KEY)

    with pytest.raises(BadSignatureError):
        verify_bundle(tamper(bundle), trusting_key(key.public))


def test_another_key_is_refused(key: CosignKey) -> None:
    bundle = key.attest(*BY_KEY)

    with pytest.raises(UntrustedKeyError):
        verify_bundle(bundle, trusting_key(pem_of(new_signer())))


def test_a_signature_without_a_statement_is_refused_and_says_why(key: CosignKey) -> None:
    key.run("sign-blob", *BY_KEY, "--bundle", "bundle.json", "artifact")
    bundle = (key.folder / "bundle.json").read_bytes()

    assert b"messageSignature" in bundle
    with pytest.raises(MalformedBundleError, match="dsseEnvelope"):
        verify_bundle(bundle, trusting_key(key.public))


def test_a_keyless_attestation_is_accepted(key: CosignKey, sigstore: LocalSigstore) -> None:
    sigstore.write(key.folder)
    (key.folder / "token").write_text(sigstore.token(PIPELINE))
    services = ("--signing-config", "signing_config.json", "--trusted-root", "trusted_root.json")

    bundle = key.attest(*services, "--identity-token", "token", "--yes")

    verified = verify_bundle(bundle, trusting_identity(sigstore))
    assert verified.signer == OidcIdentity(issuer=sigstore.issuer.url, subject=PIPELINE)
    assert digests(verified) == [DIGEST]
    assert len(verified.times) == 1


def digests(verified: Verified) -> list[str]:
    return [subject.digest["sha256"] for subject in verified.statement.subjects]


def payload_of(bundle: bytes) -> bytes:
    return base64.b64decode(json.loads(bundle)["dsseEnvelope"]["payload"])
