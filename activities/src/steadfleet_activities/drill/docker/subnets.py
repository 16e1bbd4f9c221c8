"""Which addresses a run's network has, and which of them is whose: known before anything is made."""

import hashlib
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from python_on_whales import DockerClient, Network
from python_on_whales.exceptions import NoSuchNetwork

from steadfleet_core.drill.plan import ContainerService, DrillSpec
from steadfleet_core.errors import RefusedError

_CANDIDATES = [f"{start}.{third}.0/24" for start in ("10.199", "172.30") for third in range(256)]
_ROUTES = Path("/proc/net/route")
_FIRST = 2
"""The last number of the first container's address: 1 is the host's own."""
_LAST = 250


def gateway_of(subnet: str) -> str:
    """Return the address by which the engine's host itself is in the network."""
    return str(IPv4Network(subnet)[1])


def nobody_of(subnet: str) -> str:
    """Return an address that nobody ever has: what is routed to it goes nowhere."""
    return str(IPv4Network(subnet)[254])


def addresses_of(service: str, spec: DrillSpec, subnet: str) -> tuple[str, ...]:
    """Deal out the addresses in the plan's order; the service's own are the same at every retry."""
    at = _FIRST
    for one in spec.services:
        if not isinstance(one, ContainerService):
            continue
        if one.name == service:
            if at + one.count - 1 > _LAST:
                raise RefusedError(
                    f"service {service}: the network of a drill has room for {_LAST - _FIRST + 1} containers"
                )
            return tuple(str(IPv4Network(subnet)[at + number]) for number in range(one.count))
        at += one.count
    raise KeyError(service)


def free_subnet(run: str, taken: Iterable[IPv4Network]) -> str:
    """Choose where nothing else is, beginning at a place of the run's own: two runs seldom want the same."""
    others = list(taken)
    start = int.from_bytes(hashlib.sha256(run.encode()).digest()[:4]) % len(_CANDIDATES)
    for cidr in [*_CANDIDATES[start:], *_CANDIDATES[:start]]:
        if not any(IPv4Network(cidr).overlaps(one) for one in others):
            return cidr
    raise RefusedError(
        "no /24 of 10.199.0.0/16 and 172.30.0.0/16 is free of the engine's networks and of this host's "
        "routes: expected room for the drill's network; remove networks that nobody needs"
    )


def taken_in(engine: DockerClient) -> list[IPv4Network]:
    """List what the engine's networks have, and where this host's routes lead. Blocks."""
    said = [cidr for network in engine.network.list() for cidr in subnets_of(network)]
    return [*(IPv4Network(cidr) for cidr in said if ":" not in cidr), *_routes()]


def subnets_of(network: Network) -> list[str]:
    """Return what it has; nothing if it has just gone."""
    try:
        return [config["Subnet"] for config in network.ipam.config or [] if "Subnet" in config]
    except NoSuchNetwork:
        return []


def _routes() -> list[IPv4Network]:
    """Read the table, the default route aside; a host without one has none that could be in the way."""
    if not _ROUTES.exists():
        return []
    rows = [line.split() for line in _ROUTES.read_text().splitlines()[1:]]
    found = [(_swapped(row[1]), _swapped(row[7])) for row in rows]
    return [IPv4Network(f"{place}/{mask}") for place, mask in found if int(mask)]


def _swapped(hexadecimal: str) -> IPv4Address:
    return IPv4Address(bytes.fromhex(hexadecimal)[::-1])
