"""`steadfleet fleet list`, `freeze`, `unfreeze` and `stop`."""
# ruff: noqa: PLC0415  (imported when called: `--help` loads neither Temporal nor pydantic)

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from steadfleet_cli.output import as_option, dump, output_option, show

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from temporalio.client import Client

    from steadfleet_core.campaign.lifecycle import Request
    from steadfleet_workflows.fleet import FleetHolding

_Command = TypeVar("_Command", bound=Callable[..., Any])


@click.command("list")
@click.argument("name", required=False)
@output_option
def list_hosts(name: str | None, output: str) -> None:
    """List hosts with zone, image and health, and who holds or froze the fleet.

    NAME is the value of the tag `fleet` on the groups; without it all groups that have one.
    """
    from steadfleet_cli.engine import call
    from steadfleet_cli.fleet.calls import inspect
    from steadfleet_cli.fleet.text import document, inspection_text

    inspection = call(lambda client: inspect(client, name))
    show(output, document(inspection), inspection_text(inspection))


def _request_options(command: _Command) -> _Command:
    reason = click.option("--reason", required=True, metavar="TEXT", help="Why; the next person reads it.")
    for option in (output_option, as_option, reason, click.argument("name")):
        command = option(command)
    return command


@click.command()
@_request_options
def freeze(**said: Any) -> None:
    """Let no campaign start on a fleet; one that runs goes on."""
    from steadfleet_cli.fleet import calls

    _send(calls.freeze, **said)


@click.command()
@_request_options
def unfreeze(**said: Any) -> None:
    """Let campaigns start again; a campaign that was paused stays paused."""
    from steadfleet_cli.fleet import calls

    _send(calls.unfreeze, **said)


@click.command()
@_request_options
def stop(**said: Any) -> None:
    """Stop the line: freeze the fleet, and pause the campaign that holds it."""
    from steadfleet_cli.fleet import calls

    _send(calls.stop_the_line, **said)


def _send(
    verb: "Callable[[Client, str, Request], Awaitable[FleetHolding]]",
    *,
    name: str,
    by: str,
    reason: str,
    output: str,
) -> None:
    from steadfleet_cli.engine import call
    from steadfleet_cli.fleet.text import holding_text
    from steadfleet_core.campaign.lifecycle import Request

    request = Request(by=by, reason=reason)
    holding = call(lambda client: verb(client, name, request), by)
    show(output, dump(holding), holding_text(name, holding))
