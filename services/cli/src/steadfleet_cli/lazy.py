"""Command groups that load a command only when it runs: `--help` stays quick."""

import io
import os
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, NamedTuple, NoReturn

import click

from steadfleet_cli.exits import ExitCode, flush, interrupted, tell, unexpected


class Entry(NamedTuple):
    """Where a command is defined, as `module:attribute`, and what its group's help says of it."""

    target: str
    summary: str


class LazyGroup(click.Group):
    """A group that knows the names and summaries of its commands, and imports the one that is called."""

    def __init__(self, name: str, table: Mapping[str, Entry], **attributes: Any) -> None:
        # Stand-ins, good for the group's help and for completion.
        stand_ins = {key: click.Command(key, help=entry.summary) for key, entry in table.items()}
        super().__init__(name, commands=stand_ins, **attributes)
        self.table = table

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  (click's signature)
        return list(self.table)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name, stand_in, rest = super().resolve_command(ctx, args)
        return name, self.load(name) if name else stand_in, rest

    def load(self, name: str) -> click.Command:
        """Import the command of that name."""
        module, _, attribute = self.table[name].target.partition(":")
        command = getattr(import_module(module), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{self.table[name].target} is no click command")
        return command


class Script(LazyGroup):
    """A group that is also a console script: calling it runs it and ends the process."""

    def __call__(self, *_args: Any, **_named: Any) -> NoReturn:
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="replace")  # a terminal without our signs is no error
        leave(self.answer(sys.argv[1:]))

    def answer(self, args: Sequence[str]) -> int:
        """Run with these arguments and return the exit code; whatever goes wrong is told in one line."""
        try:
            result = self.main(list(args), prog_name=self.name, standalone_mode=False)
            return result if isinstance(result, int) else ExitCode.OK
        except click.ClickException as error:
            return tell(error, args)
        except click.Abort:
            return tell(interrupted(), args)
        except BrokenPipeError:
            return ExitCode.OK
        except Exception as error:
            if os.environ.get("STEADFLEET_DEBUG"):
                raise
            return tell(unexpected(error), args)


def leave(code: int) -> NoReturn:
    """End the process: at once where Temporal's threads run, which could crash a normal exit."""
    flush()
    if "temporalio" in sys.modules:
        if traces := sys.modules.get("steadfleet_durable.tracing"):
            traces.flush_traces()
        os._exit(code)
    sys.exit(code)
