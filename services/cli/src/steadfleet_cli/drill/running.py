"""`steadfleet drill plan`, `run` and `preflight`."""
# ruff: noqa: PLC0415  (imported when called: `--help` loads neither Temporal nor pydantic)

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from steadfleet_cli.drill.arguments import file_option, mode_option, yes_option
from steadfleet_cli.output import as_option, dump, output_option, show, user

if TYPE_CHECKING:
    from steadfleet_core.drill.order import DrillOrder


@click.command()
@file_option
@mode_option
@output_option
def plan(file: Path, mode: str | None, output: str) -> None:
    """Show the steps of a drill, what is made, and what is measured; ask nobody and touch nothing.

    Steps of one stage may run side by side. What stands before the clock is made before disaster is
    declared, because the strategy says that it stands already.
    """
    from steadfleet_cli.drill.orders import read_order
    from steadfleet_cli.drill.plan_text import plan_document, plan_text

    order = read_order(file, mode, user())
    show(output, plan_document(order), plan_text(order))


@click.command()
@file_option
@mode_option
@as_option
@yes_option
@click.option("--wait", "until", flag_value="wait", help="Return when the drill has ended.")
@click.option("--watch", "until", flag_value="watch", help="Follow it until it has ended.")
@output_option
def run(file: Path, mode: str | None, by: str, *, yes: bool, until: str | None, output: str) -> int:
    """Rehearse a plan: recover a copy, watch, measure, judge, and take everything away again.

    If the same drill runs already, attach to it; while another drill of the plan runs, refuse with 4.
    A question is asked only on a terminal. With --wait or --watch it ends with 0 when the drill passed,
    or when a tabletop found nothing that blocks; with 6 otherwise.
    """
    from steadfleet_cli.drill.following import follow, wait
    from steadfleet_cli.drill.launch import begin
    from steadfleet_cli.drill.launch_text import launch_text
    from steadfleet_cli.drill.orders import read_order
    from steadfleet_cli.engine import call

    order = read_order(file, mode, by)
    present = partial(_present, order, output=output, yes=yes)
    launch = call(lambda client: begin(client, order, present), by, "drill")
    if output == "text" or until is None:
        show(output, dump(launch), launch_text(launch))
    match until:
        case "watch":
            return follow(launch.workflow_id, output)
        case "wait":
            return wait(launch.workflow_id, output)
    return 0


def _present(order: "DrillOrder", missing: tuple[str, ...], *, output: str, yes: bool) -> None:
    """Show what will be made; go no further where a worker is missing and nobody insists."""
    from steadfleet_cli.drill.plan_text import plan_text
    from steadfleet_cli.exits import CommandError, ExitCode

    if missing and not yes:
        raise CommandError(
            "; ".join(missing), ExitCode.UNREACHABLE, "start what is missing, or give --yes to start anyway"
        )
    if output != "text":
        return
    click.echo(plan_text(order, missing) + "\n")
    if not yes and sys.stdin.isatty() and sys.stdout.isatty():
        what = f"{order.resolved_mode} of {order.plan.name}"
        click.confirm(f"Start the {what} now?", default=True, abort=True)


@click.command()
@file_option
@as_option
@output_option
def preflight(file: Path, by: str, output: str) -> int:
    """Have a worker look at everything that a drill would need; nothing is made.

    Ends with 3 when something would stop a drill, or when the plan cannot be resolved.
    """
    from steadfleet_cli.drill.launch import preflight as look
    from steadfleet_cli.drill.orders import read_order
    from steadfleet_cli.drill.status_text import preflight_text
    from steadfleet_cli.engine import call
    from steadfleet_cli.exits import ExitCode

    order = read_order(file, None, by)
    found = call(lambda client: look(client, order), by, "drill").preflight
    show(output, dump(found), preflight_text(order.plan.name, found))
    return ExitCode.REFUSED if found.blocking else ExitCode.OK
