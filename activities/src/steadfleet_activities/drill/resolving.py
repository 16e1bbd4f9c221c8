"""Where the names that a drill makes lead to: asked anew each time, for what they name moves."""

import asyncio
import ipaddress
import socket
from collections.abc import Mapping
from typing import Self

import dns.asyncresolver
import dns.exception

from steadfleet_durable import WorkerConfigError

RESOLVER = "STEADFLEET_RESOLVER"
_LIFETIME = 5.0
"""Seconds that a question may take with all its repetitions."""


class UnresolvedError(OSError):
    """A name that leads nowhere, or a resolver that does not answer."""


class Resolving:
    """Asks the resolver of STEADFLEET_RESOLVER where one is set, else the system's."""

    def __init__(self, resolver: tuple[str, int] | None = None) -> None:
        self._dns: dns.asyncresolver.Resolver | None = None
        if resolver is not None:
            self._dns = dns.asyncresolver.Resolver(configure=False)
            self._dns.nameservers = [resolver[0]]
            self._dns.port = resolver[1]
            self._dns.lifetime = _LIFETIME

    @classmethod
    def from_environment(cls, env: Mapping[str, str]) -> Self:
        """Read STEADFLEET_RESOLVER, `127.0.0.1:5353` for example; raises `WorkerConfigError`."""
        said = env.get(RESOLVER)
        return cls(_checked(said) if said else None)

    async def address(self, host: str) -> str:
        """Return one IP address of a name, or the address that it is; raises `UnresolvedError`."""
        try:
            return str(ipaddress.ip_address(host))
        except ValueError:
            return await (self._asked(host) if self._dns else _system(host))

    async def _asked(self, host: str) -> str:
        if self._dns is None:
            raise UnresolvedError(f"there is no resolver to ask for {host}")
        try:
            answer = await self._dns.resolve(host, "A", search=False)
        except dns.exception.DNSException as error:
            raise UnresolvedError(f"{host} cannot be resolved: {error}") from error
        return str(answer[0])


async def _system(host: str) -> str:
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError as error:
        raise UnresolvedError(f"{host} cannot be resolved: {error}") from error
    return str(found[0][4][0])


def _checked(said: str) -> tuple[str, int]:
    host, _, port = said.rpartition(":")
    try:
        return str(ipaddress.ip_address(host)), int(port)
    except ValueError as error:
        raise WorkerConfigError(
            f"{RESOLVER}={said}: expected the IP address and port of a DNS resolver, such as 127.0.0.1:5353"
        ) from error
