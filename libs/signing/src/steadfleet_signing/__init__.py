"""Statements, bundles, and verification that needs no network.

`steadfleet_signing.signers` is for the signer service alone, and is not among these names.

>>> statement = Statement(subjects=(image,), predicate_type=PLAIN_SIGNATURE)
>>> trust = TrustMaterial.of(read_contract(text, "trust.yaml", TrustPolicy))
>>> verify_bundle(raw, trust).signer
>>> decide(trust.policy, [measured], examine(bundles, trust), CHANNEL, now=now).reasons
"""

from steadfleet_signing.bundle import BUNDLE_TYPE, Bundle
from steadfleet_signing.errors import SigningError, StatementError, VerificationError
from steadfleet_signing.policy import CHANNEL, PRODUCTION, SIGNED, Decision, Requirement, decide
from steadfleet_signing.statement import (
    CYCLONEDX,
    PLAIN_SIGNATURE,
    SLSA_PROVENANCE,
    TEST_RESULT,
    VERIFICATION_SUMMARY,
    Statement,
    Subject,
)
from steadfleet_signing.trust import Environment, KeyIdentity, OidcIdentity, TrustMaterial, TrustPolicy
from steadfleet_signing.verify import Attestation, Refused, Verified, examine, verify_bundle

__all__ = [
    "BUNDLE_TYPE",
    "CHANNEL",
    "CYCLONEDX",
    "PLAIN_SIGNATURE",
    "PRODUCTION",
    "SIGNED",
    "SLSA_PROVENANCE",
    "TEST_RESULT",
    "VERIFICATION_SUMMARY",
    "Attestation",
    "Bundle",
    "Decision",
    "Environment",
    "KeyIdentity",
    "OidcIdentity",
    "Refused",
    "Requirement",
    "SigningError",
    "Statement",
    "StatementError",
    "Subject",
    "TrustMaterial",
    "TrustPolicy",
    "VerificationError",
    "Verified",
    "decide",
    "examine",
    "verify_bundle",
]
