"""How a command ends: the exit codes, and errors as one line with the next step."""

import json
import os
import sys
from collections.abc import Sequence
from enum import IntEnum
from itertools import pairwise

import click


class ExitCode(IntEnum):
    """What a script may rely on; the words of each are in `MEANINGS`."""

    OK = 0
    UNEXPECTED = 1
    USAGE = 2
    REFUSED = 3
    NAME_TAKEN = 4
    UNREACHABLE = 5
    NOT_SUCCEEDED = 6
    INTERRUPTED = 130


MEANINGS = {
    ExitCode.OK: "done, or attached to the same campaign, build or drill that runs already",
    ExitCode.UNEXPECTED: "unexpected error (STEADFLEET_DEBUG=1 shows where)",
    ExitCode.USAGE: "the command line is wrong",
    ExitCode.REFUSED: "refused: a bad contract, a plan with problems, a verb or promotion that may not be",
    ExitCode.NAME_TAKEN: "a campaign, drill, schedule or image of that name is there with a different order",
    ExitCode.UNREACHABLE: "cannot reach Temporal, or no worker answers",
    ExitCode.NOT_SUCCEEDED: "a campaign, build, drill or test did not succeed; an image may not be used; "
    "a rollout was taken back; an alarm",
    ExitCode.INTERRUPTED: "interrupted by Ctrl-C; what was started goes on",
}

EPILOG = "\b\nExit codes:\n" + "\n".join(f"  {code.value:<3}  {words}" for code, words in MEANINGS.items())


class CommandError(click.ClickException):
    """What went wrong in one line, what to do next, and the exit code."""

    def __init__(self, message: str, code: ExitCode, advice: str) -> None:
        super().__init__(message)
        self.code = code
        self.advice = advice


def tell(error: click.ClickException, args: Sequence[str]) -> int:
    """Print the error as `--output` asks; return its exit code."""
    advice = error.advice if isinstance(error, CommandError) else _usage_advice(error)
    if wants_json(args):
        click.echo(json.dumps({"error": error.format_message(), "next": advice}), err=True)
    else:
        click.echo(f"error: {error.format_message()}", err=True)
        if advice:
            click.echo(f"next: {advice}", err=True)
    return error.code if isinstance(error, CommandError) else error.exit_code


def wants_json(args: Sequence[str]) -> bool:
    """Read `--output json` from arguments that could not be parsed."""
    return "--output=json" in args or ("--output", "json") in pairwise(args)


def unexpected(error: Exception) -> CommandError:
    """Describe a bug; the traceback is for those who ask for it."""
    text = " ".join(str(error).split())
    return CommandError(
        f"unexpected {type(error).__name__}" + (f": {text}" if text else ""),
        ExitCode.UNEXPECTED,
        "run it again with STEADFLEET_DEBUG=1 to see where",
    )


def interrupted() -> CommandError:
    return CommandError(
        "interrupted",
        ExitCode.INTERRUPTED,
        "what was started goes on: `campaign status`, `steadfleet image show`, `steadfleet drill status`",
    )


def _usage_advice(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    return f"`{context.command_path} --help`" if isinstance(context, click.Context) else ""


def flush() -> None:
    """Flush what was printed; a reader that has left (`| head`) is no error."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            # What is still buffered must not be tried again when the interpreter ends.
            _silence(stream.fileno())


def _silence(descriptor: int) -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)
