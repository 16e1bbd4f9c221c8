"""Options that commands share, and the one way to print an answer."""

import getpass
import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from pydantic import BaseModel

_Command = TypeVar("_Command", bound=Callable[..., Any])

output_option: Callable[[_Command], _Command] = click.option(
    "--output",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="json: one document on stdout, errors as one on stderr.",
)

name_argument: Callable[[_Command], _Command] = click.argument("name", required=False)


def user() -> str:
    """Name the person at the keyboard; `--as` says otherwise."""
    try:
        return getpass.getuser()
    except (KeyError, OSError) as error:
        raise click.UsageError("nobody is logged in: say who you are with --as NAME") from error


as_option: Callable[[_Command], _Command] = click.option(
    "--as", "by", metavar="NAME", default=user, help="Who asks. Default: the user who is logged in."
)
reason_option: Callable[[_Command], _Command] = click.option(
    "--reason", default="", metavar="TEXT", help="Why; it is kept in the campaign's report."
)


def show(output: str, document: object, text: str) -> None:
    """Print an answer: the document for programs, or the text for people."""
    click.echo(json.dumps(document, indent=2, ensure_ascii=False) if output == "json" else text)


def dump(model: "BaseModel") -> dict[str, Any]:
    """Return the model as JSON values, under the names that people write."""
    return model.model_dump(mode="json", by_alias=True)


def table(rows: list[tuple[str, ...]]) -> str:
    """Align columns; the first row is the heading."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)


def section(title: str, sentences: Sequence[str]) -> Iterator[str]:
    """Yield an indented list under its title, or nothing."""
    if sentences:
        yield ""
        yield title
        yield from (f"  {sentence}" for sentence in sentences)


def clock(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def whole(time: timedelta) -> timedelta:
    """Round to seconds: nobody reads further."""
    return timedelta(seconds=max(round(time.total_seconds()), 0))
