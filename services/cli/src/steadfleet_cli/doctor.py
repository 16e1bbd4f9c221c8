"""`steadfleet doctor`: what runs, what is missing, and how to get it."""

import asyncio
import os
import shutil
import socket
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import click

from steadfleet_cli.exits import ExitCode
from steadfleet_cli.output import output_option, show
from steadfleet_cli.parts import (
    BINARIES,
    LOOPBACK,
    WORKERS,
    Addresses,
    ask_problem,
    port_taken,
    search_attributes,
)
from steadfleet_cli.processes import Processes
from steadfleet_cli.stack import NAMES, run_dir_option

if TYPE_CHECKING:
    from temporalio.client import Client

_PYTHON = (3, 11)
_ENGINE_ANSWERS_WITHIN = timedelta(seconds=5)
_LEAST_DISK = 500_000_000


class Standing(StrEnum):
    OK = "ok"
    MISSING = "missing"
    OPTIONAL = "optional"
    """Not there, and not needed for what is built so far."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; `advice` says what to do about it."""

    name: str
    standing: Standing
    found: str
    advice: str = ""

    def __str__(self) -> str:
        line = f"{self.standing:<9} {self.name:<18} {self.found}"
        return f"{line}\n{'':<28} → {self.advice}" if self.advice else line


@click.command()
@run_dir_option
@output_option
@click.pass_context
def doctor(context: click.Context, run_dir: Path, output: str) -> None:
    """Say what runs, what is missing, and how to get it.

    Exits with 0 only when nothing that is needed is missing, else with 5.
    """
    env, source = _environment(run_dir)
    findings = [*_machine(run_dir), *_engine(env, source), *_cloud(env, source), *_optional(run_dir, env)]
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


def _machine(run_dir: Path) -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    yield _finding("Python", version, sys.version_info >= _PYTHON, "install Python 3.11 or later")
    binary = BINARIES / "temporal"
    there = binary.is_file()
    yield _finding(
        "engine binary", str(binary) if there else f"no {binary.name} beside Python", there, "`make setup`"
    )
    folder = next(parent for parent in (run_dir.absolute(), *run_dir.absolute().parents) if parent.is_dir())
    free = shutil.disk_usage(folder).free
    enough = free >= _LEAST_DISK and os.access(folder, os.W_OK)
    yield _finding(
        "disk",
        f"{free / 1e9:.1f} GB free for {run_dir}",
        enough,
        f"make room in, or write access to, {folder}",
    )


_NEEDED = {
    "worker": Standing.MISSING,
    "janitor": Standing.MISSING,  # no campaign begins without its lease
    "builder": Standing.OPTIONAL,
    "signer": Standing.OPTIONAL,
}
"""The workers, and what it means that one does not poll: images are not everybody's."""


def _finding(name: str, found: str, good: bool, advice: str) -> Finding:  # noqa: FBT001  # the answer itself
    return Finding(name, Standing.OK, found) if good else Finding(name, Standing.MISSING, found, advice)


def _engine(env: Mapping[str, str], source: str) -> list[Finding]:
    """Ask the engine that the shell names: an embedded one, Temporal Cloud or one of your own."""
    return asyncio.run(_ask_engine(env, source))


async def _ask_engine(env: Mapping[str, str], source: str) -> list[Finding]:
    from steadfleet_durable import EngineError, connect  # noqa: PLC0415  # it loads Temporal

    try:
        client = await connect(env=env, connect_time=_ENGINE_ANSWERS_WITHIN)
    except EngineError as error:
        unknown = "not known while the engine does not answer"
        return [
            Finding("engine", Standing.MISSING, str(error), "`steadfleet up`, or set TEMPORAL_ADDRESS"),
            Finding("search attributes", Standing.MISSING, unknown),
            *(Finding(name, needed, unknown) for name, needed in _NEEDED.items()),
        ]
    where = f"{client.service_client.config.target_host}, namespace {client.namespace}{source}"
    return [
        Finding("engine", Standing.OK, where),
        await _search_attributes(client),
        *[await _worker(client, env, name, needed) for name, needed in _NEEDED.items()],
    ]


async def _search_attributes(client: "Client") -> Finding:
    from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest  # noqa: PLC0415

    request = ListSearchAttributesRequest(namespace=client.namespace)
    answer = await client.operator_service.list_search_attributes(request)
    wanted = search_attributes()
    missing = [name for name in wanted if name not in answer.custom_attributes]
    create = "temporal operator search-attribute create " + " ".join(
        f"--name {name} --type {wanted[name]}" for name in missing
    )
    found = f"not registered: {', '.join(missing)}" if missing else ", ".join(wanted)
    return _finding("search attributes", found, not missing, f"`{create}`")


async def _worker(client: "Client", env: Mapping[str, str], name: str, needed: Standing) -> Finding:
    """Ask who polls, and whether what polls is given new work."""
    from steadfleet_cli.engine import (  # noqa: PLC0415
        CAMPAIGNS,
        DRILLS,
        IMAGES,
        JANITOR,
        SIGNER,
        WITNESS,
        pollers_of,
    )
    from steadfleet_durable import deployment_problem  # noqa: PLC0415

    services = {
        "worker": CAMPAIGNS,
        "builder": IMAGES,
        "signer": SIGNER,
        "janitor": JANITOR,
        "driller": DRILLS,
        "witness": WITNESS,
    }
    pollers, queue = await pollers_of(client, services[name]), services[name].task_queue
    if not pollers:
        advice = f"`steadfleet up`, or start {services[name].program} where it may reach engine and cloud"
        return Finding(name, needed, f"nobody polls task queue {queue}", advice)
    deployments = {poller.deployment_options.deployment_name for poller in pollers} - {""}
    deployments |= {said} if (said := env.get("TEMPORAL_DEPLOYMENT_NAME")) and name == "worker" else set()
    for deployment in sorted(deployments):
        if problem := await deployment_problem(client, deployment):
            return Finding(name, Standing.MISSING, "polls, but is given no new work", problem)
    return Finding(name, Standing.OK, f"{', '.join(sorted({p.identity for p in pollers}))} on {queue}")


def _cloud(env: Mapping[str, str], source: str) -> Iterator[Finding]:
    endpoint = env.get("AWS_ENDPOINT_URL", "")
    if f"//{LOOPBACK}" in endpoint or "//localhost" in endpoint:
        problem = ask_problem(f"{endpoint.rstrip('/')}/_local/health")
        found = problem or f"{endpoint}, the local cloud{source}"
        yield _finding("cloud", found, problem is None, "`steadfleet up`, or unset AWS_ENDPOINT_URL for AWS")
    else:
        region = env.get("AWS_REGION") or env.get("AWS_DEFAULT_REGION") or ""
        found = f"AWS{f' at {endpoint}' if endpoint else ''}, {region or 'no region'}"
        yield _finding(
            "cloud",
            found,
            bool(region),
            "`steadfleet up` and `source .run/env` for a local one, or set AWS_REGION",
        )
    credentials = _credentials(env)
    yield _finding(
        "cloud credentials",
        credentials or "none in the environment or in ~/.aws",
        bool(credentials),
        "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE (for the worker; this says nothing "
        "of what they permit)",
    )


def _credentials(env: Mapping[str, str]) -> str:
    """Name where an AWS SDK would find credentials, without loading one."""
    if env.get("AWS_ACCESS_KEY_ID") and env.get("AWS_SECRET_ACCESS_KEY"):
        return "AWS_ACCESS_KEY_ID"
    for name in ("AWS_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI"):
        if env.get(name):
            return name
    file = Path(env.get("AWS_SHARED_CREDENTIALS_FILE") or Path.home() / ".aws" / "credentials")
    return str(file) if file.is_file() else ""


def _optional(run_dir: Path, env: Mapping[str, str]) -> Iterator[Finding]:
    docker = _docker_problem(env.get("DOCKER_HOST") or "unix:///var/run/docker.sock")
    yield _wished(
        "docker engine",
        docker or "there",
        docker is None,
        "without one, no image is built on this machine",
    )
    packer = shutil.which("packer")
    yield _wished(
        "packer",
        packer or "not installed",
        bool(packer),
        "the builder needs it: apt-get install packer",
    )
    yield _ports(run_dir)


def _wished(name: str, found: str, good: bool, advice: str) -> Finding:  # noqa: FBT001  # the answer itself
    return Finding(name, Standing.OK, found) if good else Finding(name, Standing.OPTIONAL, found, advice)


def _docker_problem(host: str) -> str | None:
    """Return why no Docker engine answers; None also where asking would take more than a socket."""
    if not host.startswith("unix://"):
        return None
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(host.removeprefix("unix://"))
        except OSError as error:
            return f"{host}: {error.strerror}"
    return None


def _ports(run_dir: Path) -> Finding:
    if any(Processes(run_dir).find(name) for name in NAMES):
        return Finding("ports", Standing.OK, f"used by the stack of {run_dir}")
    default = Addresses()
    firsts = (default.health, default.metrics)
    ports = [default.engine, default.ui, default.cloud]
    ports += [first + number for first in firsts for number in range(len(WORKERS))]
    taken = ", ".join(str(port) for port in ports if port_taken(port))
    if taken:
        return Finding("ports", Standing.OPTIONAL, f"taken: {taken}", "`steadfleet up --free-ports`")
    return Finding("ports", Standing.OK, "free for `steadfleet up`")
