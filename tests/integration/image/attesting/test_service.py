"""The signer as a service: built from its environment alone, with each kind of key."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from integration.image.attesting.studio import HOME, Studio

from fakes.sigstore import LocalSigstore
from steadfleet_signer import keys
from steadfleet_signer.main import adapter
from steadfleet_signer.pens import pen_of
from steadfleet_signer.settings import Settings
from steadfleet_signing.trust import TrustedIdentity

BUILDER = "https://steadfleet.dev/builders/image/v1"
PIPELINE = "https://ci.example/signer"


@pytest.fixture(scope="module")
def sigstore() -> Iterator[LocalSigstore]:
    with LocalSigstore.running() as sigstore:
        yield sigstore


def environment(studio: Studio, **given: str) -> dict[str, str]:
    return {
        "AWS_REGION": HOME,
        "AWS_ENDPOINT_URL": studio.cloud.endpoint,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "STEADFLEET_BUILDER_ID": BUILDER,
        **given,
    }


async def signs_what_prod_accepts(studio: Studio, env: dict[str, str], root: str | None = None) -> None:
    """Sign twice, as a retry does, and verify for who signed by a policy that names nobody else."""
    settings = Settings.from_env(env)
    entry = pen_of(settings.pen, env).entry
    image = studio.image()

    signer = adapter(settings, env)
    first = await studio.attest(studio.request(image), signer)
    second = await studio.attest(studio.request(image), signer)

    assert first.attestations == second.attestations
    assert first.signer == str(entry.identity)
    written = entry.model_dump(mode="json", by_alias=True, exclude_none=True)
    keyless = isinstance(entry, TrustedIdentity)
    spec: dict[str, Any] = {"keys": [], "identities": [written]} if keyless else {"keys": [written]}
    if root:
        spec["trustedRoot"] = root
    decision = await studio.verify(image, "prod", **spec)
    assert (decision.allowed, decision.reasons) == (True, ())


async def test_with_a_key_in_a_file(studio: Studio, tmp_path: Path) -> None:
    keys.make(tmp_path / "key.pem")
    way = {"STEADFLEET_SIGNING_KEY_FILE": str(tmp_path / "key.pem"), "STEADFLEET_ENVIRONMENT": "dev"}

    await signs_what_prod_accepts(studio, environment(studio, **way))


async def test_with_a_key_in_kms_of_another_region(studio: Studio) -> None:
    settings = studio.cloud.client_settings_for("us-east-1")
    kms = boto3.client("kms", **settings)
    arn = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["Arn"]

    await signs_what_prod_accepts(studio, environment(studio, STEADFLEET_SIGNING_KMS_KEY=arn))


async def test_without_a_key_by_a_private_sigstore(
    studio: Studio, sigstore: LocalSigstore, tmp_path: Path
) -> None:
    (tmp_path / "trust_config.json").write_text(json.dumps(sigstore.trust_config))
    (tmp_path / "token").write_text(sigstore.token(PIPELINE) + "\n")
    way = {
        "STEADFLEET_SIGNING_TRUST_CONFIG": str(tmp_path / "trust_config.json"),
        "STEADFLEET_SIGNING_TOKEN_FILE": str(tmp_path / "token"),
    }

    await signs_what_prod_accepts(studio, environment(studio, **way), json.dumps(sigstore.trusted_root))
