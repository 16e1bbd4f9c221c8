"""What a local cloud's machines stand on: networks, the content of images, and a driver that fits both."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from steadfleet_local_cloud.docker_site import DockerSite
from steadfleet_local_cloud.errors import BaseImageError, EngineError
from steadfleet_local_cloud.images import ImageContent, Images
from steadfleet_local_cloud.machines import Listener, Machines, NoMachines
from steadfleet_local_cloud.network import AUTO, DEFAULT_NETWORK, Network, claim_networks
from steadfleet_local_cloud.process_machines import ProcessMachines

_log = logging.getLogger(__name__)


class Driver(StrEnum):
    """What stands behind an instance."""

    PROCESS = "process"
    DOCKER = "docker"
    NONE = "none"
    AUTO = "auto"  # Docker machines if they can be had


@dataclass(frozen=True)
class Ground:
    """The parts that a driver brings."""

    driver: Driver
    networks: dict[str, Network]
    images: ImageContent
    machines: Machines
    reason: str = ""  # why it is this driver, if nobody named one
    base: str = ""  # the name of the image that every region has from the start
    add_base: Callable[[str], None] = lambda _image_id: None  # gives an image the base image's content


@dataclass(frozen=True)
class Site:
    """Where to lay it, and what is wanted of it."""

    folder: Path
    regions: Sequence[str]
    network: str
    listener: Listener


def lay_ground(wanted: Driver, site: Site, closing: ExitStack) -> Ground:
    """Take what machines need, and let `closing` give it back."""
    if wanted not in {Driver.DOCKER, Driver.AUTO}:
        return _here(wanted, site, closing)
    try:
        return _in_docker(wanted, site, closing)
    except (EngineError, BaseImageError) as error:
        if wanted is Driver.DOCKER:
            raise
        _log.warning("no Docker machines: %s", error)
        return _here(Driver.PROCESS, site, closing, reason=str(error))


def _in_docker(wanted: Driver, site: Site, closing: ExitStack) -> Ground:
    with ExitStack() as undo:
        docker = DockerSite()
        undo.callback(docker.close)
        wanted_network = AUTO if site.network == DEFAULT_NETWORK else site.network  # that is for loopback
        networks = docker.claim_networks(site.regions, wanted_network)
        machines = docker.machines(networks, site.listener)
        undo.callback(machines.close)
        closing.push(undo.pop_all())
    reason = "a Docker engine answers" if wanted is Driver.AUTO else ""
    return Ground(
        Driver.DOCKER,
        dict(networks),
        docker.images,
        machines,
        reason,
        docker.base.name,
        docker.images.add_base,
    )


def _here(driver: Driver, site: Site, closing: ExitStack, reason: str = "") -> Ground:
    networks = claim_networks(site.regions, site.network)
    for network in networks.values():
        closing.callback(network.close)
    shutil.rmtree(site.folder / "images", ignore_errors=True)  # an earlier cloud's, whose ids are forgotten
    images = Images(site.folder / "images")
    machines: Machines = (
        NoMachines()
        if driver is Driver.NONE
        else ProcessMachines(site.folder / "machines", images, site.listener)
    )
    closing.callback(machines.close)
    return Ground(driver, networks, images, machines, reason)
