"""The table of a ledger, in the store that serves and in the one that was recovered."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg import sql

from steadfleet_core.errors import RefusedError

# A network that swallows packets must not hold a ledger, nor a drill, for a quarter of an hour.
_LIMITS: dict[str, Any] = {
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
    "application_name": "steadfleet-witness",
}
_BATCH = 10_000


@dataclass(frozen=True)
class Database:
    """How a database is reached. `address` is what `host` was resolved to, if not by the system."""

    host: str
    port: int
    database: str
    user: str
    password: str
    address: str = ""

    @contextmanager
    def connected(self) -> Iterator["psycopg.Connection[Any]"]:
        """Connect in autocommit: what is a transaction says so."""
        reached: dict[str, Any] = _LIMITS | ({"hostaddr": self.address} if self.address else {})
        with psycopg.connect(
            host=self.host,
            port=self.port,
            dbname=self.database,
            user=self.user,
            password=self.password,
            autocommit=True,
            **reached,
        ) as connection:
            yield connection


class LedgerTable:
    """
    One row a write. Nothing here is unique.

    A unique key could only hide that a restore replayed writes twice: it would fail in some other way,
    or drop the second. At the source a number is used once because one witness at a time holds the
    lock and never takes a number again; so two rows of one number were made by the recovery.
    """

    def __init__(self, connection: "psycopg.Connection[Any]", table: str) -> None:
        self._connection = connection
        self._said = table
        self._name = sql.Identifier(*table.split("."))

    def own(self) -> None:
        """Take the table for this connection, making it if it is missing; raises `RefusedError`."""
        if not self._one("select pg_try_advisory_lock(hashtext(%s))", f"steadfleet-ledger {self._said}"):
            raise RefusedError(f"another witness writes to {self._said}: expected one at a time")
        # Asked for first: `if not exists` needs the right to create even where the table is there.
        if self._one("select to_regclass(%s)", self._said) is None:
            self._make()

    def highest(self) -> int:
        return int(self._one(self._sql("select coalesce(max(sequence), 0) from {table}")))

    def write(self, sequence: int, at: datetime) -> None:
        """Write a row that is safe when this returns; if it raises, nobody knows."""
        with self._connection.transaction():
            self._connection.execute("set local synchronous_commit = on")
            self._connection.execute(
                self._sql("insert into {table} (sequence, written_at) values (%s, %s)"), (sequence, at)
            )

    def prune(self, below: int, before: datetime) -> int:
        """Delete rows that are older and whose numbers are lower; return how many."""
        statement = self._sql("delete from {table} where sequence < %s and written_at < %s")
        return self._connection.execute(statement, (below, before)).rowcount

    def sequences(self, first: int, last: int) -> list[int]:
        """Return the numbers from `first` to `last` that are there, each as often as it is, in order."""
        statement = self._sql(
            "select sequence from {table} where sequence between %s and %s order by sequence"
        )
        with self._connection.transaction(), self._connection.cursor("ledger") as cursor:
            cursor.itersize = _BATCH
            cursor.execute(statement, (first, last))
            return [int(row[0]) for row in cursor]

    def _make(self) -> None:
        with self._connection.transaction():
            for statement in (
                "create table {table} (sequence bigint not null, written_at timestamptz not null)",
                "create index on {table} (sequence)",
                # Without a key, a publication of all tables would refuse the deletes of old rows.
                "alter table {table} replica identity full",
            ):
                self._connection.execute(self._sql(statement))

    def _sql(self, statement: str) -> sql.Composed:
        return sql.SQL(statement).format(table=self._name)

    def _one(self, statement: Any, *values: object) -> Any:
        row = self._connection.execute(statement, values or None).fetchone()
        return row[0] if row else None
