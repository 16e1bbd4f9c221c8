"""Carry connections from a load balancer's address to a target, all in one thread."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from steadfleet_local_cloud.loop_thread import LoopThread
from steadfleet_local_cloud.routing import Reply, Request, Routing, Target

_log = logging.getLogger(__name__)
_CHUNK = 65536
_HEAD_TIME = 60.0
_CONNECT_TIME = 10.0
_BAD_REQUEST, _BAD_GATEWAY, _GATEWAY_TIMEOUT = Reply(400), Reply(502), Reply(504)
_HOP_HEADERS = (b"connection:", b"keep-alive:", b"proxy-connection:")


@dataclass(eq=False)
class Door:
    """One open listener; `idle_time` in seconds is asked for anew at every connection."""

    address: str
    port: int
    routing: Routing
    idle_time: Callable[[], float]
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    server: asyncio.Server | None = None


class Forwarder:
    """Opens and closes doors; OSError says why one cannot be opened."""

    def __init__(self) -> None:
        self._loop = LoopThread("load-balancers")
        self._doors: set[Door] = set()

    def open(self, door: Door) -> None:
        self._loop.run(self._open(door))
        self._doors.add(door)

    def shut(self, door: Door) -> None:
        """Close the door, and cut what goes through it."""
        self._doors.discard(door)
        self._loop.run(_shut(door))

    def close(self) -> None:
        for door in list(self._doors):
            self.shut(door)
        self._loop.close()

    async def _open(self, door: Door) -> None:
        def enter(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.get_running_loop().create_task(_carry(door, reader, writer))
            door.tasks.add(task)
            task.add_done_callback(door.tasks.discard)

        door.server = await asyncio.start_server(enter, door.address, door.port)


async def _shut(door: Door) -> None:
    if door.server:
        door.server.close()
    tasks = list(door.tasks)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _carry(door: Door, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        await (_carry_request if door.routing.speaks_http else _carry_stream)(door, reader, writer)
    except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        pass  # one side is gone, or never said anything
    except Exception:  # noqa: BLE001 - one connection must not end the others
        _log.exception("a load balancer broke a connection to %s:%s", door.address, door.port)
    finally:
        await _close(writer)


async def _carry_stream(door: Door, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    target = door.routing.decide(None)
    if isinstance(target, Reply):
        return  # closed at once
    inner_reader, inner = await _connect(target)
    try:
        await _both_ways(reader, writer, inner_reader, inner)
    finally:
        await _close(inner)


async def _carry_request(door: Door, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """
    Carry one request and its answer, and close.

    A load balancer chooses anew at every request: so that no client stays with a target that
    fell ill, a connection carries one.
    """
    async with asyncio.timeout(_HEAD_TIME):
        head = (await reader.readuntil(b"\r\n\r\n"))[:-4].split(b"\r\n")
    try:
        target = door.routing.decide(Request.read(head))
    except ValueError:
        target = _BAD_REQUEST
    if isinstance(target, Reply):
        await _answer(writer, target)
        return
    try:
        inner_reader, inner = await _connect(target)
    except TimeoutError:
        await _answer(writer, _GATEWAY_TIMEOUT)
        return
    except OSError:
        await _answer(writer, _BAD_GATEWAY)
        return
    try:
        inner.write(_forwarded(head, writer.get_extra_info("peername")[0]))
        await _both_ways(reader, writer, inner_reader, inner, door.idle_time())
    finally:
        await _close(inner)


async def _answer(writer: asyncio.StreamWriter, reply: Reply) -> None:
    writer.write(reply.wire)
    await writer.drain()


async def _connect(target: Target) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    async with asyncio.timeout(_CONNECT_TIME):
        return await asyncio.open_connection(*target)


def _forwarded(head: list[bytes], client: str) -> bytes:
    upgrades = any(line.lower().startswith(b"upgrade:") for line in head)
    kept = [line for line in head if upgrades or not line.lower().startswith(_HOP_HEADERS)]
    added = [b"X-Forwarded-For: " + client.encode()] + ([] if upgrades else [b"Connection: close"])
    return b"\r\n".join([*kept, *added]) + b"\r\n\r\n"


async def _both_ways(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    inner_reader: asyncio.StreamReader,
    inner: asyncio.StreamWriter,
    patience: float | None = None,
) -> None:
    """Carry bytes until the target has said all; with `patience` it must begin within so many seconds."""
    outward = asyncio.get_running_loop().create_task(_pipe(reader, inner))
    try:
        async with asyncio.timeout(patience):
            first = await inner_reader.read(_CHUNK)
        if not first and patience is not None:
            await _answer(writer, _BAD_GATEWAY)
            return
        writer.write(first)
        await _pipe(inner_reader, writer)
    except TimeoutError:
        await _answer(writer, _GATEWAY_TIMEOUT)
    finally:
        outward.cancel()
        with suppress(asyncio.CancelledError, OSError):
            await outward


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(_CHUNK):
        writer.write(data)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
