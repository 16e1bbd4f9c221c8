"""What we sign in these tests, with what, and whom we then trust."""

import hashlib
import json
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from fakes.sigstore import LocalSigstore
from steadfleet_signing import publickey
from steadfleet_signing.signers import KeylessSigner, LocalKeySigner, TimestampWitness
from steadfleet_signing.statement import SLSA_PROVENANCE, Statement, Subject
from steadfleet_signing.trust import (
    Environment,
    TrustedIdentity,
    TrustedKey,
    TrustMaterial,
    TrustMetadata,
    TrustPolicy,
    TrustSpec,
)

ARTIFACT = b"the content of an image"
DIGEST = hashlib.sha256(ARTIFACT).hexdigest()
PIPELINE = "https://ci.example/build.yml"

PARTS_OF_A_ROOT = ("certificateAuthorities", "ctlogs", "timestampAuthorities", "tlogs")

PROVENANCE = {
    "buildDefinition": {
        "buildType": "https://steadfleet.dev/build-types/image/v1",
        "externalParameters": {"family": "web", "größe": 1, "ratio": 0.5},
    },
    "runDetails": {"builder": {"id": "https://steadfleet.dev/builders/image/v1"}},
}


def new_signer(witness: TimestampWitness | None = None) -> LocalKeySigner:
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return LocalKeySigner.from_pem(pem, witness=witness)


def keyless_signer(sigstore: LocalSigstore, subject: str = PIPELINE) -> KeylessSigner:
    return KeylessSigner(json.dumps(sigstore.trust_config), lambda: sigstore.token(subject))


def pem_of(signer: LocalKeySigner) -> str:
    return publickey.to_pem(signer.public_key)


def statement(predicate_type: str = SLSA_PROVENANCE) -> bytes:
    predicate = PROVENANCE if predicate_type == SLSA_PROVENANCE else {}
    subject = Subject(name="registry.example/web", digest={"sha256": DIGEST})
    return Statement(subjects=(subject,), predicate_type=predicate_type, predicate=predicate).canonical()


def trusting_key(pem: str) -> TrustMaterial:
    return TrustMaterial.of(_policy(keys=(TrustedKey(name="signer", pem=pem),)))


def root_of(sigstore: LocalSigstore) -> bytes:
    return json.dumps(sigstore.trusted_root).encode()


def trusting_identity(
    sigstore: LocalSigstore,
    *,
    subject: str = PIPELINE,
    issuer: str | None = None,
    root: dict[str, Any] | None = None,
) -> TrustMaterial:
    identity = TrustedIdentity(issuer=issuer or sigstore.issuer.url, subject=subject)
    return TrustMaterial.of(
        _policy(identities=(identity,)), json.dumps(root or sigstore.trusted_root).encode()
    )


def _policy(keys: tuple[TrustedKey, ...] = (), identities: tuple[TrustedIdentity, ...] = ()) -> TrustPolicy:
    return TrustPolicy(
        api_version="steadfleet.dev/v1",
        kind="TrustPolicy",
        metadata=TrustMetadata(name="interop"),
        spec=TrustSpec(environment=Environment.DEV, keys=keys, identities=identities),
    )
