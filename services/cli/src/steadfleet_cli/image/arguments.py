"""The arguments that image commands share."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

_Command = TypeVar("_Command", bound=Callable[..., Any])

family_argument: Callable[[_Command], _Command] = click.argument("family")
version_argument: Callable[[_Command], _Command] = click.argument("version")
channel_option: Callable[[_Command], _Command] = click.option(
    "--channel", type=click.Choice(["dev", "staging", "prod"]), required=True, help="Which one is moved."
)
place_option: Callable[[_Command], _Command] = click.option(
    "--place", "places", multiple=True, metavar="REGION", help="Verify the copy there; repeatable."
)
demand_option: Callable[[_Command], _Command] = click.option(
    "--demand",
    type=click.Choice(["signature", "provenance", "sbom", "tests"]),
    multiple=True,
    help="Must be proven beyond what the environment demands; repeatable.",
)
