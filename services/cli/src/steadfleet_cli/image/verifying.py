"""`steadfleet image verify`: by a worker's own policy, or by yours with no network at all."""
# ruff: noqa: PLC0415  (imported when called: `--help` loads neither Temporal nor pydantic)

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from steadfleet_cli.exits import ExitCode
from steadfleet_cli.image.arguments import demand_option
from steadfleet_cli.output import dump, output_option, show

if TYPE_CHECKING:
    from steadfleet_ports.image import ImageReference

_OFFLINE = ("trust_policy", "trusted_root", "environment", "digests", "manifests", "descriptors")
_ONLINE = ("family", "version", "identity", "platform", "deep")


def _digest(_context: click.Context, _option: click.Parameter, given: tuple[str, ...]) -> tuple[str, ...]:
    for digest in given:
        if not re.fullmatch(r"sha256:[0-9a-f]{64}", digest):
            raise click.BadParameter(f"{digest}: expected sha256: and 64 lower-case hexadecimal digits")
    return given


_FILE = click.Path(path_type=Path)


@click.command()
@click.argument("family", required=False)
@click.argument("version", required=False)
@click.option(
    "--id", "identity", metavar="ID", help="An ami-…, or repository@sha256:…, instead of a version."
)
@click.option(
    "--place",
    metavar="PLACE",
    help="Which copy: a region, or a registry as the contract names it. Default: the worker's own region.",
)
@click.option(
    "--platform",
    type=click.Choice(["aws", "docker"]),
    help="Of a version. Default: docker at a registry, or else aws.",
)
@click.option("--deep", is_flag=True, help="Read the whole content again, not the descriptor alone.")
@click.option("--bundle", "bundles", multiple=True, type=_FILE, help="A bundle, or a folder; repeatable.")
@click.option("--trust-policy", type=_FILE, help="The TrustPolicy to hold the bundles against.")
@click.option("--trusted-root", type=_FILE, help="A Sigstore trusted_root.json, where the policy needs one.")
@click.option(
    "--environment",
    type=click.Choice(["dev", "staging", "prod"]),
    help="By the rule of this environment, in place of the policy's.",
)
@click.option(
    "--digest", "digests", multiple=True, callback=_digest, help="sha256:… that you measured; repeatable."
)
@click.option("--manifest", "manifests", multiple=True, type=_FILE, help="An OCI manifest to measure.")
@click.option(
    "--descriptor",
    "descriptors",
    multiple=True,
    type=_FILE,
    help="A saved answer of `aws ec2 describe-images` to measure; needs --place, its region.",
)
@demand_option
@output_option
def verify(demand: tuple[str, ...], bundles: tuple[Path, ...], output: str, **said: Any) -> int:
    """Say whether an image may be used, by whom it was signed, and what was proven.

    FAMILY VERSION or --id asks a worker, which measures the image and decides by its own trust policy.

    With --bundle nothing is asked: no Temporal, no cloud, no network. The bundles are verified here,
    by your --trust-policy, against digests that you measured yourself: every attestation must name
    each of them.

    Ends with 0 when the image may be used, and with 6 when it may not.
    """
    offline = bool(bundles) or any(said.get(name) for name in _OFFLINE)
    if offline:
        return _offline(bundles, demand, output, **said)
    return _online(demand, output, **said)


def _online(demand: tuple[str, ...], output: str, *, deep: bool, **said: Any) -> int:
    from steadfleet_cli.engine import call
    from steadfleet_cli.image.checking import check, decision_text
    from steadfleet_ports.image import ImageVerification

    verification = ImageVerification(image=_reference(**said), demand=demand, deep=deep)
    decision = call(lambda client: check(client, verification), group="image")
    show(output, dump(decision), decision_text(decision))
    return ExitCode.OK if decision.allowed else ExitCode.NOT_SUCCEEDED


def _reference(
    *,
    family: str | None,
    version: str | None,
    identity: str | None,
    place: str | None,
    platform: str | None,
    **_offline: Any,
) -> "ImageReference":
    from steadfleet_core.image.order import Platform
    from steadfleet_ports.image import ImageReference

    if bool(identity) == bool(family and version) or (identity and (family or platform)):
        raise click.UsageError("expected either FAMILY VERSION, or --id, or --bundle with --trust-policy")
    if identity:
        kind = Platform.DOCKER if "@sha256:" in identity else Platform.AWS
        return ImageReference(platform=kind, id=identity, place=place or "")
    at_registry = "/" in (place or "")
    return ImageReference(
        platform=Platform(platform or (Platform.DOCKER if at_registry else Platform.AWS)),
        family=family or "",
        version=version or "",
        place=place or "",
    )


def _offline(
    bundles: tuple[Path, ...],
    demand: tuple[str, ...],
    output: str,
    *,
    trust_policy: Path | None,
    trusted_root: Path | None,
    environment: str | None,
    digests: tuple[str, ...],
    manifests: tuple[Path, ...],
    descriptors: tuple[Path, ...],
    place: str | None,
    **online: Any,
) -> int:
    from steadfleet_cli.image.auditing import audit, measure, read_trust
    from steadfleet_cli.image.auditing_text import audit_document, audit_text

    if any(online.get(name) for name in _ONLINE):
        raise click.UsageError("--bundle asks no worker: it takes no FAMILY, --id, --platform or --deep")
    if not bundles or trust_policy is None:
        raise click.UsageError("expected both --bundle and --trust-policy")
    if not (digests or manifests or descriptors):
        raise click.UsageError(
            "expected --digest, --manifest or --descriptor: what you measured of the image itself"
        )
    if bool(descriptors) != bool(place):
        raise click.UsageError("an AMI's descriptor names its region: expected --descriptor with --place")
    trust = read_trust(trust_policy, environment, trusted_root)
    result = audit(bundles, trust, measure(digests, manifests, descriptors, place), demand)
    show(output, audit_document(result), audit_text(result))
    return ExitCode.OK if result.decision.allowed else ExitCode.NOT_SUCCEEDED
