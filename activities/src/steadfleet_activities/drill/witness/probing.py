"""One probe of a service, as its users would come: name, connection and answer, all new."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from types import TracebackType
from typing import Self

import httpx

from steadfleet_activities.drill.witness.resolving import Names, UnresolvedError
from steadfleet_core.drill.plan import Readiness
from steadfleet_core.model import format_duration

_MOST_BODY = 1_000_000
"""Bytes of an answer that are searched for what must be in it."""


@dataclass(frozen=True)
class Target:
    host: str
    port: int
    readiness: Readiness


Probe = Callable[[Target, timedelta], Awaitable[str]]
"""Ask once, within a time; why it is not good, empty if it is."""


class ServiceProbe:
    """Keeps no name, no connection and no cookie from one probe to the next."""

    def __init__(self, names: Names) -> None:
        self._names = names
        # The service itself is asked: no proxy, and only http:// is spoken, so no certificates.
        self._http = httpx.AsyncClient(
            verify=False,  # noqa: S501
            trust_env=False,
            follow_redirects=False,
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
            timeout=None,  # noqa: S113 - a probe has one limit for all of it
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _tb: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def __call__(self, target: Target, within: timedelta) -> str:
        # Said of a probe that ran out of time: a name that is not answered is no silence of the service.
        missing = f"{target.host} has no address: the resolver gave no answer"
        try:
            async with asyncio.timeout(within.total_seconds()):
                address = await self._names.address_of(target.host)
                missing = "no answer"
                if target.readiness.path is None:
                    return await _connect(address, target.port)
                return await self._get(address, target)
        except UnresolvedError as error:
            return str(error)
        except TimeoutError:
            return f"{missing} within {format_duration(within)}"

    async def _get(self, address: str, target: Target) -> str:
        wanted = target.readiness
        where = f"[{address}]" if ":" in address else address
        url = f"http://{where}:{target.port}{wanted.path}"
        try:
            async with self._http.stream(
                "GET", url, headers={"Host": f"{target.host}:{target.port}"}
            ) as answer:
                if answer.status_code != wanted.expected_status:
                    return f"answered {answer.status_code}, expected {wanted.expected_status}"
                if wanted.body is None:
                    return ""
                found = await _contains(answer, wanted.body)
                return "" if found else f"answered {answer.status_code} without {wanted.body!r} in its body"
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return f"did not answer: {_why(error)}"
        finally:
            self._http.cookies.clear()


async def _contains(answer: httpx.Response, wanted: str) -> bool:
    body = b""
    async for chunk in answer.aiter_bytes():
        body += chunk
        if wanted.encode() in body:
            return True
        if len(body) > _MOST_BODY:
            return False
    return False


async def _connect(address: str, port: int) -> str:
    try:
        _, writer = await asyncio.open_connection(address, port)
    except OSError as error:
        return f"did not accept: {_why(error)}"
    writer.transport.abort()
    with suppress(OSError):
        await writer.wait_closed()
    return ""


def _why(error: BaseException) -> str:
    """Say what the system said, which libraries wrap in words of their own that differ each time."""
    found: BaseException | None = error
    while found is not None:
        if isinstance(found, OSError) and found.errno:
            return os.strerror(found.errno)
        found = found.__cause__ or found.__context__
    return str(error) or type(error).__name__
