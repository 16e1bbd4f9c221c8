"""Docker networks whose addresses are the machines' own: one for each region."""

from __future__ import annotations

import errno
import ipaddress
import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from python_on_whales.exceptions import DockerException

from steadfleet_local_cloud.engine import Engine, sentence
from steadfleet_local_cloud.errors import EngineError, NetworkTakenError
from steadfleet_local_cloud.network import AUTO, Network
from steadfleet_local_cloud.ownership import Ownership

_AUTO_RANGE = range(64, 128)
_OVERLAP = "overlap"  # what the engine says of a network that meets another


class DockerNetwork(Network):
    """A /16 of 10.0.0.0/8 on a bridge of this machine, held for as long as this object is open."""

    def __init__(self, engine: Engine, name: str, cidr: ipaddress.IPv4Network) -> None:
        self.cidr = cidr
        self.name = name
        self._engine = engine

    def close(self) -> None:
        """Remove it, if it is there and nothing is on it any more."""
        self._engine.call("network", "rm", self.name)


def claim_docker_networks(
    engine: Engine, ownership: Ownership, regions: Sequence[str], wanted: str
) -> dict[str, DockerNetwork]:
    """Make a network for each region: the wanted one and those after it, or with `auto` any that are free."""
    untried = candidates(wanted)
    claimed: dict[str, DockerNetwork] = {}
    with ExitStack() as undo:
        for region in regions:
            name = f"local-cloud-{ownership.cloud}-{region}"
            claimed[region] = _claim(engine, ownership, name, untried, wanted)
            undo.callback(claimed[region].close)
            _check_reachable(claimed[region].cidr)
        undo.pop_all()
    return claimed


def _claim(
    engine: Engine,
    ownership: Ownership,
    name: str,
    untried: Iterator[ipaddress.IPv4Network],
    wanted: str,
) -> DockerNetwork:
    for cidr in untried:
        if _create(engine, ownership, name, cidr):
            return DockerNetwork(engine, name, cidr)
        if wanted != AUTO:
            raise NetworkTakenError(
                f"network {cidr} is in use on this machine: choose another with --network 10.N.0.0/16 "
                f"or --network {AUTO}"
            )
    raise NetworkTakenError("every network from 10.64.0.0/16 to 10.127.0.0/16 is in use on this machine")


def _create(engine: Engine, ownership: Ownership, name: str, cidr: ipaddress.IPv4Network) -> bool:
    """Make the network, unless something has these addresses already: the engine decides between clouds."""
    if any(cidr.overlaps(route) for route in routes(Path("/proc/net/route").read_text())):
        return False
    try:
        engine.docker.network.create(name, driver="bridge", subnet=str(cidr), labels=ownership.labels)
    except DockerException as error:
        if _OVERLAP in (error.stderr or ""):
            return False
        raise EngineError(f"the Docker network {cidr} could not be made: {sentence(error)}") from error
    return True


def _check_reachable(cidr: ipaddress.IPv4Network) -> None:
    """Refuse an engine on another machine, or in a virtual one: what probes machines must reach them."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        try:
            probe.bind((str(cidr[1]), 0))  # the bridge's own address, which Docker gave it
        except OSError as error:
            if error.errno != errno.EADDRNOTAVAIL:
                raise
            raise EngineError(
                f"the Docker engine's network {cidr} is not on this machine (it is remote, rootless or in a "
                "virtual machine), so machines on it could not be reached: use --machines process"
            ) from error


def candidates(wanted: str) -> Iterator[ipaddress.IPv4Network]:
    """List the networks that may be tried, in order."""
    if wanted == AUTO:
        return (ipaddress.IPv4Network(f"10.{octet}.0.0/16") for octet in _AUTO_RANGE)
    first = _checked(wanted)
    octet = first.network_address.packed[1]
    return (ipaddress.IPv4Network(f"10.{number}.0.0/16") for number in range(octet, 256))


def _checked(wanted: str) -> ipaddress.IPv4Network:
    hint = f"network {wanted!r} is not a /16 of 10.0.0.0/8: write it like 10.77.0.0/16, or {AUTO}"
    try:
        cidr = ipaddress.IPv4Network(wanted)
    except ValueError as error:
        raise NetworkTakenError(hint) from error
    if not cidr.subnet_of(ipaddress.IPv4Network("10.0.0.0/8")) or cidr.prefixlen != 16:  # noqa: PLR2004 - as said
        raise NetworkTakenError(hint)
    return cidr


def routes(table: str) -> list[ipaddress.IPv4Network]:
    """Read the kernel's routes, but for the default one, which meets everything."""
    rows = [line.split() for line in table.splitlines()[1:]]
    found = [ipaddress.IPv4Network((_address(row[1]), str(_address(row[7])))) for row in rows]
    return [route for route in found if route.prefixlen]


def _address(field: str) -> ipaddress.IPv4Address:
    return ipaddress.IPv4Address(bytes.fromhex(field)[::-1])  # written as the processor's own number
