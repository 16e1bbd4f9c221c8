"""What a recovered PostgreSQL database answers."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import cast

import psycopg
from psycopg.rows import tuple_row

from steadfleet_activities.drill.resolving import Resolving, UnresolvedError
from steadfleet_activities.fleet.waiting import Pace
from steadfleet_core.errors import RefusedError
from steadfleet_core.model import format_duration

_CONNECT_TIME = 5
_READ_ONLY = "-c default_transaction_read_only=on"
# What the server answers, before it knows the client, the same however often it is asked. libpq gives
# no SQLSTATE of a connection that failed, so the text is all there is; servers may translate it.
_FOR_GOOD = (
    "password authentication failed",
    "no password supplied",
    "does not exist",
    "no pg_hba.conf entry",
)


_Row = list[bytes | None]


class NotWritableError(Exception):
    """A database that did not take writes in time; retrying may find it later."""


@dataclass(frozen=True)
class Login:
    host: str
    port: int
    database: str
    user: str
    password: str = field(repr=False)

    def __str__(self) -> str:
        return f"{self.user}@{self.host}:{self.port}/{self.database}"


class Databases:
    """Connects anew for each question: what it asks is recovered only now."""

    def __init__(self, resolving: Resolving) -> None:
        self._resolving = resolving

    async def await_writable(self, login: Login, limit: timedelta) -> None:
        """Ask until it answers this password and takes writes.

        Raises:
            RefusedError: it answered that the user, the password or the database are wrong.
            NotWritableError: it did not within the limit.
        """
        await self._until(login, limit, "SELECT NOT pg_is_in_recovery()", "it still follows its source")

    async def await_caught_up(self, login: Login, limit: timedelta) -> None:
        """Ask a standby until all that it received is applied; raises as `await_writable` does."""
        applied = "SELECT pg_last_wal_receive_lsn() <= pg_last_wal_replay_lsn()"
        await self._until(login, limit, applied, "it has not applied all that it received")

    async def first_value(self, login: Login, query: str) -> str | None:
        """Return the first value of the first row as PostgreSQL writes it; None without a row, or of NULL."""
        found: list[_Row] = []
        async with self._asked(login, query) as rows:
            # To its end: a stream that is left early waits for its server, at times for ever.
            async for row in rows:
                if not found:
                    found.append(row)
        return found[0][0].decode() if found and found[0] and found[0][0] is not None else None

    async def checksum(self, login: Login, query: str) -> str:
        """Sum up all rows: what `psql -At` prints of them, through SHA-256."""
        digest = hashlib.sha256()
        async with self._asked(login, query) as rows:
            async for row in rows:
                digest.update(b"|".join(value or b"" for value in row) + b"\n")
        return digest.hexdigest()

    async def _until(self, login: Login, limit: timedelta, question: str, otherwise: str) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + limit.total_seconds()
        pace, last = Pace(), "it was not asked"
        while True:
            try:
                if await self.first_value(login, question) == "t":
                    return
                last = otherwise
            except (psycopg.OperationalError, UnresolvedError) as error:
                last = str(error).strip()
                if any(words in last for words in _FOR_GOOD):
                    raise RefusedError(
                        f"{login} is not let in: {last}; expected the user, password and database of the "
                        "source as they were at the recovery point: correct them in the plan"
                    ) from error
            if loop.time() > end:
                raise NotWritableError(f"{login} within {format_duration(limit)}: {last}")
            await pace.rest()

    @asynccontextmanager
    async def _asked(self, login: Login, query: str) -> AsyncIterator[AsyncIterator[_Row]]:
        connection = await psycopg.AsyncConnection.connect(
            host=login.host,
            hostaddr=await self._resolving.address(login.host),
            port=login.port,
            dbname=login.database,
            user=login.user,
            password=login.password,
            connect_timeout=_CONNECT_TIME,
            options=_READ_ONLY,
            autocommit=True,
        )
        async with (
            connection,
            connection.cursor(row_factory=tuple_row) as cursor,
            aclosing(_rows(cursor, query)) as rows,
        ):
            yield rows


async def _rows(cursor: psycopg.AsyncCursor[tuple[object, ...]], query: str) -> AsyncGenerator[_Row, None]:
    # As bytes, for it is a person's own query. One row at a time: a table may exceed our memory.
    # Closed when nobody wants more rows: an open one makes the end of its connection wait for ever.
    stream = cast("AsyncGenerator[object, None]", cursor.stream(query.encode()))
    async with aclosing(stream) as found:
        async for _ in found:
            result = cursor.pgresult
            if result is not None:
                yield [result.get_value(0, column) for column in range(result.nfields)]
