"""What a container reaches: tried from inside, with what its image has to try it."""

import asyncio
import ipaddress
import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from shlex import quote

from python_on_whales import DockerClient
from python_on_whales.exceptions import DockerException

from steadfleet_activities.drill.drivers import InsideProbe
from steadfleet_activities.image.examining.containers import ContainerMachine
from steadfleet_activities.image.examining.machine import UnreachableError
from steadfleet_durable import unbroken

_HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*")
_LIMIT = timedelta(seconds=30)
_CLOSED = "127.0.0.1:1"
"""Where nothing listens: what connects to it is no proof of anything."""

WAYS = (
    """exec timeout 3 bash -c 'exec 3<>"/dev/tcp/$0/$1"' "$1" "$2" """,
    """exec python3 -c 'import socket, sys
socket.create_connection((sys.argv[1], int(sys.argv[2])), 3)' "$1" "$2" """,
    'exec nc -w 3 "$1" "$2" -e true </dev/null',
    'exec nc -z -w 3 "$1" "$2" </dev/null',
)
"""Each connects to `$1:$2` within three seconds, and nothing else makes it end with 0."""


@dataclass(frozen=True)
class Target:
    """An address of production, and the address by which a container would reach it."""

    said: str
    tried: str

    def __str__(self) -> str:
        return self.said if self.said == self.tried else f"{self.said} (by {self.tried})"


def targets_of(addresses: Iterable[str], gateway: str, control: str) -> list[Target]:
    """Add how what is on the engine's own host would be reached: by the host's address in the network.

    Loopback is only tried there: inside, it is the container itself.
    """
    found = []
    for address in addresses:
        host, _, port = address.rpartition(":")
        by_gateway = f"{gateway}:{port}"
        if not _is_loopback(host):
            found.append(Target(address, address))
        if _is_own(host) and by_gateway != control:
            found.append(Target(address, by_gateway))
    return found


@dataclass(frozen=True)
class Inside:
    """One container of the run, which must be in `network` and in nothing else."""

    engine: DockerClient
    name: str
    network: str
    limit: asyncio.Semaphore
    """How many connections are tried at once, from all containers together."""

    async def probe(self, targets: Iterable[Target], control: str) -> InsideProbe:
        """Try all; `control` must answer, or nothing is proven."""
        machine = ContainerMachine(self.engine, self.name, "", "")
        try:
            way = await _way(machine, control)
            if way is None:
                return InsideProbe(
                    problem=f"{self.name} does not reach {control}, which it should, with any of bash, "
                    "python3 and nc: its image must have one that connects"
                )
            tried = await asyncio.gather(*(_tried(machine, way, one, self.limit) for one in targets))
        except UnreachableError as error:
            return InsideProbe(problem=str(error))
        reached = tuple(str(target) for target, connected in tried if connected)
        unknown = [str(target) for target, connected in tried if connected is None]
        problem = f"{self.name} did not try {', '.join(unknown)} to the end" if unknown else ""
        # What is reached says more than how.
        problem = problem or ("" if reached else await unbroken(self._connected_elsewhere))
        return InsideProbe(tuple(str(target) for target, _ in tried), reached, problem)

    def _connected_elsewhere(self) -> str:
        try:
            found = self.engine.container.inspect(self.name)
        except DockerException as error:
            return f"{self.name} could not be looked at: {error.stderr or error}"
        others = sorted(set(found.network_settings.networks or {}) - {self.network})
        if others:
            return f"{self.name} is in the network {', '.join(others)} as well, and may reach what is there"
        return f"{self.name} is privileged, and can make itself a way" if found.host_config.privileged else ""


async def _way(machine: ContainerMachine, control: str) -> str | None:
    """Find a way to connect that tells what answers from what does not."""
    for way in WAYS:
        if await _connects(machine, way, control) and await _connects(machine, way, _CLOSED) is False:
            return way
    return None


async def _tried(
    machine: ContainerMachine, way: str, target: Target, limit: asyncio.Semaphore
) -> tuple[Target, bool | None]:
    async with limit:
        return target, await _connects(machine, way, target.tried)


async def _connects(machine: ContainerMachine, way: str, address: str) -> bool | None:
    """Say whether it connects; None where that was not tried, or did not end."""
    host, _, port = address.rpartition(":")
    if not (_HOST.fullmatch(host) and port.isdecimal()):
        return None
    ran = await machine.run(f"set -- {quote(host)} {quote(port)}; {way}", _LIMIT)
    return None if ran.exit_status is None else ran.exit_status == 0


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _is_own(host: str) -> bool:
    """Say whether it is an address of this host, on which a worker of an engine stands."""
    if _is_loopback(host):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False  # its address is among what is probed
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6  # noqa: PLR2004
    with socket.socket(family, socket.SOCK_DGRAM) as one:
        try:
            one.bind((host, 0))
        except OSError:
            return False
    return True
