"""Verify bundles on this machine alone: no Temporal, no cloud, no network."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from steadfleet_cli.edit import mapping_of, set_value
from steadfleet_cli.exits import CommandError, ExitCode
from steadfleet_core.contract import read_contract
from steadfleet_core.errors import ContractError, RefusedError
from steadfleet_core.model import digest_of
from steadfleet_signing.ami import describe
from steadfleet_signing.policy import Decision, Requirement, decide
from steadfleet_signing.statement import Subject
from steadfleet_signing.trust import TrustMaterial, TrustPolicy
from steadfleet_signing.verify import Attestation, examine


@dataclass(frozen=True)
class Audit:
    """What was looked at, by which policy, and what was decided. Nobody else was asked."""

    policy: TrustPolicy
    subjects: tuple[Subject, ...]
    attestations: tuple[tuple[Path, Attestation], ...]
    decision: Decision


def audit(
    bundles: Sequence[Path],
    trust: TrustMaterial,
    subjects: Sequence[Subject],
    demand: Sequence[str],
    now: datetime | None = None,
) -> Audit:
    now = now or datetime.now(UTC)
    files = [file for bundle in bundles for file in _files(bundle)]
    attestations = examine([_read(file, "bundle") for file in files], trust, now=now)
    return Audit(
        policy=trust.policy,
        subjects=tuple(subjects),
        attestations=tuple(zip(files, attestations, strict=True)),
        decision=decide(trust.policy, subjects, attestations, frozenset(map(Requirement, demand)), now=now),
    )


def read_trust(file: Path, environment: str | None, trusted_root: Path | None) -> TrustMaterial:
    """Read the policy, with another environment if one is given, and make it ready to verify with."""
    text = _read(file, "trust policy").decode("utf-8", errors="replace")
    root = _read(trusted_root, "trusted root") if trusted_root else None
    try:
        if environment and mapping_of(text) is not None:
            text = set_value(text, ("spec", "environment"), environment, str(file))
        return TrustMaterial.of(read_contract(text, str(file), TrustPolicy), root)
    except ContractError as error:
        advice = f"correct {file} (`steadfleet schema TrustPolicy`), or give a --trusted-root"
        raise CommandError(str(error), ExitCode.REFUSED, advice) from error


def measure(
    digests: Sequence[str], manifests: Sequence[Path], descriptors: Sequence[Path], place: str | None
) -> list[Subject]:
    """Return what the attestations must be about: digests that are given, or taken here."""
    measured = [("the digest given", digest) for digest in digests]
    measured += [(str(file), digest_of(_read(file, "manifest"))) for file in manifests]
    measured += [_described(file, place or "") for file in descriptors]
    return [
        Subject(name=name, digest={"sha256": digest.removeprefix("sha256:")}) for name, digest in measured
    ]


def _described(file: Path, place: str) -> tuple[str, str]:
    """Measure the one AMI of a saved answer of `aws ec2 describe-images`."""
    expected = "expected the JSON of `aws ec2 describe-images --image-ids ami-…`, with one image"
    try:
        (image,) = json.loads(_read(file, "descriptor"))["Images"]
        described = describe(image, place)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise CommandError(
            f"descriptor {file}: {expected}", ExitCode.USAGE, "save that answer anew"
        ) from error
    except RefusedError as error:
        raise CommandError(f"descriptor {file}: {error}", ExitCode.REFUSED, "name another image") from error
    return described.arn, described.digest


def _files(bundle: Path) -> Iterator[Path]:
    if not bundle.is_dir():
        yield bundle
        return
    found = sorted(file for file in bundle.rglob("*.json") if file.is_file())
    if not found:
        raise CommandError(f"bundle {bundle}: the folder has no *.json", ExitCode.USAGE, "name the files")
    yield from found


def _read(file: Path, what: str) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise CommandError(
            f"{what} {file}: {error.strerror}", ExitCode.USAGE, "name one that is there"
        ) from error
