"""One local cloud's place in a Docker engine: everything it makes there bears its mark, and goes with it."""

from __future__ import annotations

import ipaddress
import logging
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, cast

from steadfleet_local_cloud.base_image import BaseImage, ensure_base_image
from steadfleet_local_cloud.docker_images import DockerImages
from steadfleet_local_cloud.docker_machines import DockerMachines
from steadfleet_local_cloud.docker_network import DockerNetwork, claim_docker_networks
from steadfleet_local_cloud.engine import Engine
from steadfleet_local_cloud.machines import Listener
from steadfleet_local_cloud.ownership import CLOUD_LABEL, OWNER_LABEL, Owner, Ownership
from steadfleet_local_cloud.sweeping import sweep

_log = logging.getLogger(__name__)
_SWEEPER = Path(__file__).with_name("sweeping.py")


class DockerSite:
    """
    An engine with a base image, and a process beside the server that removes what the server made.

    That process outlives a SIGKILL of the server. Should it be killed too, the next local cloud
    on this machine removes what was left.
    """

    def __init__(self) -> None:
        self._engine = Engine.connect()
        self.base: BaseImage = ensure_base_image(self._engine)
        sweep_leftovers(self._engine)
        self._ownership = Ownership()
        self.images = DockerImages(self._engine, self._ownership, self.base.tag)
        self._sweeper = subprocess.Popen(  # noqa: S603 - our own file, our own interpreter
            [sys.executable, "-S", "-E", str(_SWEEPER), self._engine.program, self._ownership.cloud],
            stdin=subprocess.PIPE,
            start_new_session=True,  # a Ctrl-C at the server's terminal is for the server alone
        )

    def claim_networks(self, regions: Sequence[str], wanted: str) -> dict[str, DockerNetwork]:
        return claim_docker_networks(self._engine, self._ownership, regions, wanted)

    def machines(self, networks: Mapping[str, DockerNetwork], listener: Listener) -> DockerMachines:
        def network_of(address: str) -> str:
            found = ipaddress.IPv4Address(address)
            return next(network.name for network in networks.values() if found in network.cidr)

        return DockerMachines(self._engine, self._ownership, self.images, network_of, listener)

    def close(self) -> None:
        """Remove everything that was made; safe to call again."""
        stdin = cast("IO[bytes]", self._sweeper.stdin)
        if stdin.closed:
            return
        with suppress(BrokenPipeError):  # somebody killed it
            stdin.write(b"end\n")
            stdin.close()
        if self._sweeper.wait() != 0 and (left := sweep(self._engine.program, self._ownership.cloud)):
            _log.error("the Docker engine kept what the local cloud made", extra={"fields": {"left": left}})


def sweep_leftovers(engine: Engine) -> None:
    """Remove what local clouds left behind whose server is certainly dead."""
    for cloud in sorted(_dead(engine)):
        _log.warning("removing what a dead local cloud left behind", extra={"fields": {"cloud": cloud}})
        sweep(engine.program, cloud)


def _dead(engine: Engine) -> set[str]:
    marks = {*_marks(engine, "ps", "--all"), *_marks(engine, "network", "ls"), *_image_marks(engine)}
    owners = {cloud: Owner.read(owner) for cloud, _, owner in (mark.partition(" ") for mark in marks)}
    return {cloud for cloud, owner in owners.items() if owner and owner.dead}


def _marks(engine: Engine, *listing: str) -> list[str]:
    mark = f'{{{{.Label "{CLOUD_LABEL}"}}}} {{{{.Label "{OWNER_LABEL}"}}}}'
    done = engine.call(*listing, f"--filter=label={CLOUD_LABEL}", f"--format={mark}")
    return done.stdout.splitlines()


def _image_marks(engine: Engine) -> list[str]:
    images = engine.call("images", "--quiet", f"--filter=label={CLOUD_LABEL}").stdout.split()
    if not images:
        return []
    labels = ".Config.Labels"
    mark = f'{{{{index {labels} "{CLOUD_LABEL}"}}}} {{{{index {labels} "{OWNER_LABEL}"}}}}'
    return engine.call("image", "inspect", f"--format={mark}", *images).stdout.splitlines()
