"""A signer that could not sign, or not rightly, does not start, and says why in one sentence."""

from pathlib import Path

import pytest

from steadfleet_durable import WorkerConfigError
from steadfleet_signer.settings import Authority, KeyFile, Keyless, KmsKey, PenSettings, Settings
from steadfleet_signing.trust import Environment, OidcIdentity

ARN = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
KMS = {"STEADFLEET_SIGNING_KMS_KEY": ARN, "STEADFLEET_BUILDER_ID": "https://builders.example/image"}
KEYLESS = {
    "STEADFLEET_BUILDER_ID": "https://builders.example/image",
    "STEADFLEET_SIGNING_TRUST_CONFIG": "trust.json",
    "STEADFLEET_SIGNING_TOKEN_FILE": "token",
}


def test_a_key_in_kms_is_enough_and_prod_is_meant() -> None:
    settings = Settings.from_env(KMS)

    assert settings.pen == PenSettings(Environment.PROD, "https://builders.example/image", KmsKey(ARN))
    assert (settings.bucket, settings.attestations) == ("steadfleet-plans", "steadfleet-attestations")


def test_each_way_to_sign_is_read() -> None:
    file = {**KMS, "STEADFLEET_SIGNING_KMS_KEY": "", "STEADFLEET_SIGNING_KEY_FILE": "key.pem"}
    dated = {**file, "STEADFLEET_TIMESTAMP_URL": "https://tsa", "STEADFLEET_TIMESTAMP_ROOT": "root.json"}
    named = {**KEYLESS, "STEADFLEET_SIGNING_IDENTITY": "https://issuer https://subject"}

    assert PenSettings.from_env(file).key == KeyFile(Path("key.pem"))
    assert PenSettings.from_env(dated).authority == Authority("https://tsa", Path("root.json"))
    assert PenSettings.from_env(KEYLESS).key == Keyless(Path("trust.json"), Path("token"), None)
    who = OidcIdentity(issuer="https://issuer", subject="https://subject")
    assert PenSettings.from_env(named).key == Keyless(Path("trust.json"), Path("token"), who)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (
            {**KMS, "STEADFLEET_SIGNING_KMS_KEY": ""},
            "what signs: nothing is set, expected exactly one of",
        ),
        (
            {**KMS, "STEADFLEET_SIGNING_KEY_FILE": "key.pem"},
            "what signs: STEADFLEET_SIGNING_KEY_FILE and STEADFLEET_SIGNING_KMS_KEY is set, expected",
        ),
        ({**KMS, "STEADFLEET_SIGNING_KMS_KEY": "alias/signer"}, "expected a key's ARN, which no alias"),
        ({**KMS, **KEYLESS}, "expected exactly one of"),
        ({**KEYLESS, "STEADFLEET_SIGNING_TOKEN_FILE": ""}, "needs STEADFLEET_SIGNING_TOKEN_FILE"),
        ({**KEYLESS, "STEADFLEET_SIGNING_IDENTITY": "https://issuer"}, "expected an issuer, a space"),
        ({**KEYLESS, "STEADFLEET_TIMESTAMP_URL": "https://tsa"}, "STEADFLEET_TIMESTAMP_URL would be ignored"),
        ({**KMS, "STEADFLEET_SIGNING_TOKEN_FILE": "t"}, "STEADFLEET_SIGNING_TOKEN_FILE would be ignored"),
        ({**KMS, "STEADFLEET_TIMESTAMP_URL": "https://tsa"}, "expected both STEADFLEET_TIMESTAMP_URL and"),
        ({**KMS, "STEADFLEET_BUILDER_ID": ""}, "STEADFLEET_BUILDER_ID=: expected the URI"),
        ({**KMS, "STEADFLEET_BUILDER_ID": "us"}, "STEADFLEET_BUILDER_ID=us: expected the URI"),
        ({**KMS, "STEADFLEET_ENVIRONMENT": "prd"}, "expected one of dev, staging, prod"),
        (
            {**KMS, "STEADFLEET_ATTESTATIONS_BUCKET": "s3://x"},
            "STEADFLEET_ATTESTATIONS_BUCKET=s3://x: expected",
        ),
    ],
)
def test_what_cannot_be_right_is_refused(wrong: dict[str, str], said: str) -> None:
    with pytest.raises(WorkerConfigError, match=said):
        Settings.from_env(wrong)
