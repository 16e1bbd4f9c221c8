"""`steadfleet-dr-drill controls`: prove that drills notice what is wrong, on a local cloud."""

import asyncio
import json
import os
import signal
import sys
import textwrap
from enum import IntEnum
from itertools import pairwise
from pathlib import Path
from typing import IO, Any

import click
from botocore.exceptions import BotoCoreError, ClientError
from psycopg import Error as DatabaseError
from temporalio.service import RPCError

from steadfleet_core.errors import SteadfleetError
from steadfleet_dr_drill.rehearsal.catalogue import CATALOGUE
from steadfleet_dr_drill.rehearsal.control import Result
from steadfleet_dr_drill.rehearsal.rehearsing import Stage, rehearse

_MOST_SHOWN = 170


class Exit(IntEnum):
    """As the other commands end; a control that was missed is no success."""

    CAUGHT = 0
    REFUSED = 3
    UNREACHABLE = 5
    MISSED = 6
    INTERRUPTED = 130


class Problem(click.ClickException):
    """Told as the other commands tell what was wrong."""

    def __init__(self, message: str, code: Exit, advice: str) -> None:
        super().__init__(message)
        self.code = code
        self.advice = advice

    @property
    def exit_code(self) -> int:  # type: ignore[override]  # click's own is a number of the class
        return self.code

    def show(self, file: IO[Any] | None = None) -> None:
        if "--output=json" in sys.argv or ("--output", "json") in pairwise(sys.argv):
            text = json.dumps({"error": self.message, "next": self.advice})
        else:
            text = f"error: {self.message}\nnext: {self.advice}"
        click.echo(text, file=file, err=file is None)


@click.command()
@click.option(
    "--ledgers", type=click.Path(path_type=Path), required=True, help="The file the witness follows."
)
@click.option("--witness", type=int, required=True, metavar="PID", help="The witness's process.")
@click.option("--only", multiple=True, type=click.Choice(list(CATALOGUE)), help="This control; repeatable.")
@click.option("--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
def controls(ledgers: Path, witness: int, only: tuple[str, ...], output: str) -> None:
    """Plant harm in a production of its own on a local cloud, and see whether drills notice.

    `steadfleet drill controls` says where the stack is, and is what a person runs.
    """
    chosen = [control for name, control in CATALOGUE.items() if not only or name in only]
    try:
        found = asyncio.run(_until_told(rehearse(chosen, Stage(ledgers, witness), os.environ, _say)))
    except (asyncio.CancelledError, KeyboardInterrupt):
        click.echo("interrupted: all that was made is taken away", err=True)
        sys.exit(Exit.INTERRUPTED)
    except SteadfleetError as error:
        raise Problem(
            str(error), Exit.REFUSED, "`steadfleet doctor` says what runs and what is missing"
        ) from error
    except (RPCError, BotoCoreError, ClientError, DatabaseError) as error:
        raise Problem(
            str(error), Exit.UNREACHABLE, "`steadfleet doctor` says what runs and what is missing"
        ) from error
    click.echo(document(found) if output == "json" else text(found))
    sys.exit(Exit.CAUGHT if all(one.caught for one in found) else Exit.MISSED)


async def _until_told(work: Any) -> list[Result]:
    """Let SIGTERM end it as Ctrl-C does: by taking away what was made."""
    task = asyncio.ensure_future(work)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    found: list[Result] = await task
    return found


def _say(sentence: str) -> None:
    click.echo(sentence, err=True)


def document(found: list[Result]) -> str:
    rows = [one.model_dump(mode="json") for one in found]
    return json.dumps({"controls": rows, "caught": all(one.caught for one in found)}, indent=2)


def text(found: list[Result]) -> str:
    """Align what all have, and say below of each that was missed why."""
    head = ("control", "planted", "verdict", "", "reason")
    rows = [
        head,
        *((one.control, one.planted, one.verdict, _ended(one), _short(one.reason)) for one in found),
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    lines += [f"\nMISSED {one.control}: {one.problem}" for one in found if not one.caught]
    caught = sum(one.caught for one in found)
    return "\n".join([*lines, f"\n{caught} of {len(found)} caught"])


def _short(reason: str) -> str:
    """Keep a reason to a line of the table; `--output json` has the whole."""
    return textwrap.shorten(reason, _MOST_SHOWN, placeholder=" …")


def _ended(one: Result) -> str:
    return "caught" if one.caught else "MISSED"
