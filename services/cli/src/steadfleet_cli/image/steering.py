"""`steadfleet image retry`, `abort`, `test` and `sign`."""
# ruff: noqa: PLC0415  (imported when called: `--help` loads neither Temporal nor pydantic)

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from steadfleet_cli.exits import ExitCode
from steadfleet_cli.image.arguments import family_argument, version_argument
from steadfleet_cli.output import as_option, dump, output_option, show

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from temporalio.client import Client

    from steadfleet_core.campaign.lifecycle import Request
    from steadfleet_core.image.report import ImageReceipt

_Command = TypeVar("_Command", bound=Callable[..., Any])


def _verb_options(command: _Command) -> _Command:
    for option in (output_option, as_option, version_argument, family_argument):
        command = option(command)
    return command


@click.command()
@click.option("--reason", default="", metavar="TEXT", help="Why; the receipt keeps it.")
@_verb_options
def retry(**said: Any) -> None:
    """Try what halted a build again: a place that failed, or a release. Nothing is rebuilt."""
    from steadfleet_cli.image import requests

    _send(requests.retry, **said)


@click.command()
@click.option("--reason", required=True, metavar="TEXT", help="Why; the build's own reason begins with it.")
@_verb_options
def abort(**said: Any) -> None:
    """Stop a build, and take away everything that it made. Refused once its release has begun."""
    from steadfleet_cli.image import requests

    _send(requests.abort, **said)


def _send(
    verb: "Callable[[Client, str, str, Request], Awaitable[ImageReceipt]]",
    *,
    family: str,
    version: str,
    by: str,
    reason: str,
    output: str,
) -> None:
    from steadfleet_cli.engine import call
    from steadfleet_cli.image.status_text import receipt_text
    from steadfleet_core.campaign.lifecycle import Request

    request = Request(by=by, reason=reason)
    receipt = call(lambda client: verb(client, family, version, request), by, "image")
    show(output, dump(receipt), receipt_text(family, version, receipt))


@click.command()
@family_argument
@version_argument
@output_option
def test(family: str, version: str, output: str) -> int:
    """Boot a fresh machine from a published image and try it again, as its contract says.

    Ends with 6 when a check did not pass. Nothing about the image is changed, and the machine is
    taken down in any case.
    """
    from steadfleet_cli.engine import call
    from steadfleet_cli.image.again import announce, try_again
    from steadfleet_cli.image.status_text import examination_text

    told = announce if output == "text" else lambda _: None
    examination = call(lambda client: try_again(client, family, version, told), group="image")
    show(output, dump(examination), examination_text(examination))
    return ExitCode.NOT_SUCCEEDED if examination.failures else ExitCode.OK


@click.command()
@family_argument
@version_argument
@output_option
def sign(family: str, version: str, output: str) -> None:
    """Have every copy of an image measured and signed again; signatures that are there stay.

    For after a key was changed. The signer measures each copy itself, and signs only what it finds.
    """
    from steadfleet_cli.engine import call
    from steadfleet_cli.image.again import announce, sign_again, signing_text

    told = announce if output == "text" else lambda _: None
    signed = call(lambda client: sign_again(client, family, version, told), group="image")
    show(output, [{"place": place, **dump(one)} for place, one in signed], signing_text(signed))
