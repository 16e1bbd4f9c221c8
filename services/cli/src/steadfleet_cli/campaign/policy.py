"""Get a policy: from a file with the command line's overrides, or made up for a plain group."""

import re
from pathlib import Path

import yaml

from steadfleet_cli.campaign.override import Overrides, image_of
from steadfleet_cli.exits import CommandError, ExitCode
from steadfleet_core.campaign.policy import (
    CommandCheck,
    FleetSpec,
    HealthChecks,
    ImageSpec,
    Metadata,
    PatchPolicy,
    PatchSpec,
    Selector,
    Strategy,
    StrategyType,
)
from steadfleet_core.contract import read_contract

DEFAULT = Path("steadfleet.yaml")


def read_policy(file: Path | None, overrides: Overrides) -> PatchPolicy:
    """Read, override and validate."""
    path = file or DEFAULT
    source = str(path)
    policy = read_contract(overrides.apply(_text(path), source), source, PatchPolicy)
    if policy.spec.approval.keys:
        from steadfleet_signing.approval import refuse_bad_keys  # noqa: PLC0415  # cryptography is slow to load

        refuse_bad_keys(policy.spec.approval.keys)
    return policy


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = "there is no such file" if isinstance(error, FileNotFoundError) else str(error)
        raise CommandError(
            f"policy {path}: {why}",
            ExitCode.USAGE,
            "name a PatchPolicy with -f FILE, or write ./steadfleet.yaml (`steadfleet schema PatchPolicy`)",
        ) from error


def synthetic_policy(group: str, overrides: Overrides) -> PatchPolicy:
    """Make up a policy for a group that has none, to show what a campaign would find there."""
    name = overrides.name or re.sub(r"[^a-z0-9.-]+", "-", group.lower()).strip("-.")[:63] or "group"
    image = image_of(overrides.image or "")
    return PatchPolicy(
        api_version="steadfleet.dev/v1",
        kind="PatchPolicy",
        metadata=Metadata(name=name),
        spec=PatchSpec(
            fleet=FleetSpec(name=name, selector=Selector(groups=(group,))),
            image=ImageSpec.model_validate(image),
            strategy=Strategy(type=StrategyType(overrides.strategy or StrategyType.CANARY)),
            health_checks=HealthChecks(checks=(CommandCheck(type="command", run="true"),)),
        ),
    )


def campaign_name(name: str | None) -> str:
    """Return the name given, or else the one that ./steadfleet.yaml has."""
    if name:
        return name.removeprefix("campaign/")
    written = _written_name()
    if written is None:
        raise CommandError(
            "which campaign? no NAME was given, and ./steadfleet.yaml has none",
            ExitCode.USAGE,
            "`campaign list` shows the names",
        )
    return written


def _written_name() -> str | None:
    try:
        document = yaml.safe_load(DEFAULT.read_text(encoding="utf-8"))
        return str(document["metadata"]["name"])
    except (OSError, ValueError, yaml.YAMLError, KeyError, TypeError):
        return None
