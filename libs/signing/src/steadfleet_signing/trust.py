"""`kind: TrustPolicy`: whose signatures count in an environment, and what they must cover.

apiVersion: steadfleet.dev/v1
kind: TrustPolicy
metadata: {name: production}
spec:
  environment: prod
  builders: [https://steadfleet.dev/builders/image/v1]
  keys:
    - name: image-signer-2026
      pem: |
        -----BEGIN PUBLIC KEY-----
        …
      builders: [https://steadfleet.dev/builders/image/v1]
"""

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Literal, Self

from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import AfterValidator, AwareDatetime, Field, model_validator

from steadfleet_core.errors import ContractError
from steadfleet_core.model import Contract, Digest, Model, Name, PositiveDuration, Text
from steadfleet_signing import publickey
from steadfleet_signing.timestamps import TimestampAuthority, authorities_of


class Environment(StrEnum):
    """Where an image is to run: what must be proven of it there grows from one to the next."""

    DEV = "dev"
    STAGING = "staging"
    PROD = "prod"


class KeyIdentity(Model):
    """A signer known by its key."""

    fingerprint: Digest

    def __str__(self) -> str:
        return f"key {self.fingerprint}"


class OidcIdentity(Model):
    """A signer known by what an identity provider calls it; neither half means anything alone."""

    issuer: Text
    subject: Text

    def __str__(self) -> str:
        return f"{self.subject} of {self.issuer}"


Identity = KeyIdentity | OidcIdentity


def _p256(pem: str) -> str:
    publickey.load_pem(pem)
    return pem


Pem = Annotated[str, AfterValidator(_p256), Field(description=publickey.P256_WORDS)]
Moment = Annotated[AwareDatetime, Field(description="a time with its zone such as 2026-01-31T00:00:00Z")]
Builders = tuple[Text, ...]
"""Builder ids, as provenance states them. A signer without any signs, but states no provenance."""


class TrustedKey(Contract):
    """A public key. `validUntil` is when it was rotated out or lost: what it signed later is refused."""

    name: Name
    pem: Pem
    valid_from: Moment | None = None
    valid_until: Moment | None = None
    builders: Builders = ()

    @model_validator(mode="after")
    def _valid_at_some_time(self) -> Self:
        if self.valid_from and self.valid_until and self.valid_from >= self.valid_until:
            raise ValueError("is never valid: expected validFrom before validUntil")
        return self

    @property
    def identity(self) -> KeyIdentity:
        return KeyIdentity(fingerprint=publickey.fingerprint(publickey.load_pem(self.pem)))

    def __str__(self) -> str:
        return f"key {self.name}"


class TrustedIdentity(Contract):
    """Exactly this subject of exactly this issuer: no patterns, which match more than was meant."""

    issuer: Text
    subject: Text
    builders: Builders = ()

    @property
    def identity(self) -> OidcIdentity:
        return OidcIdentity(issuer=self.issuer, subject=self.subject)

    def __str__(self) -> str:
        return str(self.identity)


class Revoked(Contract):
    """What is not to be used again, and why: an image, or the statement that an attestation signs.

    Not a bundle, by its own digest: whoever stores one can wrap the same statement anew.
    """

    digest: Annotated[Digest, Field(description="sha256: and 64 lower-case hexadecimal digits")]
    reason: Text


class TrustSpec(Contract):
    """`trustedRoot` is the text of a Sigstore trusted_root.json, unless a caller hands one in."""

    environment: Environment
    keys: tuple[TrustedKey, ...] = ()
    identities: tuple[TrustedIdentity, ...] = ()
    builders: Builders = ()
    trusted_root: Text | None = None
    require_timestamp: bool = False
    max_age: PositiveDuration | None = None
    revoked: tuple[Revoked, ...] = ()

    @property
    def signers(self) -> tuple[TrustedKey | TrustedIdentity, ...]:
        return (*self.keys, *self.identities)

    @model_validator(mode="after")
    def _one_entry_each(self) -> Self:
        names = [key.name for key in self.keys]
        identities = [str(signer.identity) for signer in self.signers]
        if len({*names}) < len(names) or len({*identities}) < len(identities):
            raise ValueError("trusts the same name, key or identity twice: expected one entry for each")
        return self

    @model_validator(mode="after")
    def _speaks_for_allowed_builders(self) -> Self:
        spoken = {builder for signer in self.signers for builder in signer.builders}
        if strangers := spoken - {*self.builders}:
            unknown = ", ".join(sorted(strangers))
            raise ValueError(f"a signer speaks for {unknown}: expected only what spec.builders allows")
        return self

    @model_validator(mode="after")
    def _can_be_met(self) -> Self:
        if self.environment is not Environment.DEV and not self.signers:
            raise ValueError("trusts nobody, so nothing could ever run: expected keys or identities")
        if self.environment is Environment.PROD and not any(signer.builders for signer in self.signers):
            raise ValueError("no signer speaks for a builder, which prod demands: expected builders")
        return self


class TrustMetadata(Contract):
    """The policy's name, which decisions mention."""

    name: Name


class TrustPolicy(Contract):
    """Whom an environment believes, as a person wrote it."""

    api_version: Literal["steadfleet.dev/v1"]
    kind: Literal["TrustPolicy"]
    metadata: TrustMetadata
    spec: TrustSpec

    def entry_of(self, signer: Identity) -> TrustedKey | TrustedIdentity | None:
        return next((entry for entry in self.spec.signers if entry.identity == signer), None)


@dataclass(frozen=True)
class TrustMaterial:
    """A trust policy made ready to verify with. Nothing else is ever trusted: no hint, no key id, no tag."""

    policy: TrustPolicy
    trusted_root: bytes | None
    authorities: tuple[TimestampAuthority, ...]

    @classmethod
    def of(cls, policy: TrustPolicy, trusted_root: bytes | None = None) -> Self:
        """Join the policy with the trusted root that it holds, or that the caller hands in.

        Raises:
            ContractError: there are two, none although the policy needs one, or it is not one.
        """
        where, spec = f"trust policy {policy.metadata.name}", policy.spec
        if trusted_root and spec.trusted_root:
            raise ContractError([f"{where}: trustedRoot is written, and another one given: expected one"])
        root = trusted_root or (spec.trusted_root.encode() if spec.trusted_root else None)
        if root is None and (spec.identities or spec.require_timestamp or spec.max_age):
            needs = "identities, requireTimestamp and maxAge"
            raise ContractError([f"{where}: {needs} need a trustedRoot: expected a trusted_root.json"])
        try:
            authorities = authorities_of(root) if root else ()
        except ValueError as error:
            raise ContractError([f"{where}: its trustedRoot {error}"]) from error
        if not authorities and (spec.require_timestamp or spec.max_age):
            raise ContractError([f"{where}: its trustedRoot has no timestamp authority to tell time by"])
        return cls(policy, root, authorities)

    @cached_property
    def keys(self) -> tuple[tuple[TrustedKey, ec.EllipticCurvePublicKey], ...]:
        return tuple((key, publickey.load_pem(key.pem)) for key in self.policy.spec.keys)
