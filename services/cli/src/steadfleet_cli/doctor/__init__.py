"""`steadfleet doctor`: what runs, what is missing, and how to get it."""

import asyncio
import os
from collections.abc import Awaitable, Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from steadfleet_cli.doctor.certificates import certificates
from steadfleet_cli.doctor.cloud import cloud
from steadfleet_cli.doctor.findings import Finding, Standing, unknown
from steadfleet_cli.doctor.machine import machine, programs
from steadfleet_cli.exits import ExitCode
from steadfleet_cli.output import output_option, show
from steadfleet_cli.parts import Addresses
from steadfleet_cli.processes import Processes
from steadfleet_cli.stack import NAMES, run_dir_option

if TYPE_CHECKING:
    from steadfleet_ports.access import AccessQuestion

ASKED_OF_THE_ENGINE = ("namespace", "search attributes", "worker versions")


@click.command()
@run_dir_option
@click.option("--write", is_flag=True, help="Have workers store a small object, too, and read it back.")
@click.option(
    "--publish-region",
    "publish_regions",
    metavar="REGION",
    multiple=True,
    help="Try there, too, what a build calls where it publishes. Repeatable.",
)
@click.option(
    "--recovery-region",
    "recovery_regions",
    metavar="REGION",
    multiple=True,
    help="Try there what a drill makes, instead of in its worker's own region. Repeatable.",
)
@output_option
@click.pass_context
def doctor(
    context: click.Context,
    run_dir: Path,
    *,
    write: bool,
    publish_regions: tuple[str, ...],
    recovery_regions: tuple[str, ...],
    output: str,
) -> None:
    """Say what runs, what is missing, and how to get it.

    Rights, object store and clocks are looked at by the workers, with their own credentials: this
    machine needs none. Nothing is changed there: calls are tried as dry runs, and of what has none
    the looks alone.

    Exits with 0 only when nothing that is needed is missing, else with 5. A warning is no failure;
    what is unknown could not be looked at, for something else is missing first.
    """
    from steadfleet_ports.access import AccessQuestion  # noqa: PLC0415  # it loads Temporal

    env, source = _environment(run_dir)
    question = AccessQuestion(write=write, publish_regions=publish_regions, recovery_regions=recovery_regions)
    findings = [
        *machine(run_dir),
        *certificates(env),
        *asyncio.run(_ask_engine(env, source, question)),
        *cloud(env, source),
        *programs(run_dir, env),
    ]
    show(output, [asdict(finding) for finding in findings], "\n".join(map(str, findings)))
    missing = any(finding.standing is Standing.MISSING for finding in findings)
    context.exit(ExitCode.UNREACHABLE if missing else ExitCode.OK)


def _environment(run_dir: Path) -> tuple[dict[str, str], str]:
    """Return the shell's variables over those of a stack that runs here, and where they came from."""
    shell = dict(os.environ)
    processes = Processes(run_dir)
    saved = Addresses.read(run_dir / "stack.json")
    if saved is None or not any(processes.find(name) for name in NAMES):
        return shell, ""
    stack = {name: value for name, value in saved.environment.items() if not shell.get(name)}
    return {**shell, **stack}, f" (as {run_dir}/env says)" if stack else ""


async def _ask_engine(env: Mapping[str, str], source: str, question: "AccessQuestion") -> list[Finding]:
    """Ask the engine that the shell names: an embedded one, Temporal Cloud or one of your own."""
    from steadfleet_cli.doctor import access, namespace, payloads, workers  # noqa: PLC0415  # they load Temporal
    from steadfleet_durable import EngineError, connect  # noqa: PLC0415

    encrypted = await payloads.payloads(env)
    try:
        client = await connect(env=env, connect_time=namespace.ANSWERS_WITHIN)
    except EngineError as error:
        names = (*ASKED_OF_THE_ENGINE, *workers.SERVICES, *access.NAMES)
        return [
            Finding("engine", Standing.MISSING, str(error), "`steadfleet up`, or set TEMPORAL_ADDRESS"),
            *unknown(names, "not known while the engine does not answer"),
            *encrypted,
        ]
    where = f"{client.service_client.config.target_host}, namespace {client.namespace}{source}"
    return [
        Finding("engine", Standing.OK, where),
        *await asked(["namespace"], namespace.namespace(client)),
        *await asked(["search attributes"], namespace.search_attributes(client)),
        *await asked(["worker versions"], workers.versions(client)),
        *await asked(workers.SERVICES, workers.workers(client, env)),
        *await access.access(client, question),
        *encrypted,
    ]


async def asked(names: Iterable[str], look: Awaitable[Finding | list[Finding]]) -> list[Finding]:
    """Return what was found; where the engine refuses to tell, it is not known."""
    from temporalio.service import RPCError  # noqa: PLC0415

    try:
        found = await look
    except RPCError as error:
        said = f"the engine answers {error.status.name}: {error.message}"
        return unknown(names, said, "a credential that may read this namespace is needed")
    return found if isinstance(found, list) else [found]
