"""`steadfleet sweep`: hand over to the janitor's own script; this one loads no cloud SDK."""

import os
from typing import Any, NoReturn

import click

from steadfleet_cli.exits import flush
from steadfleet_cli.programs import program

PROGRAM = "steadfleet-janitor"
_INSTALL = "install steadfleet-janitor, and run this where the janitor's credentials are"


@click.command()
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
def sweep(context: click.Context, /, **given: Any) -> NoReturn:
    """Find what expired, or is of a run, and was never kept; show it, ask, and delete it.

    It needs no Temporal, and the janitor's credentials. Machines that serve and images that were
    released are left alone. What a lease still holds may have expired too: look at `lease/RUN` in
    Temporal before a run that may live is swept.

    Exits with 0 when nothing is left, 3 when it was refused, 5 when a place cannot be looked at,
    and 6 when residue is left.
    """
    flush()
    script = program(PROGRAM, "the janitor", _INSTALL)
    os.execv(script, [str(script), "sweep", *_arguments(context.command, given)])  # noqa: S606  # our own


def _arguments(command: click.Command, given: dict[str, Any]) -> list[str]:
    """Write the options again as they were said."""
    said: list[str] = []
    for option in command.params:
        value, flag = given[str(option.name)], option.opts[0]
        if isinstance(value, tuple):
            said += [word for one in value for word in (flag, str(one))]
        elif isinstance(value, bool):
            said += [flag] if value else []
        elif value:
            said += [flag, str(value)]
    return said
