"""`steadfleet drill abort`, `retry` and `skip`."""
# ruff: noqa: PLC0415  (imported when called: `--help` loads neither Temporal nor pydantic)

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from steadfleet_cli.drill.arguments import drill_argument
from steadfleet_cli.output import as_option, dump, output_option, show

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from temporalio.client import Client

    from steadfleet_cli.drill.orders import Drilled
    from steadfleet_core.drill.report import DrillReceipt

_Command = TypeVar("_Command", bound=Callable[..., Any])
_REQUIRED_REASON = click.option(
    "--reason", required=True, metavar="TEXT", help="Why; it is kept in the report."
)


def _verb_options(command: _Command) -> _Command:
    for option in (output_option, as_option, drill_argument):
        command = option(command)
    return command


@click.command()
@click.option("--step", default="", metavar="STEP", help="Which one, where several wait: 'restore orders'.")
@click.option("--reason", default="", metavar="TEXT", help="Why; the receipt keeps it.")
@_verb_options
def retry(drill: str, step: str, by: str, reason: str, output: str) -> None:
    """Try again a step that failed and waits; the clock runs on."""
    from steadfleet_cli.drill import requests
    from steadfleet_workflows.drill_shown import StepRequested

    request = StepRequested(by=by, reason=reason, step=step)
    _send(lambda client, meant: requests.retry(client, meant, request), drill, by, output)


@click.command()
@click.option("--step", required=True, metavar="STEP", help="Which one: 'restore orders'.")
@_REQUIRED_REASON
@_verb_options
def skip(drill: str, step: str, by: str, reason: str, output: str) -> None:
    """Leave out a step that failed and waits. It is a finding, and the drill cannot pass."""
    from steadfleet_cli.drill import requests
    from steadfleet_workflows.drill_shown import StepRequested

    request = StepRequested(by=by, reason=reason, step=step)
    _send(lambda client, meant: requests.skip(client, meant, request), drill, by, output)


@click.command()
@_REQUIRED_REASON
@_verb_options
def abort(drill: str, by: str, reason: str, output: str) -> None:
    """Stop a drill, and take away everything that it made."""
    from steadfleet_cli.drill import requests
    from steadfleet_core.campaign.lifecycle import Request

    request = Request(by=by, reason=reason)
    _send(lambda client, meant: requests.abort(client, meant, request), drill, by, output)


def _send(
    verb: "Callable[[Client, Drilled], Awaitable[DrillReceipt]]", drill: str, by: str, output: str
) -> None:
    from steadfleet_cli.drill.orders import meant
    from steadfleet_cli.drill.status_text import receipt_text
    from steadfleet_cli.engine import call

    receipt = call(lambda client: verb(client, meant(drill)), by, "drill")
    show(output, dump(receipt), receipt_text(receipt, drill))
