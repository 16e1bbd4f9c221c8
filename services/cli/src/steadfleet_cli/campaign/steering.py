"""The verbs: approve, reject, pause, resume, abort, advance, retry, rollback."""
# ruff: noqa: PLC0415  (imported when called: `--help` loads neither Temporal nor pydantic)

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from steadfleet_cli.output import as_option, dump, name_argument, output_option, reason_option, show

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from temporalio.client import Client

    from steadfleet_core.campaign.lifecycle import Receipt, Request

_Command = TypeVar("_Command", bound=Callable[..., Any])


def _verb_options(command: _Command) -> _Command:
    for option in (output_option, as_option, reason_option, name_argument):
        command = option(command)
    return command


@click.command()
@click.option(
    "--plan", required=True, metavar="DIGEST", help="The plan that was read: 12 or more hex digits."
)
@click.option(
    "--key",
    type=click.Path(path_type=Path),
    help="Your private key (ECDSA P-256, PEM), where the policy demands proven approvals.",
)
@_verb_options
def approve(plan: str, key: Path | None, **said: Any) -> None:
    """Agree to the plan that waits.

    Whoever requested the campaign cannot approve it. NAME is by default that of ./steadfleet.yaml.
    """
    from steadfleet_cli.campaign import requests

    _send(lambda client, name, request: requests.approve(client, name, request, plan, key), **said)


@click.command()
@_verb_options
def reject(**said: Any) -> None:
    """End a campaign whose plan waits for approval; no host was touched."""
    from steadfleet_cli.campaign import requests

    _send(requests.reject, **said)


@click.command()
@_verb_options
def pause(**said: Any) -> None:
    """Start no new host; hosts in flight finish, and bake and approval clocks stand still."""
    from steadfleet_cli.campaign import requests

    _send(requests.pause, **said)


@click.command()
@_verb_options
def resume(**said: Any) -> None:
    """Go on where a paused campaign stood."""
    from steadfleet_cli.campaign import requests

    _send(requests.resume, **said)


@click.command()
@click.option("--rollback", is_flag=True, help="Restore the hosts that are done, too.")
@_verb_options
def abort(*, rollback: bool, **said: Any) -> None:
    """Stop and end: hosts in flight are restored, hosts done stay."""
    from steadfleet_cli.campaign import requests

    _send(lambda client, name, request: requests.abort(client, name, request, rollback=rollback), **said)


@click.command()
@_verb_options
def advance(**said: Any) -> None:
    """Skip the rest of the bake; the wave is still judged."""
    from steadfleet_cli.campaign import requests

    _send(requests.advance, **said)


@click.command()
@_verb_options
def retry(**said: Any) -> None:
    """Change the failed hosts of a halted wave again."""
    from steadfleet_cli.campaign import requests

    _send(requests.retry, **said)


@click.command()
@click.option(
    "--scope",
    type=click.Choice(["wave", "campaign"]),
    default="campaign",
    show_default=True,
    help="The last wave, or every host changed so far.",
)
@_verb_options
def rollback(scope: str, **said: Any) -> None:
    """Bring hosts back to what they ran before, and end."""
    from steadfleet_cli.campaign import requests

    _send(lambda client, name, request: requests.roll_back(client, name, request, scope), **said)


def _send(
    verb: "Callable[[Client, str, Request], Awaitable[Receipt]]",
    *,
    name: str | None,
    by: str,
    reason: str,
    output: str,
) -> None:
    from steadfleet_cli.campaign.policy import campaign_name
    from steadfleet_cli.campaign.status_text import receipt_text
    from steadfleet_cli.engine import call
    from steadfleet_core.campaign.lifecycle import Request

    campaign, request = campaign_name(name), Request(by=by, reason=reason)
    receipt = call(lambda client: verb(client, campaign, request), by)
    show(output, dump(receipt), receipt_text(campaign, receipt))
