"""Whether a copy can be read, all of it: that a server answers proves little."""

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import psycopg
from psycopg import sql

from steadfleet_activities.drill.drivers import Facts, Say
from steadfleet_activities.drill.postgres.server import Connection, Server
from steadfleet_core.errors import RefusedError

READ_TIME = timedelta(minutes=2)
"""How long relations are read: it is part of the recovery time. What is left is told as not read."""

_NAMED = 5
_DATABASES = "SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate ORDER BY 1"
# Tables, materialized views and what was moved out of their rows; the small first. Temporary ones are gone.
_RELATIONS = """
SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'm', 't') AND c.relpersistence = 'p' ORDER BY pg_relation_size(c.oid), 1, 2
"""
_INVALID = """
SELECT format('%s.%s', n.nspname, c.relname) FROM pg_index i
JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE NOT i.indisvalid OR NOT i.indisready ORDER BY 1
"""
_COLLATION = """
SELECT count(*) FROM pg_database
WHERE datname = current_database()
AND datcollversion IS DISTINCT FROM pg_database_collation_actual_version(oid)
"""
_HAS_COLLATION_VERSIONS = 150000


class DamagedError(RefusedError):
    """Data that was restored and cannot be read."""


@dataclass
class _Count:
    relations: int = 0
    read: int = 0
    invalid: list[str] = field(default_factory=list)
    collations: list[str] = field(default_factory=list)


@contextmanager
def damage_told() -> Iterator[None]:
    """Tell damage of the catalogs, too, for what it is: no retry mends it."""
    try:
        yield
    except (psycopg.errors.DataCorrupted, psycopg.errors.IndexCorrupted) as error:
        raise DamagedError(
            f"the copy is damaged: {str(error).strip()}; look whether the source can read it, and take a "
            "new base backup"
        ) from error


async def read_all(server: Server, say: Say, limit: timedelta = READ_TIME) -> Facts:
    """Read every table of every database, as long as there is time.

    Raises:
        DamagedError: a page could not be read.
    """
    say("reading all tables")
    end = asyncio.get_running_loop().time() + limit.total_seconds()
    async with server.connect() as connection:
        databases = [str(row[0]) for row in await _rows(connection, _DATABASES)]
    count = _Count()
    for database in databases:
        async with server.connect(database) as connection:
            await _read_database(connection, database, count, end)
    return {
        "relations": str(count.relations),
        "relations_read": str(count.read),
        "invalid_indexes": _listed(count.invalid),
        "data_checksums": "on" if await server.has_checksums() else "off: not every damage is noticed",
        "other_collations": _listed(count.collations),
    }


async def write_probe(server: Server) -> None:
    """Write, where nobody else sees it; raises `psycopg.Error` if it takes no writes."""
    async with server.connect() as connection, connection.transaction(force_rollback=True):
        await connection.execute("CREATE TEMP TABLE steadfleet_write_probe (written int) ON COMMIT DROP")
        await connection.execute("INSERT INTO steadfleet_write_probe VALUES (1)")


async def _read_database(connection: Connection, database: str, count: _Count, end: float) -> None:
    count.invalid += [f"{database}.{row[0]}" for row in await _rows(connection, _INVALID)]
    if connection.info.server_version >= _HAS_COLLATION_VERSIONS:
        count.collations += [database for (other,) in await _rows(connection, _COLLATION) if other]
    relations = [(str(schema), str(name)) for schema, name in await _rows(connection, _RELATIONS)]
    count.relations += len(relations)
    for schema, name in relations:
        left = end - asyncio.get_running_loop().time()
        if left <= 0 or not await _read(connection, database, schema, name, left):
            return
        count.read += 1


async def _read(connection: Connection, database: str, schema: str, name: str, left: float) -> bool:
    """Return whether it was read in the time that is left."""
    limit = sql.SQL("SET statement_timeout = {}").format(sql.Literal(max(1, round(left * 1000))))
    query = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(schema, name))
    try:
        await connection.execute(limit)
        await connection.execute(query)
    except psycopg.errors.QueryCanceled:
        return False
    except psycopg.Error as error:
        raise DamagedError(
            f"{schema}.{name} of database {database} cannot be read in the copy: {str(error).strip()}; look "
            "whether the source can read it, and take a new base backup"
        ) from error
    return True


async def _rows(connection: Connection, query: str) -> list[tuple[object, ...]]:
    return await (await connection.execute(query.encode())).fetchall()


def _listed(names: Iterable[str]) -> str:
    found = list(names)
    more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    return f"{len(found)}: {', '.join(found[:_NAMED])}{more}" if found else "0"
