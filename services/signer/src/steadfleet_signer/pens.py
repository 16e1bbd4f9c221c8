"""Make what signs, and the trust in it alone that its own signatures are checked with."""

import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from steadfleet_activities.fleet.clients import client_config, settings_from
from steadfleet_core.errors import SteadfleetError
from steadfleet_durable import WorkerConfigError
from steadfleet_signer.settings import Authority, KeyFile, Keyless, KmsKey, PenSettings
from steadfleet_signing import publickey
from steadfleet_signing.signers import (
    KeylessSigner,
    KeySigner,
    KmsClient,
    KmsSigner,
    LocalKeySigner,
    Signer,
    TimestampWitness,
    signer_for,
)
from steadfleet_signing.trust import (
    Environment,
    TrustedIdentity,
    TrustedKey,
    TrustMaterial,
    TrustMetadata,
    TrustPolicy,
    TrustSpec,
)

SLOTS = 10


@dataclass(frozen=True)
class Pen:
    """What signs; `entry` is how a trust policy names it, `own` trusts it and nobody else."""

    signer: Signer
    entry: TrustedKey | TrustedIdentity
    own: TrustMaterial


def pen_of(settings: PenSettings, env: Mapping[str, str] | None = None) -> Pen:
    """Make it, asking KMS for its public key; raises `WorkerConfigError` for what cannot sign."""
    with _configured():
        signer = signer_for(settings.environment.value, _signer(settings, env))
        builders = (settings.builder,)
        if isinstance(signer, KeySigner):
            pem = publickey.to_pem(signer.public_key)
            key = TrustedKey(name="signer", pem=pem, builders=builders)
            return Pen(signer, key, TrustMaterial.of(_trusting(keys=(key,), builders=builders)))
        if not (isinstance(signer, KeylessSigner) and isinstance(settings.key, Keyless)):
            raise TypeError(f"{type(signer).__name__} has no entry in a trust policy")
        who = signer.identity
        identity = TrustedIdentity(issuer=who.issuer, subject=who.subject, builders=builders)
        own = TrustMaterial.of(_trusting(identities=(identity,), builders=builders), signer.trusted_root)
        return Pen(signer, identity, own)


def _signer(settings: PenSettings, env: Mapping[str, str] | None) -> Signer:
    witness = _witness(settings.authority)
    match settings.key:
        case KeyFile(path):
            return LocalKeySigner.from_pem(_secret(path), witness=witness)
        case KmsKey(arn):
            return KmsSigner(_kms(settings.key, env), arn, witness=witness)
        case Keyless(trust_config, token, identity):
            return KeylessSigner(trust_config.read_text(), lambda: token.read_text().strip(), identity)


def _kms(key: KmsKey, env: Mapping[str, str] | None) -> KmsClient:
    given = settings_from(env)
    config = client_config(SLOTS, at_endpoint="endpoint_url" in given)
    client: KmsClient = boto3.client("kms", config=config, **{**given, "region_name": key.region})  # type: ignore[call-overload]
    return client


def _secret(path: Path) -> bytes:
    if stat.S_IMODE(path.stat().st_mode) & stat.S_IRWXO:
        raise WorkerConfigError(f"{path}: everybody on this machine may use this key: expected mode 0600")
    return path.read_bytes()


def _witness(authority: Authority | None) -> TimestampWitness | None:
    return TimestampWitness(authority.url, authority.root.read_bytes()) if authority else None


def _trusting(
    keys: tuple[TrustedKey, ...] = (),
    identities: tuple[TrustedIdentity, ...] = (),
    builders: tuple[str, ...] = (),
) -> TrustPolicy:
    return TrustPolicy(
        api_version="steadfleet.dev/v1",
        kind="TrustPolicy",
        metadata=TrustMetadata(name="signer"),
        spec=TrustSpec(environment=Environment.DEV, keys=keys, identities=identities, builders=builders),
    )


@contextmanager
def _configured() -> Iterator[None]:
    try:
        yield
    except (SteadfleetError, OSError, UnicodeDecodeError) as error:
        raise WorkerConfigError(f"cannot sign: {error}") from error
    except (BotoCoreError, ClientError, ValueError) as error:
        raise WorkerConfigError(f"cannot sign with KMS: {error}") from error
