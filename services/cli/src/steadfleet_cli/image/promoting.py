"""`steadfleet image promote` and `rollback`."""
# ruff: noqa: PLC0415  (imported when called: `--help` loads neither Temporal nor pydantic)

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from steadfleet_cli.exits import ExitCode
from steadfleet_cli.image.arguments import channel_option, family_argument, place_option, version_argument
from steadfleet_cli.output import as_option, dump, output_option, show

if TYPE_CHECKING:
    from steadfleet_core.image.channel import PromotionVerb

_Command = TypeVar("_Command", bound=Callable[..., Any])
_NOTHING = "none"


def _channel_options(command: _Command) -> _Command:
    expect = click.option(
        "--expect",
        metavar="VERSION",
        help=f"Move it only if it stands there now; `{_NOTHING}` for a channel that points at nothing.",
    )
    for option in (output_option, as_option, place_option, expect, channel_option):
        command = option(command)
    return command


@click.command()
@family_argument
@version_argument
@click.option("--reason", default="", metavar="TEXT", help="Why; the channel's history keeps it.")
@_channel_options
def promote(version: str, **said: Any) -> int:
    """Point a channel at a version, once it is verified as the channel demands.

    Where the channel demands approvals, the first to ask proposes, and others approve by running the
    same command. Verified are the copies at each --place; by default at every place where the build
    released it, or if nobody knows that any more, where the worker is at home. Ends with 3 when it is
    refused.
    """
    from steadfleet_core.image.channel import PromotionVerb

    return _move(PromotionVerb.PROMOTE, version=version, **said)


@click.command()
@family_argument
@click.option("--reason", required=True, metavar="TEXT", help="Why; the channel's history keeps it.")
@_channel_options
def rollback(**said: Any) -> int:
    """Point a channel back at the version where it stood before. It needs no approval.

    That version is verified again: one that was revoked since is refused.
    """
    from steadfleet_core.image.channel import PromotionVerb

    return _move(PromotionVerb.ROLL_BACK, version="", **said)


def _move(
    verb: "PromotionVerb",
    *,
    family: str,
    version: str,
    channel: str,
    expect: str | None,
    places: tuple[str, ...],
    by: str,
    reason: str,
    output: str,
) -> int:
    from steadfleet_cli.engine import call
    from steadfleet_cli.image.channels import move, receipt_text
    from steadfleet_core.image.channel import Promotion
    from steadfleet_core.image.golden import Channel

    promotion = Promotion(
        family=family,
        channel=Channel(channel),
        verb=verb,
        version=version,
        expected="" if expect == _NOTHING else expect,
        by=by,
        reason=reason,
        places=places,
    )
    receipt = call(lambda client: move(client, promotion), by, "image")
    show(output, dump(receipt), receipt_text(promotion, receipt))
    return ExitCode.OK if receipt.moved or receipt.waiting else ExitCode.REFUSED
