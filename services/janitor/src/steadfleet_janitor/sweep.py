"""`steadfleet sweep`: find residue by its tags, with no Temporal at all, and take it away."""

import asyncio
import json
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum
from itertools import pairwise
from typing import IO, Any

import click
from botocore.exceptions import BotoCoreError

from steadfleet_activities.janitor.aws import AwsJanitor
from steadfleet_activities.janitor.scope import Scope
from steadfleet_core.errors import RefusedError
from steadfleet_durable import WorkerConfigError
from steadfleet_ports.lease import Left, Residue


class Exit(IntEnum):
    """As the other commands end; residue that is left is no success."""

    CLEAN = 0
    USAGE = 2
    REFUSED = 3
    UNREACHABLE = 5
    LEFT = 6


EPILOG = (
    "\b\nExit codes:\n"
    "  0    nothing is left\n"
    "  3    refused: no region, nobody to ask\n"
    "  5    a region or the Docker engine cannot be looked at\n"
    "  6    residue is left: --dry-run, the answer was no, or a delete failed"
)


class Problem(click.ClickException):
    """What was wrong before anything was touched, told as the other commands tell it."""

    exit_code = Exit.REFUSED

    def __init__(self, message: str, advice: str) -> None:
        super().__init__(message)
        self.advice = advice

    def show(self, file: IO[Any] | None = None) -> None:
        if "--output=json" in sys.argv or ("--output", "json") in pairwise(sys.argv):
            text = json.dumps({"error": self.message, "next": self.advice})
        else:
            text = f"error: {self.message}\nnext: {self.advice}"
        click.echo(text, file=file, err=file is None)


@dataclass(frozen=True)
class Order:
    """What a person asked for."""

    scope: Scope
    regions: tuple[str, ...]
    docker: bool


@click.command(epilog=EPILOG)
@click.option("--region", "regions", multiple=True, help="Region to look at; repeatable. Default: AWS's own.")
@click.option(
    "--expired-before",
    metavar="TIME",
    help="Take what expired before then, such as 2026-03-01T12:00:00Z. Default: now.",
)
@click.option("--run", default="", metavar="RUN", help="Take all of this run instead, expired or not.")
@click.option("--name", "names", multiple=True, help="With --run: an image's name, untagged too; repeatable.")
@click.option("--docker", is_flag=True, help="Look into the Docker engine as well.")
@click.option("--dry-run", is_flag=True, help="Look only.")
@click.option("--yes", is_flag=True, help="Delete without asking.")
@click.option("--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.pass_context
def sweep(
    context: click.Context,
    regions: tuple[str, ...],
    expired_before: str | None,
    run: str,
    names: tuple[str, ...],
    *,
    docker: bool,
    dry_run: bool,
    yes: bool,
    output: str,
) -> None:
    """Find what expired, or is of a run, and was never kept; show it, ask, and delete it.

    Machines that serve and images that were released are left alone. What a lease still holds may
    have expired too: look at `lease/RUN` in Temporal before a run that may live is swept.
    """
    janitor = _janitor()
    order = _order(janitor, regions, expired_before, run, names, docker=docker)
    found = _found(janitor, order)
    if output == "text":
        click.echo(_table(found))
    if found.left and not dry_run and _agreed(found, yes=yes, output=output):
        found = asyncio.run(janitor.remove(order.scope, order.regions, docker=order.docker))
        if output == "text":
            click.echo(_told(found))
    if output == "json":
        click.echo(json.dumps(found.model_dump(mode="json"), indent=2))
    context.exit(_code(found))


def _janitor() -> AwsJanitor:
    try:
        return AwsJanitor.from_environment()
    except (RefusedError, WorkerConfigError) as error:
        raise Problem(str(error), "see docs/running.md") from error


def _order(
    janitor: AwsJanitor,
    regions: tuple[str, ...],
    expired_before: str | None,
    run: str,
    names: tuple[str, ...],
    *,
    docker: bool,
) -> Order:
    if run and expired_before:
        raise click.UsageError("--run takes all of a run, expired or not: leave out --expired-before")
    if names and not run:
        raise click.UsageError("--name needs --run: an untagged thing does not say when it expires")
    scope = Scope(run=run, names=names) if run else Scope(expired_before=_time(expired_before))
    try:
        return Order(scope, regions or (janitor.own_region(),), docker)
    except (RefusedError, BotoCoreError, ValueError) as error:
        raise Problem(f"AWS: {error}", "set AWS's own variables, or name a --region") from error


def _found(janitor: AwsJanitor, order: Order) -> Residue:
    try:
        return asyncio.run(janitor.find(order.scope, order.regions, docker=order.docker))
    except RefusedError as error:  # an engine that cannot be spoken to
        raise Problem(str(error), "set DOCKER_HOST, or leave out --docker") from error


def _time(said: str | None) -> datetime:
    if said is None:
        return datetime.now(UTC)
    try:
        at = datetime.fromisoformat(said)
    except ValueError as error:
        raise click.BadParameter(
            f"{said!r} is no time: expected one such as 2026-03-01T12:00:00Z", param_hint="--expired-before"
        ) from error
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _agreed(found: Residue, *, yes: bool, output: str) -> bool:
    if yes:
        return True
    if output == "json" or not sys.stdin.isatty():
        raise Problem("nobody is there to ask", "say --yes to delete, or --dry-run to look only")
    return click.confirm(f"delete these {len(found.left)}?", default=False)


def _table(found: Residue) -> str:
    if not (found.left or found.spared):
        return "nothing is left"
    rows = [("region", "type", "id", "name", ""), *(_row(one) for one in found.left)]
    rows += [_row(one.model_copy(update={"why": f"left alone: {one.why}"})) for one in found.spared]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)


def _row(one: Left) -> tuple[str, ...]:
    return one.region, one.type, one.id, one.name, one.why


def _told(found: Residue) -> str:
    lines = [f"removed {one}" for one in found.removed] + [f"still there: {one}" for one in found.left]
    return "\n".join(lines)


def _code(found: Residue) -> Exit:
    if any(one.type in {"region", "engine"} for one in found.left):
        return Exit.UNREACHABLE
    return Exit.LEFT if found.left else Exit.CLEAN
