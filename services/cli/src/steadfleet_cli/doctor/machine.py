"""This machine: what the local stack needs of it."""

import os
import shutil
import socket
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from steadfleet_cli.doctor.findings import Finding, Standing, needed, wished
from steadfleet_cli.parts import BINARIES, WORKERS, Addresses, port_taken
from steadfleet_cli.processes import Processes
from steadfleet_cli.stack import NAMES

_PYTHON = (3, 11)
_LEAST_DISK = 500_000_000


def machine(run_dir: Path) -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    yield needed("Python", version, sys.version_info >= _PYTHON, "install Python 3.11 or later")
    binary = BINARIES / "temporal"
    there = binary.is_file()
    yield needed(
        "engine binary", str(binary) if there else f"no {binary.name} beside Python", there, "`make setup`"
    )
    folder = next(parent for parent in (run_dir.absolute(), *run_dir.absolute().parents) if parent.is_dir())
    free = shutil.disk_usage(folder).free
    enough = free >= _LEAST_DISK and os.access(folder, os.W_OK)
    yield needed(
        "disk",
        f"{free / 1e9:.1f} GB free for {run_dir}",
        enough,
        f"make room in, or write access to, {folder}",
    )


def programs(run_dir: Path, env: Mapping[str, str]) -> Iterator[Finding]:
    """Look for what images are built with, and for ports for `steadfleet up`."""
    docker = _docker_problem(env.get("DOCKER_HOST") or "unix:///var/run/docker.sock")
    yield wished(
        "docker engine",
        docker or "there",
        docker is None,
        "without one, no image is built on this machine",
    )
    packer = shutil.which("packer")
    yield wished(
        "packer",
        packer or "not installed",
        bool(packer),
        "the builder needs it: apt-get install packer",
    )
    yield _ports(run_dir)


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
