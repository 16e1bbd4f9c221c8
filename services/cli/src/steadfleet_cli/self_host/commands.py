"""`steadfleet self-host`: back the engine up, and restore it."""

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from temporalio.api.workflowservice.v1 import GetClusterInfoRequest
from temporalio.client import Client
from temporalio.service import RPCError

from steadfleet_cli.exits import CommandError, ExitCode
from steadfleet_cli.self_host.backup import back_up
from steadfleet_cli.self_host.compose import Compose
from steadfleet_cli.self_host.installation import SelfHostError
from steadfleet_cli.self_host.reconciling import advice, open_runs
from steadfleet_cli.self_host.restore import Restore, Restored
from steadfleet_durable import EngineError, connect

_Result = TypeVar("_Result")
_IDENTITY = f"self-host@{socket.gethostname()}"


def _installation_options(command: Callable[..., Any]) -> Callable[..., Any]:
    folder = click.Path(exists=True, file_okay=False, resolve_path=True, path_type=Path)
    options = (
        click.option(
            "--deployment",
            type=folder,
            default="deploy/self-host",
            show_default=True,
            help="The folder of compose.yaml and run.",
        ),
        click.option(
            "--secrets",
            type=folder,
            envvar="SELF_HOST_SECRETS",
            default="deploy/self-host/secrets",
            show_default=True,
            help="What prepare.py made; restore keeps the names of the databases in its compose.env.",
        ),
    )
    for option in options:
        command = option(command)
    return command


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@_installation_options
def backup(folder: Path, deployment: Path, secrets: Path) -> None:
    """Dump both databases of the running engine into a new FOLDER, and read the dumps back.

    Everything goes on meanwhile. Evidence, plans and attestations lie in the object store, and are not
    in it. Workflows stand in it as the engine has them: encrypted where payloads are.
    """
    manifest = _told(lambda: back_up(Compose(deployment, secrets), folder, asyncio.run(_server_version())))
    for dump in manifest.dumps:
        click.echo(f"{folder / dump.file}: {dump.size} bytes, {dump.sha256}, schema {dump.schema_version}")
    click.echo(f"backup of {manifest.made_at:%Y-%m-%d %H:%M:%S} UTC, read back whole")


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@_installation_options
@click.option("--into", metavar="NAME", help="Restore into databases NAME and NAME_visibility instead.")
@click.option(
    "--workers-are-stopped",
    is_flag=True,
    help="The server is lost and cannot say who polls: you have stopped every worker, everywhere.",
)
@click.option("--yes", is_flag=True, help="Stop and restore without asking.")
def restore(
    folder: Path,
    deployment: Path,
    secrets: Path,
    into: str | None,
    *,
    workers_are_stopped: bool,
    yes: bool,
) -> None:
    """Bring the engine back from the backup in FOLDER: stop, restore, start, and say what to look at.

    It refuses while any worker polls, in any namespace, also one that it did not start. Nothing is
    overwritten: the databases in use are renamed, or with --into stay as they are.
    Needs a token that may see all namespaces: `source deploy/self-host/secrets/admin.env`.
    """
    if not yes:
        click.confirm(f"Stop the engine and go back to {folder}?", abort=True)
    task = Restore(
        Compose(deployment, secrets),
        folder,
        lambda: connect(identity=_IDENTITY),
        lambda what: click.echo(f"{what} …"),
        into=into,
        vouched=workers_are_stopped,
    )
    restored, runs = _told(lambda: asyncio.run(_restore_and_look(task)))
    for line in advice(restored, runs):
        click.echo(line)


async def _restore_and_look(task: Restore) -> tuple[Restored, list[str]]:
    restored = await task.run()
    return restored, await open_runs(await task.connect())


async def _server_version() -> str:
    """Ask the server; one that is down is backed up all the same."""
    try:
        client: Client = await connect(identity=_IDENTITY)
        info = await client.workflow_service.get_cluster_info(GetClusterInfoRequest())
    except (EngineError, RPCError):
        return "unknown: it did not answer"
    return info.server_version


def _told(work: Callable[[], _Result]) -> _Result:
    try:
        return work()
    except SelfHostError as error:
        raise CommandError(str(error), ExitCode.REFUSED, "deploy/self-host/backup.md says more") from error
    except (EngineError, RPCError) as error:
        raise CommandError(
            str(error),
            ExitCode.UNREACHABLE,
            "source the admin's environment; if the server is lost, stop every worker, everywhere, then add"
            " --workers-are-stopped",
        ) from error
