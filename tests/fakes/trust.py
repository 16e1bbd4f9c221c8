"""Signers with fresh keys, images that exist only as digests, and policies that trust them."""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from steadfleet_signing.predicates import Builder, Outcome, Provenance, Resource, TestResult
from steadfleet_signing.publickey import to_pem
from steadfleet_signing.signers import KeySigner, LocalKeySigner
from steadfleet_signing.statement import (
    CYCLONEDX,
    PLAIN_SIGNATURE,
    SLSA_PROVENANCE,
    TEST_RESULT,
    Statement,
    Subject,
)
from steadfleet_signing.trust import TrustPolicy

BUILDER = "https://steadfleet.dev/builders/image/v1"
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


def new_signer() -> LocalKeySigner:
    return LocalKeySigner(ec.generate_private_key(ec.SECP256R1()))


def image(content: str = "web 1.4.2") -> Subject:
    return Subject(name=content, digest={"sha256": hashlib.sha256(content.encode()).hexdigest()})


def trusted_key(signer: KeySigner, **fields: Any) -> dict[str, Any]:
    return {"name": "release", "pem": to_pem(signer.public_key), "builders": [BUILDER], **fields}


def trusting(*keys: dict[str, Any], environment: str = "prod", **spec: Any) -> TrustPolicy:
    """Write a policy; fields are named as in YAML."""
    content = {"environment": environment, "builders": [BUILDER], "keys": keys, **spec}
    return TrustPolicy.model_validate(
        {
            "apiVersion": "steadfleet.dev/v1",
            "kind": "TrustPolicy",
            "metadata": {"name": environment},
            "spec": content,
        }
    )


def plain(*subjects: Subject) -> bytes:
    return Statement(subjects=subjects, predicate_type=PLAIN_SIGNATURE).canonical()


def provenance(*subjects: Subject, builder: str = BUILDER, finished: datetime = NOW) -> bytes:
    said = Provenance(
        build_type="https://steadfleet.dev/build-types/golden-image/v1",
        external_parameters={"template": "web.pkr.hcl"},
        resolved_dependencies=(Resource(uri="ami-0123456789abcdef0", digest={"sha256": "0" * 64}),),
        builder=Builder(id=builder),
        invocation_id="image/web/1.4.2",
        started=finished - timedelta(minutes=20),
        finished=finished,
    )
    return Statement(
        subjects=subjects, predicate_type=SLSA_PROVENANCE, predicate=said.predicate()
    ).canonical()


def smoke_tested(*subjects: Subject, result: Outcome = Outcome.PASSED, failed: tuple[str, ...] = ()) -> bytes:
    suite = Resource(name="smoke", digest={"sha256": "1" * 64})
    said = TestResult(result=result, configuration=(suite,), passed_tests=("boots",), failed_tests=failed)
    return Statement(subjects=subjects, predicate_type=TEST_RESULT, predicate=said.predicate()).canonical()


def sbom(*subjects: Subject) -> bytes:
    document = {"bomFormat": "CycloneDX", "specVersion": "1.6", "components": []}
    return Statement(subjects=subjects, predicate_type=CYCLONEDX, predicate=document).canonical()
