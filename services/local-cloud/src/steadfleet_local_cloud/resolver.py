"""A DNS server on loopback that answers what the hosted zones say, over UDP and TCP."""

from __future__ import annotations

import asyncio
import errno
import logging
import random
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from steadfleet_local_cloud.errors import PortTakenError
from steadfleet_local_cloud.hosts import Hosts
from steadfleet_local_cloud.lookup import Lookup, LookupRefusedError
from steadfleet_local_cloud.loop_thread import LoopThread
from steadfleet_local_cloud.record_sets import Zone

_log = logging.getLogger(__name__)
_LOOPBACK = "127.0.0.1"
_PLAIN_SIZE = 512
_TCP_TIME = 10.0
_TRIES = 20
_BACKLOG = 64
_META_TYPES = {dns.rdatatype.ANY, dns.rdatatype.AXFR, dns.rdatatype.IXFR}


class Resolver:
    """
    It stands where a VPC's own resolver does: private zones come before public ones.

    It keeps no cache and knows nothing of the outside: what is in no hosted zone is refused.
    `region_of` says which region an asking address is in, None for the machine itself; `silent`
    is asked for every question, and is true while the resolver shall not answer.
    """

    def __init__(
        self, hosts: Hosts, port: int, region_of: Callable[[str], str | None], silent: Callable[[], bool]
    ) -> None:
        self._hosts = hosts
        self._region_of = region_of
        self._silent = silent
        self._zones: tuple[Zone, ...] = ()
        self._dice = random.Random(0)  # noqa: S311 - repeatable on purpose
        datagrams, stream = _bind(port)
        self.address: tuple[str, int] = datagrams.getsockname()
        self._loop = LoopThread("resolver")
        self._loop.run(self._serve(datagrams, stream))

    def publish(self, zones: Sequence[Zone]) -> None:
        """Answer by these zones from now on."""
        self._zones = tuple(zones)

    def close(self) -> None:
        self._loop.run(self._stop())
        self._loop.close()

    def answer(self, wire: bytes, asker: str, limit: int = 0) -> bytes | None:
        """Answer one message, cut to `limit` bytes if it is over UDP; None is silence."""
        try:
            query = dns.message.from_wire(wire)
        except dns.exception.DNSException:
            return None
        if query.flags & dns.flags.QR or self._silent():
            return None
        response = dns.message.make_response(query, recursion_available=True)
        self._fill(response, query, asker)
        size = max(limit and query.payload, limit)
        return response.to_wire(max_size=size or 65535, prefer_truncation=bool(limit))

    def _fill(self, response: dns.message.Message, query: dns.message.Message, asker: str) -> None:
        try:
            question = _question(query)
            found = Lookup(self._zones, self._hosts, self._region_of(asker), self._dice).find(
                question.name, question.rdtype
            )
        except LookupRefusedError as refusal:
            response.set_rcode(refusal.rcode)
            _log.info("the resolver cannot answer: %s", refusal)
            if query.edns >= 0:
                reason = dns.edns.EDEOption(dns.edns.EDECode.OTHER, str(refusal))
                response.use_edns(0, payload=query.payload, options=[reason])
            return
        response.flags |= dns.flags.AA
        response.set_rcode(found.rcode)
        response.answer, response.authority = found.answer, found.authority

    async def _serve(self, datagrams: socket.socket, stream: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(self), sock=datagrams)
        self._server = await asyncio.start_server(self._converse, sock=stream)

    async def _stop(self) -> None:
        self._transport.close()
        self._server.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asker = writer.get_extra_info("peername")[0]
        with suppress(OSError, asyncio.IncompleteReadError, TimeoutError):
            while True:
                async with asyncio.timeout(_TCP_TIME):
                    wire = await reader.readexactly(int.from_bytes(await reader.readexactly(2)))
                if (answer := self.answer(wire, asker)) is not None:
                    writer.write(len(answer).to_bytes(2) + answer)
                    await writer.drain()
        writer.close()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if (answer := self._resolver.answer(data, addr[0], _PLAIN_SIZE)) is not None:
            self._transport.sendto(answer, addr)


def _question(query: dns.message.Message) -> dns.rrset.RRset:
    if query.opcode() is not dns.opcode.QUERY or len(query.question) != 1:
        raise LookupRefusedError(dns.rcode.NOTIMP, "only queries with one question are answered")
    question: dns.rrset.RRset = query.question[0]
    if question.rdclass is not dns.rdataclass.IN or question.rdtype in _META_TYPES:
        raise LookupRefusedError(dns.rcode.NOTIMP, "only questions for one type of class IN are answered")
    return question


def _bind(port: int) -> tuple[socket.socket, socket.socket]:
    """Take one port for both; a free one if it is 0, which may be free for one of them only."""
    for _ in range(1 if port else _TRIES):
        datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        stream = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            datagrams.bind((_LOOPBACK, port))
            stream.bind(datagrams.getsockname())
            stream.listen(_BACKLOG)
        except OSError as error:
            datagrams.close()
            stream.close()
            if error.errno == errno.EACCES:
                raise PortTakenError(f"port {port} is for root only: choose one from 1024") from error
            if error.errno != errno.EADDRINUSE:
                raise
        else:
            return datagrams, stream
    raise PortTakenError(
        f"port {port} of the resolver is taken by another program: stop it, or choose another with "
        "--resolver-port N"
    )
