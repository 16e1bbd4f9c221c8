"""A few bytes of HTTP/2: an engine that accepts some calls and refuses the rest with a gRPC status."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from integration.durable.loopback import loopback_server

_PREFACE = len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
_DATA, _HEADERS, _SETTINGS = 0, 1, 4
_END_STREAM, _ACK, _END_HEADERS = 1, 1, 4
_STATUS_200 = b"\x88"  # from the static table


@asynccontextmanager
async def refusing_engine(status: int, accepted_calls: int = 0) -> AsyncIterator[str]:
    """Give the address of an engine that answers emptily so many times, then refuses."""
    left = [accepted_calls]

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(_PREFACE)
        writer.write(_frame(_SETTINGS, 0, 0))
        while True:
            head = await reader.readexactly(9)
            await reader.readexactly(int.from_bytes(head[:3]))
            kind, flags, stream = head[3], head[4], int.from_bytes(head[5:])
            if kind == _SETTINGS and not flags & _ACK:
                writer.write(_frame(_SETTINGS, _ACK, 0))
            if kind == _HEADERS:
                left[0] -= 1
                writer.write(_answer(stream) if left[0] >= 0 else _refusal(stream, status))
            await writer.drain()

    async with loopback_server(serve) as address:
        yield address


def _answer(stream: int) -> bytes:
    head = _STATUS_200 + _field("content-type", "application/grpc")
    return (
        _frame(_HEADERS, _END_HEADERS, stream, head)
        + _frame(_DATA, 0, stream, bytes(5))
        + _frame(_HEADERS, _END_HEADERS | _END_STREAM, stream, _field("grpc-status", "0"))
    )


def _refusal(stream: int, status: int) -> bytes:
    head = (
        _STATUS_200
        + _field("content-type", "application/grpc")
        + _field("grpc-status", str(status))
        + _field("grpc-message", "Request unauthorized.")
    )
    return _frame(_HEADERS, _END_HEADERS | _END_STREAM, stream, head)


def _field(name: str, value: str) -> bytes:
    return b"\x00" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()


def _frame(kind: int, flags: int, stream: int, body: bytes = b"") -> bytes:
    return len(body).to_bytes(3) + bytes([kind, flags]) + stream.to_bytes(4) + body
