"""`steadfleet up` and `steadfleet down`: the engine, the local cloud and the worker of this folder."""

import fcntl
import json
import os
import shlex
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from datetime import timedelta
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import click

from steadfleet_cli.exits import CommandError, ExitCode
from steadfleet_cli.output import output_option
from steadfleet_cli.parts import (
    BINARIES,
    LOOPBACK,
    WORKERS,
    Addresses,
    Part,
    make_ledgers_file,
    port_taken,
    stack,
)
from steadfleet_cli.processes import Process, Processes
from steadfleet_cli.trust import make_trust

NAMES = ("engine", "cloud", *WORKERS)
_READY_WITHIN = timedelta(seconds=90)
_STOPPED_WITHIN = timedelta(seconds=15)
_LOOK_EVERY = timedelta(seconds=0.1)

run_dir_option = click.option(
    "--run-dir",
    envvar="STEADFLEET_RUN_DIR",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(".run"),
    show_default=True,
    help="Folder of logs, process files and state. [env: STEADFLEET_RUN_DIR]",
)

_HELP = {
    "engine": "Port of the engine.",
    "ui": "Port of the engine's web UI.",
    "cloud": "Port of the local cloud.",
    "resolver": "Port of the DNS resolver that knows the local cloud's names.",
    "health": "First port of the workers' /healthz and /readyz; each worker has the next.",
    "metrics": "First port of the workers' /metrics; each worker has the next.",
    "network": "Network of the local cloud's machines, a /16 of 127.0.0.0/8, or auto.",
    "machines": "What stands behind an instance: process, docker (needs a Docker engine), or auto.",
}


_WORDS = ("network", "machines")
"""Addresses that are no ports."""


def _variable(name: str) -> str:
    return f"STEADFLEET_{name.upper()}" + ("" if name in _WORDS else "_PORT")


def _address_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for field in reversed(fields(Addresses)):
        suffix = "" if field.name in _WORDS else "-port"
        command = click.option(
            f"--{field.name}{suffix}",
            field.name,
            type=field.type,
            envvar=_variable(field.name),
            help=f"{_HELP[field.name]} Default: {field.default}. [env: {_variable(field.name)}]",
        )(command)
    return command


@click.command()
@run_dir_option
@_address_options
@click.option("--free-ports", is_flag=True, help="Choose ports and a network that nobody uses now.")
@click.option("--only", multiple=True, type=click.Choice(NAMES), help="Start this part alone; repeatable.")
@output_option
def up(run_dir: Path, *, free_ports: bool, only: tuple[str, ...], output: str, **given: Any) -> None:
    """Start the engine, the local cloud and the worker on this machine.

    What already runs stays. What a campaign changes here are machines of this computer: no cloud
    account is touched.
    """
    folder = run_dir.absolute()
    with _locked(folder):
        processes = Processes(folder)
        running = {name for name in NAMES if processes.find(name)}
        addresses = _choose(folder, running, given, free_ports=free_ports)
        make_trust(folder)
        make_ledgers_file(folder)
        parts = [part for part in stack(addresses, folder) if part.name in (only or NAMES)]
        addresses = _start([part for part in parts if part.name not in running], processes, addresses)
        _write(folder, addresses)
    tell = _tell_json if output == "json" else _tell
    tell(processes, addresses, running)


@click.command()
@run_dir_option
def down(run_dir: Path) -> None:
    """Stop what `steadfleet up` started here, and nothing else."""
    folder = run_dir.absolute()
    if not folder.is_dir():
        click.echo(f"nothing runs: there is no {run_dir}")
        return
    with _locked(folder):
        processes = Processes(folder)
        running = [process for name in reversed(NAMES) if (process := processes.find(name))]
        for process in running:
            click.echo(_stop(process, processes))
    if not running:
        click.echo("nothing runs")


def _choose(folder: Path, running: set[str], given: dict[str, Any], *, free_ports: bool) -> Addresses:
    """Return what was given over what runs already over the defaults."""
    wanted = {name: value for name, value in given.items() if value is not None}
    saved = Addresses.read(addresses_file(folder)) if running else None
    if saved is None:
        return replace(Addresses.free() if free_ports else Addresses(), **wanted)
    for name, value in wanted.items():
        if value != getattr(saved, name):
            raise CommandError(
                f"{', '.join(sorted(running))} already run here, with {name} at {getattr(saved, name)}, "
                f"not {value}",
                ExitCode.REFUSED,
                "`steadfleet down` first, or choose another --run-dir",
            )
    return saved


def _start(parts: list[Part], processes: Processes, addresses: Addresses) -> Addresses:
    """Start all parts or none."""
    for part in parts:
        _refuse_taken_ports(part)
    started: list[Process] = []
    try:
        with _terminating():
            for part in parts:
                if part.name in WORKERS:  # they need the others
                    _await_all([one for one in parts if one.name not in WORKERS], started, processes)
                started.append(processes.start(part.name, part.argv, part.env))
            _await_all(parts, started, processes)
    except BaseException:
        for process in reversed(started):
            _stop(process, processes)
        raise
    return addresses


def _refuse_taken_ports(part: Part) -> None:
    for name, port in part.ports.items():
        if port_taken(port):
            raise CommandError(
                f"port {port} is taken, and the {part.name} wanted it for {name}",
                ExitCode.REFUSED,
                f"stop what uses it, or choose another: --{name}-port N, {_variable(name)}=N, --free-ports",
            )


def _await_all(parts: list[Part], started: list[Process], processes: Processes) -> None:
    for part, process in zip(parts, started, strict=False):
        _await_ready(part, process, processes)


def _await_ready(part: Part, process: Process, processes: Processes) -> None:
    deadline = time.monotonic() + _READY_WITHIN.total_seconds()
    while (problem := part.problem()) is not None:
        if process.exited_within(_LOOK_EVERY):
            raise _failure(part, f"ended while starting ({_status(process)})", processes)
        if time.monotonic() > deadline:
            raise _failure(part, f"is not ready after {_READY_WITHIN}: {problem}", processes)


def _failure(part: Part, what: str, processes: Processes) -> CommandError:
    lines = [f"the {part.name} {what}; the end of its log:"]
    lines += [f"  {line}" for line in processes.last_lines(part.name)]
    advice = f"read {_short(processes.log(part.name))}; what this command had started was stopped again"
    return CommandError("\n".join(lines), ExitCode.UNREACHABLE, advice)


def _status(process: Process) -> str:
    status = process.exit_status()
    return f"killed by {signal.Signals(-status).name}" if status and status < 0 else f"exit status {status}"


def _stop(process: Process, processes: Processes) -> str:
    gracefully = process.stop(_STOPPED_WITHIN)
    processes.forget(process.name)
    return f"{process.name} stopped" + ("" if gracefully else f" (killed after {_STOPPED_WITHIN})")


def _write(folder: Path, addresses: Addresses) -> None:
    addresses.write(addresses_file(folder))
    lines = [f"export {name}={shlex.quote(value)}" for name, value in addresses.environment.items()]
    lines += ["unset AWS_PROFILE AWS_SESSION_TOKEN", f'export PATH={shlex.quote(str(BINARIES))}:"$PATH"']
    (folder / "env").write_text("\n".join(lines) + "\n")


def _tell(processes: Processes, addresses: Addresses, running: set[str]) -> None:
    where = {
        "engine": f"{addresses.environment['TEMPORAL_ADDRESS']}, web UI {addresses.ui_url}",
        "cloud": f"{addresses.cloud_url} (local: {addresses.machines} machines of this computer, not AWS)",
    }
    for number, name in enumerate(WORKERS):
        ready = f"http://{LOOPBACK}:{addresses.health + number}/readyz"
        where[name] = f"{ready}, metrics at :{addresses.metrics + number}/metrics"
    for name in NAMES:
        if process := processes.find(name):
            state = "already ran" if name in running else "started"
            click.echo(f"{name:<7} {state}  {where[name]}")
            click.echo(f"{'':<7} pid {process.pid}, log {_short(processes.log(name))}")
    env = _short(processes.folder / "env")
    click.echo(f"\nnext: source {env}   then: steadfleet doctor   and to stop: steadfleet down")


def _tell_json(processes: Processes, addresses: Addresses, running: set[str]) -> None:
    found = {name: process for name in NAMES if (process := processes.find(name))}
    click.echo(
        json.dumps(
            {
                "environment": addresses.environment,
                "ui": addresses.ui_url,
                "parts": {
                    name: {
                        "pid": process.pid,
                        "log": str(processes.log(name)),
                        "started": name not in running,
                    }
                    for name, process in found.items()
                },
            },
            indent=2,
        )
    )


def _short(path: Path) -> str:
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)


def addresses_file(folder: Path) -> Path:
    """Say where the addresses of the stack are kept that runs there."""
    return folder / "stack.json"


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Let one `up` or `down` at a time work in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CommandError(
                f"another `steadfleet up` or `down` is at work in {folder}", ExitCode.REFUSED, "wait for it"
            ) from error
        yield


@contextmanager
def _terminating() -> Iterator[None]:
    """Turn SIGTERM into an exception, so that what was started is stopped."""

    def leave(number: int, _frame: FrameType | None) -> NoReturn:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
