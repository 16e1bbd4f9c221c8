"""The `local-cloud` command: parse, call, print."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

_KINDS = [
    "throttle",
    "error",
    "lost",
    "hold",
    "slow-boot",
    "failed-boot",
    "dark-zone",
    "slow-copy",
    "tampered-copy",
    "dark-resolver",
    "stale-replica",
    "failed-delete",
    "slow-restore",
]
_endpoint = click.option(
    "--endpoint",
    envvar="AWS_ENDPOINT_URL",
    default="http://127.0.0.1:4566",
    show_default=True,
    show_envvar=True,
)
_region = click.option("--region", help="Which region; home if not given.")
_output = click.option("--output", type=click.Choice(["text", "json"]), default="text", show_default=True)


@click.group()
def main() -> None:
    """Run an AWS on this machine, with a real machine behind every instance. Local: not AWS."""


@main.command()
@click.option("--port", default=4566, show_default=True, help="0 picks a free one.")
@click.option(
    "--resolver-port",
    default=0,
    help="Where DNS answers by the hosted zones; 0, the default, picks one.",
)
@click.option("--state", type=click.Path(path_type=Path), default=Path(".run/local-cloud"), show_default=True)
@click.option(
    "--region",
    "regions",
    multiple=True,
    default=["eu-west-1"],
    show_default=True,
    help="Where machines are; repeatable, the first is home.",
)
@click.option(
    "--machines",
    type=click.Choice(["process", "docker", "none", "auto"]),
    default="process",
    show_default=True,
    help="`docker` has SSH and whole systems; `auto` is docker where that works, or else process.",
)
@click.option(
    "--network",
    default="127.77.0.0/16",
    show_default=True,
    help="A /16 of loopback, or `auto`; a second region gets the next. With docker: of 10.0.0.0/8, by "
    "default any that is free.",
)
@click.option("--seed", default=0, show_default=True, help="For faults with a probability.")
@click.option(
    "--probe-scale", default=1.0, show_default=True, help="Multiplies the interval of health probes."
)
def serve(**settings: Any) -> None:
    """Serve until SIGTERM or Ctrl-C; every machine ends with the server."""
    from steadfleet_local_cloud.errors import LocalCloudError  # noqa: PLC0415 - moto loads for seconds
    from steadfleet_local_cloud.serve import serve as run  # noqa: PLC0415

    try:
        run(**settings)
    except LocalCloudError as error:
        raise click.ClickException(str(error)) from error


@main.command("base-image")
@click.option("--again", is_flag=True, help="Make it anew, though there is one: for newer packages.")
@_output
def base_image(output: str, *, again: bool) -> None:
    """Make the image that Docker machines begin with, if it is not there; `serve` does so too."""
    from steadfleet_local_cloud.base_image import ensure_base_image  # noqa: PLC0415 - as slow as httpx
    from steadfleet_local_cloud.engine import Engine  # noqa: PLC0415
    from steadfleet_local_cloud.errors import LocalCloudError  # noqa: PLC0415
    from steadfleet_local_cloud.logs import log_to_stderr  # noqa: PLC0415

    log_to_stderr()
    try:
        base = ensure_base_image(Engine.connect(), again=again)
    except LocalCloudError as error:
        raise click.ClickException(str(error)) from error
    _show({"name": base.name, "docker_image": base.tag, "tarball": str(base.tarball)}, output)


@main.group()
def image() -> None:
    """Images, made from folders."""


@image.command("register")
@click.argument("name")
@click.option(
    "--from", "folder", required=True, type=click.Path(exists=True, file_okay=False, path_type=Path)
)
@click.option("--tag", "tags", multiple=True, metavar="KEY=VALUE")
@_region
@_endpoint
def register(name: str, folder: Path, tags: tuple[str, ...], region: str | None, endpoint: str) -> None:
    """Make an image from a folder that holds a program `run` or `run.py`; print its id."""
    body = {"name": name, "folder": str(folder.absolute()), "tags": _pairs(tags), "region": region}
    click.echo(_ask("POST", endpoint, "images", body)["image"])


@image.command()
@click.argument("image_id")
@_endpoint
def tamper(image_id: str, endpoint: str) -> None:
    """Flip one bit of what an image's snapshot holds; print which byte it is in."""
    click.echo(_ask("POST", endpoint, f"images/{image_id}/tamper")["byte"])


@main.group()
def fleet() -> None:
    """Fleets, made with plain AWS calls."""


@fleet.command("create")
@click.argument("name")
@click.option("--image", "image_id", required=True, help="The id of a registered image.")
@click.option("--size", default=24, show_default=True)
@click.option("--zones", type=click.IntRange(1, 3), default=3, show_default=True)
@click.option("--tag", "tags", multiple=True, metavar="KEY=VALUE")
@_region
@_output
@_endpoint
def create(
    name: str,
    image_id: str,
    tags: tuple[str, ...],
    output: str,
    endpoint: str,
    *,
    region: str | None,
    **shape: int,
) -> None:
    """Make a launch template, a target group that probes /healthz on 8080, and a group over the zones."""
    region = region or _ask("GET", endpoint, "health")["region"]
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - loads for half a second

    from steadfleet_local_cloud.fleet import create_fleet  # noqa: PLC0415

    try:
        made = create_fleet(endpoint, region, name=name, image=image_id, tags=_pairs(tags), **shape)
    except (BotoCoreError, ClientError) as error:
        raise click.ClickException(str(error)) from error
    _show(made.describe(), output)


@main.group()
def fault() -> None:
    """Faults: in calls, in boots, in a whole zone."""


@fault.command("add")
@click.argument("kind", type=click.Choice(_KINDS))
@click.option("--action", help="Which calls, as a pattern: RunInstances, Detach*.")
@click.option("--region", help="Calls in which region, as a pattern: eu-*.")
@click.option("--zone", help="Which zone: eu-west-1a.")
@click.option("--image", help="Boots from, or copies of, which image.")
@click.option("--database", help="Which DB instance, as a pattern: shop*.")
@click.option("--count", type=int, help="How many times; until cleared if not given.")
@click.option("--after", type=int, help="How many matching events pass first.")
@click.option("--probability", type=click.FloatRange(0, 1))
@click.option("--seed", type=int, help="Of the dice for the probability.")
@click.option("--seconds", type=float, help="How long a slow boot, copy or restore takes.")
@click.option("--when", type=click.Choice(["before", "after"]), help="Hold before or after the effect.")
@_endpoint
def add(endpoint: str, **options: Any) -> None:
    """Begin a fault; print its id."""
    chosen = {name: value for name, value in options.items() if value is not None}
    click.echo(_ask("POST", endpoint, "faults", chosen)["id"])


@fault.command("list")
@_endpoint
def list_faults(endpoint: str) -> None:
    """Show the faults in force, how often each struck, and the calls it holds."""
    _print_lines(_ask("GET", endpoint, "faults"))


@fault.command()
@click.argument("fault_id", required=False)
@_endpoint
def clear(fault_id: str | None, endpoint: str) -> None:
    """End one fault, or all: held calls go on, dark zones come back."""
    _ask("DELETE", endpoint, f"faults/{fault_id}" if fault_id else "faults")


@fault.command()
@click.argument("fault_id")
@click.option(
    "--drop", is_flag=True, help="Cut the connections instead; what is held before its effect has none."
)
@_endpoint
def release(fault_id: str, endpoint: str, *, drop: bool) -> None:
    """Let the calls that a fault holds go on; print how many there were."""
    answer = _ask("POST", endpoint, f"faults/{fault_id}/release", {"then": "drop" if drop else "continue"})
    click.echo(answer["released"])


@main.command()
@click.option("--since", default=0, help="Only entries with a greater number.")
@_endpoint
def record(since: int, endpoint: str) -> None:
    """Print every call and machine event, one JSON object a line."""
    _print_lines(_ask("GET", endpoint, f"record?since={since}"))


@main.command()
@_endpoint
def inventory(endpoint: str) -> None:
    """Print everything that the cloud holds now."""
    click.echo(json.dumps(_ask("GET", endpoint, "inventory"), indent=2, sort_keys=True))


@main.command()
@_endpoint
def machines(endpoint: str) -> None:
    """Print the machines behind the instances, one JSON object a line."""
    _print_lines(_ask("GET", endpoint, "machines"))


def _ask(method: str, endpoint: str, path: str, body: dict[str, Any] | None = None) -> Any:
    import httpx  # noqa: PLC0415 - loads slower than --help may take

    try:
        answer = httpx.request(method, f"{endpoint}/_local/{path}", json=body, timeout=60.0)
    except httpx.TransportError as error:
        raise click.ClickException(
            f"no local cloud answers at {endpoint} ({error}): start one with `local-cloud serve`, "
            "or name its address with --endpoint or AWS_ENDPOINT_URL"
        ) from error
    if answer.is_error:
        raise click.ClickException(answer.json()["error"])
    return answer.json()


def _pairs(tags: tuple[str, ...]) -> dict[str, str]:
    for tag in tags:
        if "=" not in tag:
            raise click.BadParameter(f"{tag!r} is not KEY=VALUE")
    return dict(tag.split("=", 1) for tag in tags)


def _show(content: dict[str, Any], output: str) -> None:
    if output == "json":
        click.echo(json.dumps(content))
        return
    for key, value in content.items():
        click.echo(f"{key}: {', '.join(value) if isinstance(value, list) else value}")


def _print_lines(items: list[Any]) -> None:
    for item in items:
        click.echo(json.dumps(item))
