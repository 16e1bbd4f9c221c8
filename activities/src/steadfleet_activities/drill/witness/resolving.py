"""Turn a host's name into an address, anew each time: a drill watches names change."""

import asyncio
import ipaddress
import socket
from concurrent.futures import ThreadPoolExecutor

import dns.asyncresolver
import dns.exception
import dns.resolver

# The system's resolver cannot be interrupted: one that hangs holds a thread, and no later probe.
_threads = ThreadPoolExecutor(max_workers=1000, thread_name_prefix="resolve")


class UnresolvedError(Exception):
    """A name that has no address now; the text says why."""


class Names:
    """Asks the resolver at `address` (host, port), or the system's where there is none. Keeps nothing."""

    def __init__(self, address: tuple[str, int] | None = None) -> None:
        self._resolver: dns.asyncresolver.Resolver | None = None
        if address is not None:
            self._resolver = dns.asyncresolver.Resolver(configure=False)
            self._resolver.nameservers = [address[0]]
            self._resolver.port = address[1]
            self._resolver.cache = None

    async def address_of(self, host: str) -> str:
        """Return its address; the caller limits the time. Raises `UnresolvedError`."""
        if is_address(host):
            return host
        if self._resolver is None:
            return await _by_system(host)
        try:
            answer = await self._resolver.resolve(host, "A", search=False)
        except dns.resolver.NoAnswer:
            return await self._sixth(host)
        except (dns.exception.DNSException, OSError) as error:
            raise UnresolvedError(_why(host, error)) from error
        return str(answer[0])

    async def _sixth(self, host: str) -> str:
        assert self._resolver is not None  # noqa: S101 - only called with one
        try:
            return str((await self._resolver.resolve(host, "AAAA", search=False))[0])
        except (dns.exception.DNSException, OSError) as error:
            raise UnresolvedError(_why(host, error)) from error


def is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


async def _by_system(host: str) -> str:
    loop = asyncio.get_running_loop()
    try:
        found = await loop.run_in_executor(
            _threads, lambda: socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        )
    except (OSError, UnicodeError) as error:
        raise UnresolvedError(_why(host, error)) from error
    return str(found[0][4][0])


def _why(host: str, error: Exception) -> str:
    match error:
        case dns.resolver.NXDOMAIN():
            said = "there is no such name"
        case dns.exception.Timeout():
            said = "the resolver does not answer"
        case OSError():
            said = error.strerror or str(error)
        case _:
            said = str(error) or type(error).__name__
    return f"{host} has no address: {said}"
