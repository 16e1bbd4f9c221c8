import json
import textwrap
from typing import Any

import pytest
import yaml

from fakes.dating import Dating
from fakes.trust import BUILDER, new_signer, trusted_key, trusting
from steadfleet_core.contract import read_contract
from steadfleet_core.errors import ContractError
from steadfleet_signing import OidcIdentity, TrustMaterial, TrustPolicy, trust
from steadfleet_signing.publickey import fingerprint, to_pem

SIGNER = new_signer()
CI = {"issuer": "https://ci.example", "subject": "build", "builders": [BUILDER]}


def read(**spec: Any) -> TrustPolicy:
    content = {
        "apiVersion": "steadfleet.dev/v1",
        "kind": "TrustPolicy",
        "metadata": {"name": "production"},
        "spec": {"environment": "prod", "builders": [BUILDER], "keys": [trusted_key(SIGNER)], **spec},
    }
    return read_contract(yaml.safe_dump(content, sort_keys=False), "trust.yaml", TrustPolicy)


def test_a_policy_is_written_as_yaml() -> None:
    policy = read(identities=[CI], maxAge="90d", requireTimestamp=True, trustedRoot="{}")

    assert [str(signer) for signer in policy.spec.signers] == ["key release", "build of https://ci.example"]
    key = policy.entry_of(SIGNER.identity)
    assert key
    assert SIGNER.identity.fingerprint == fingerprint(SIGNER.public_key)
    assert policy.entry_of(OidcIdentity(issuer="https://ci.example", subject="build")) is not None
    assert policy.entry_of(OidcIdentity(issuer="https://other.example", subject="build")) is None


def test_the_policy_in_the_documentation_is_one() -> None:
    _, _, example = (trust.__doc__ or "").partition("\n\n")
    key = textwrap.indent(to_pem(SIGNER.public_key), " " * 8)
    text = example.replace("        -----BEGIN PUBLIC KEY-----\n        …\n", key)

    policy = read_contract(text, "trust.yaml", TrustPolicy)

    assert policy.entry_of(SIGNER.identity)


PRIVATE = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        ({"environment": "production"}, "trust.yaml:6: spec.environment: production — expected one of dev"),
        ({"keys": [trusted_key(SIGNER, pem=PRIVATE)]}, "expected an ECDSA P-256 public key"),
        ({"keys": [trusted_key(SIGNER, pem=to_pem(SIGNER.public_key) * 2)]}, "and only one"),
        ({"keys": [trusted_key(SIGNER, validUntil="soon")]}, "expected a time with its zone"),
        ({"keys": [trusted_key(SIGNER, validUntil="2026-01-01T00:00:00")]}, "expected a time with its zone"),
        (
            {
                "keys": [
                    trusted_key(SIGNER, validFrom="2026-01-02T00:00:00Z", validUntil="2026-01-01T00:00:00Z")
                ]
            },
            "expected validFrom before validUntil",
        ),
        ({"keys": [trusted_key(SIGNER), trusted_key(new_signer())]}, "same name, key or identity twice"),
        ({"keys": [trusted_key(SIGNER), trusted_key(SIGNER, name="b")]}, "same name, key or identity twice"),
        ({"identities": [CI, CI]}, "same name, key or identity twice"),
        ({"keys": []}, "trusts nobody"),
        ({"keys": [], "environment": "staging"}, "trusts nobody"),
        ({"keys": [trusted_key(SIGNER, builders=[])]}, "no signer speaks for a builder"),
        ({"builders": ["another"]}, f"speaks for {BUILDER}: expected only what spec.builders allows"),
        ({"maxAge": "0s"}, "must be more than 0s"),
        ({"revoked": [{"digest": "sha256:abc", "reason": "leaked"}]}, "64 lower-case hexadecimal digits"),
        ({"revoked": [{"digest": "sha256:" + "a" * 64}]}, "is required"),
        ({"requiresTimestamp": True}, "did you mean requireTimestamp?"),
    ],
)
def test_a_policy_written_wrongly_is_refused_with_the_place(spec: dict[str, Any], problem: str) -> None:
    with pytest.raises(ContractError) as refused:
        read(**spec)

    assert any(problem in line for line in refused.value.problems), refused.value.problems


def test_dev_may_trust_nobody_yet() -> None:
    assert read(environment="dev", keys=[]).spec.signers == ()


@pytest.mark.parametrize("spec", [{"identities": [CI]}, {"requireTimestamp": True}, {"maxAge": "90d"}])
def test_what_needs_a_trusted_root_is_refused_without_one(spec: dict[str, Any]) -> None:
    with pytest.raises(ContractError, match=r"production: .* need a trustedRoot"):
        TrustMaterial.of(read(**spec))


@pytest.mark.parametrize("spec", [{"requireTimestamp": True}, {"maxAge": "90d"}])
def test_what_needs_to_tell_time_is_refused_without_an_authority(spec: dict[str, Any]) -> None:
    with pytest.raises(ContractError, match="no timestamp authority to tell time by"):
        TrustMaterial.of(read(**spec), root_with())


def root_with(*authorities: dict[str, Any]) -> bytes:
    media_type = "application/vnd.dev.sigstore.trustedroot+json;version=0.1"
    return json.dumps({"mediaType": media_type, "timestampAuthorities": authorities}).encode()


@pytest.mark.parametrize(
    ("root", "problem"),
    [
        (b"no JSON", "trustedRoot is not JSON"),
        (b"{}", "mediaType None"),
        (root_with({}), "damaged timestamp authority"),
        (root_with({"certChain": {"certificates": [{"rawBytes": "AAAA"}]}}), "trustedRoot"),
    ],
)
def test_a_damaged_trusted_root_is_refused(root: bytes, problem: str) -> None:
    with pytest.raises(ContractError, match=problem):
        TrustMaterial.of(read(), root)


def test_a_trusted_root_is_written_in_the_policy_or_handed_in_but_not_both(dating: Dating) -> None:
    root = dating.trusted_root
    written = trusting(trusted_key(SIGNER), trustedRoot=root.decode())

    assert TrustMaterial.of(written).authorities == TrustMaterial.of(read(), root).authorities
    with pytest.raises(ContractError, match="expected one"):
        TrustMaterial.of(written, root)
