"""What an operator may set for the signer: read and checked before anything is touched.

Exactly one of three says what signs: STEADFLEET_SIGNING_KEY_FILE, a private key in a file (not in
prod); STEADFLEET_SIGNING_KMS_KEY, a key's ARN; STEADFLEET_SIGNING_TRUST_CONFIG, a private Sigstore.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from steadfleet_activities.configuring import attestations_bucket, plans_bucket
from steadfleet_activities.image.attesting.trust import environment_of
from steadfleet_durable import WorkerConfigError, WorkerSettings, connection_config
from steadfleet_signing.trust import Environment, OidcIdentity

KEY_FILE = "STEADFLEET_SIGNING_KEY_FILE"
KMS_KEY = "STEADFLEET_SIGNING_KMS_KEY"
TRUST_CONFIG = "STEADFLEET_SIGNING_TRUST_CONFIG"
TOKEN_FILE = "STEADFLEET_SIGNING_TOKEN_FILE"  # noqa: S105 - a variable's name
IDENTITY = "STEADFLEET_SIGNING_IDENTITY"
BUILDER = "STEADFLEET_BUILDER_ID"
TIMESTAMP_URL = "STEADFLEET_TIMESTAMP_URL"
TIMESTAMP_ROOT = "STEADFLEET_TIMESTAMP_ROOT"

_COLONS = 5  # arn:aws:kms:REGION:ACCOUNT:key/ID
WAYS = (KEY_FILE, KMS_KEY, TRUST_CONFIG)


@dataclass(frozen=True)
class KeyFile:
    path: Path


@dataclass(frozen=True)
class KmsKey:
    arn: str

    @property
    def region(self) -> str:
        return self.arn.split(":")[3]


@dataclass(frozen=True)
class Keyless:
    """`identity` is whom certificates name, where that is not what the token says itself."""

    trust_config: Path
    token: Path
    identity: OidcIdentity | None


@dataclass(frozen=True)
class Authority:
    """A timestamp authority, and the trusted root that its answers are held against."""

    url: str
    root: Path


@dataclass(frozen=True)
class PenSettings:
    """What signs, and as whom."""

    environment: Environment
    builder: str
    key: KeyFile | KmsKey | Keyless
    authority: Authority | None = None

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None) -> Self:
        given = _given(env)
        key = _key(given)
        return cls(environment_of(given), _builder(given), key, _authority(given, key))


@dataclass(frozen=True)
class Settings:
    """AWS's and Temporal's own variables are read where they are used; here they are only checked."""

    worker: WorkerSettings
    pen: PenSettings
    bucket: str
    attestations: str

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None) -> Self:
        given = _given(env)
        connection_config(env=given)
        return cls(
            worker=WorkerSettings.from_env(given),
            pen=PenSettings.from_env(given),
            bucket=plans_bucket(given),
            attestations=attestations_bucket(given),
        )


def _given(env: Mapping[str, str] | None) -> dict[str, str]:
    return {name: value for name, value in (os.environ if env is None else env).items() if value}


def _key(env: Mapping[str, str]) -> KeyFile | KmsKey | Keyless:
    said = [name for name in WAYS if name in env]
    if len(said) != 1:
        raise WorkerConfigError(
            f"what signs: {' and '.join(said) or 'nothing'} is set, expected exactly one of {', '.join(WAYS)}"
        )
    _refuse_ignored(env, said[0])
    if said == [KEY_FILE]:
        return KeyFile(Path(env[KEY_FILE]))
    if said == [KMS_KEY]:
        if not env[KMS_KEY].startswith("arn:") or env[KMS_KEY].count(":") != _COLONS:
            raise WorkerConfigError(
                f"{KMS_KEY}={env[KMS_KEY]}: expected a key's ARN, which no alias can stand for"
            )
        return KmsKey(env[KMS_KEY])
    if TOKEN_FILE not in env:
        raise WorkerConfigError(f"{TRUST_CONFIG} needs {TOKEN_FILE}: expected the file of an identity token")
    return Keyless(Path(env[TRUST_CONFIG]), Path(env[TOKEN_FILE]), _identity(env))


def _refuse_ignored(env: Mapping[str, str], way: str) -> None:
    keyless, keyed = (TOKEN_FILE, IDENTITY), (TIMESTAMP_URL, TIMESTAMP_ROOT)
    ignored = [name for name in (keyed if way == TRUST_CONFIG else keyless) if name in env]
    if ignored:
        raise WorkerConfigError(f"{', '.join(ignored)} would be ignored beside {way}: remove it")


def _identity(env: Mapping[str, str]) -> OidcIdentity | None:
    if IDENTITY not in env:
        return None
    issuer, _, subject = env[IDENTITY].partition(" ")
    if not subject.strip():
        raise WorkerConfigError(f"{IDENTITY}={env[IDENTITY]}: expected an issuer, a space, and a subject")
    return OidcIdentity(issuer=issuer, subject=subject.strip())


def _builder(env: Mapping[str, str]) -> str:
    said = env.get(BUILDER, "")
    if "://" not in said:
        raise WorkerConfigError(
            f"{BUILDER}={said}: expected the URI that provenance names as its builder, and trust policies "
            "allow, such as https://steadfleet.dev/builders/image/v1"
        )
    return said


def _authority(env: Mapping[str, str], key: object) -> Authority | None:
    url, root = env.get(TIMESTAMP_URL), env.get(TIMESTAMP_ROOT)
    if isinstance(key, Keyless) or not (url or root):
        return None
    if not (url and root):
        raise WorkerConfigError(
            f"expected both {TIMESTAMP_URL} and {TIMESTAMP_ROOT}: an authority, and the "
            "trusted_root.json that its answers are held against"
        )
    return Authority(url, Path(root))
