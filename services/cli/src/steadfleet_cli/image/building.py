"""`steadfleet image build`."""
# ruff: noqa: PLC0415  (imported when called: `--help` loads neither Temporal nor pydantic)

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from steadfleet_cli.output import as_option, dump, output_option, show

if TYPE_CHECKING:
    from steadfleet_core.image.order import ImageOrder


@click.command()
@click.option(
    "-f",
    "--file",
    type=click.Path(path_type=Path),
    default="image.yaml",
    show_default=True,
    help="The GoldenImage; the files that it names lie below its folder.",
)
@click.option("--version", metavar="VERSION", help="In place of spec.version.")
@as_option
@click.option("--yes", is_flag=True, help="Ask no question, and start even where a worker is missing.")
@click.option("--wait", "until", flag_value="wait", help="Return when the build has ended.")
@click.option("--watch", "until", flag_value="watch", help="Follow it until it has ended.")
@output_option
def build(file: Path, version: str | None, by: str, *, yes: bool, until: str | None, output: str) -> int:
    """Build one version of an image: packer, tests on a fresh machine, gates, signatures, regions, channel.

    If the same order is being built, attach to it; if it is published, say so. A version that exists
    from another order is refused: versions never change. A question is asked only on a terminal.
    """
    from steadfleet_cli.engine import call
    from steadfleet_cli.image.following import follow, wait
    from steadfleet_cli.image.launch import begin
    from steadfleet_cli.image.launch_text import launch_text
    from steadfleet_cli.image.orders import read_order

    order = read_order(file, version, by)
    present = partial(_present, order, output=output, yes=yes)
    launch = call(lambda client: begin(client, order, present), by, "image")
    if output == "text" or until is None:
        show(output, dump(launch), launch_text(launch))
    match until:
        case "watch":
            return follow(launch.family, launch.version, output)
        case "wait":
            return wait(launch.family, launch.version, output)
    return 0


def _present(order: "ImageOrder", missing: tuple[str, ...], *, output: str, yes: bool) -> None:
    """Show what will be built; go no further where a worker is missing and nobody insists."""
    from steadfleet_cli.exits import CommandError, ExitCode
    from steadfleet_cli.image.launch_text import order_text

    if missing and not yes:
        raise CommandError(
            "; ".join(missing), ExitCode.UNREACHABLE, "start what is missing, or give --yes to start anyway"
        )
    if output != "text":
        return
    click.echo(order_text(order, missing) + "\n")
    if not yes and sys.stdin.isatty() and sys.stdout.isatty():
        click.confirm(f"Build {order.image.family} {order.image.version} now?", default=True, abort=True)
