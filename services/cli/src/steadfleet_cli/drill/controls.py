"""`steadfleet drill controls`: hand over to the drill service's own program, on the stack of this machine."""

import os
from pathlib import Path
from typing import NoReturn

import click

from steadfleet_cli.exits import CommandError, ExitCode, flush
from steadfleet_cli.output import output_option
from steadfleet_cli.parts import Addresses, ledgers_file, own_environment
from steadfleet_cli.processes import Processes
from steadfleet_cli.programs import program
from steadfleet_cli.stack import addresses_file, run_dir_option

PROGRAM = "steadfleet-dr-drill"
NEEDED = ("engine", "cloud", "driller", "witness", "janitor")
NAMES = (
    *("healthy", "dropped-table", "stale-replica", "wrong-secret", "wrong-data"),
    *("dark-resolver", "blind-witness", "failed-delete", "leaking-isolation"),
)


@click.command()
@run_dir_option
@click.option(
    "--only", multiple=True, type=click.Choice(NAMES), metavar="NAME", help="This control; repeatable."
)
@output_option
def controls(run_dir: Path, only: tuple[str, ...], output: str) -> NoReturn:
    """Prove that drills notice what is wrong: plant it, and see whether the verdict is red.

    It works on the local cloud of a running `steadfleet up` alone, in a production of its own that is
    taken away at the end, also after Ctrl-C; what stays are the drills and their reports. The controls:
    healthy (nothing is planted, and it must be as green as one machine allows), dropped-table,
    stale-replica, wrong-secret, wrong-data, dark-resolver, blind-witness, failed-delete,
    leaking-isolation. Two of them harm the whole stack for some seconds: dark-resolver silences its
    names, and blind-witness stops its witness.

    Ends with 0 when every control was caught, and with 6 when one was missed.
    """
    script = program(PROGRAM, "the drill service", "install steadfleet-dr-drill beside this command")
    folder = run_dir.absolute()
    addresses, witness = _running(folder, run_dir)
    ledgers = os.environ.get("STEADFLEET_LEDGERS") or str(ledgers_file(folder))
    words = ["controls", "--ledgers", ledgers, "--witness", str(witness), "--output", output]
    words += [word for name in only for word in ("--only", name)]
    flush()
    os.execve(script, [str(script), *words], own_environment() | addresses.environment)  # noqa: S606  # our own


def _running(folder: Path, shown: Path) -> tuple[Addresses, int]:
    """Say where the stack is, and the witness's process; refuse where a part of it does not run."""
    processes = Processes(folder)
    found = {name: processes.find(name) for name in NEEDED}
    addresses, witness = Addresses.read(addresses_file(folder)), found["witness"]
    missing = [name for name, process in found.items() if process is None]
    if missing or addresses is None or witness is None:
        raise CommandError(
            f"no whole stack runs in {shown}: {', '.join(missing) or 'its addresses'} missing",
            ExitCode.REFUSED,
            "`steadfleet up` first, or name its folder by --run-dir",
        )
    return addresses, witness.pid
