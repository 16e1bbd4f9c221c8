"""The arguments that drill commands share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

_Command = TypeVar("_Command", bound=Callable[..., Any])

file_option: Callable[[_Command], _Command] = click.option(
    "-f",
    "--file",
    type=click.Path(path_type=Path),
    default="drill.yaml",
    show_default=True,
    help="The DrillPlan.",
)
drill_argument: Callable[[_Command], _Command] = click.argument("drill", metavar="NAME|ID")
plan_argument: Callable[[_Command], _Command] = click.argument("plan", metavar="NAME")
preflight_option: Callable[[_Command], _Command] = click.option(
    "--preflight", is_flag=True, help="The schedule of the preflight, which makes nothing."
)
yes_option: Callable[[_Command], _Command] = click.option(
    "--yes", is_flag=True, help="Ask no question, and start even where a worker is missing."
)
mode_option: Callable[[_Command], _Command] = click.option(
    "--mode",
    type=click.Choice(["tabletop", "drill"]),
    help="In place of spec.mode. A tabletop only looks, and makes nothing.",
)
cron_option: Callable[[_Command], _Command] = click.option(
    "--cron", metavar="FIELDS", help="With --preflight: in place of spec.schedule.cron, such as '0 6 * * *'."
)
