"""A live copy of a running source: a standby of the run's own, promoted when disaster is declared."""

from dataclasses import dataclass
from datetime import UTC, timedelta

import psycopg
from psycopg import sql

from steadfleet_activities.drill.drivers import Facts, Say
from steadfleet_activities.drill.postgres.programs import ProgramError
from steadfleet_activities.drill.postgres.server import Connection, Server, writable
from steadfleet_activities.drill.postgres.settings import Follow, pass_line
from steadfleet_core.drill.plan import PostgresStore
from steadfleet_core.errors import NotBuiltError, RefusedError

_CONNECT_TIME = 10
_WRONG = (
    "password authentication failed",
    "no password supplied",
    "no pg_hba.conf entry",
    "replication role",
    "permission denied",
    "does not exist",
    "must be superuser",
)
"""What a server answers the same however often it is asked."""


@dataclass(frozen=True)
class Source:
    """The server to copy, and who asks."""

    store: PostgresStore
    password: str

    @property
    def place(self) -> str:
        return f"{self.store.host}:{self.store.port}"

    async def connect(self, *, replication: bool = False) -> Connection:
        """Enter as the plan's user.

        Raises:
            RefusedError: it does not let the user in.
            psycopg.OperationalError: it does not answer.
        """
        store = self.store
        try:
            return await psycopg.AsyncConnection.connect(
                host=store.host,
                port=store.port,
                user=store.user,
                password=self.password,
                dbname=store.database,
                connect_timeout=_CONNECT_TIME,
                autocommit=True,
                replication="true" if replication else None,
            )
        except psycopg.OperationalError as error:
            if refused := self.refused(str(error)):
                raise refused from error
            raise

    def refused(self, said: str) -> RefusedError | None:
        """Turn what is wrong for good into words for a person."""
        if not any(words in said for words in _WRONG):
            return None
        secret = self.store.password.environment or self.store.password.parameter
        return RefusedError(
            f"{self.place} does not let {self.store.user} copy it: {said.strip()}; expected the password in "
            f"{secret} to be that of {self.store.user}, who has the attribute REPLICATION and a line for "
            "replication in the source's pg_hba.conf"
        )


async def replicate(server: Server, source: Source, name: str, limit: timedelta, say: Say) -> Facts:
    """Make a standby and wait until it has all that was committed when this began to wait."""
    store = source.store
    follow = Follow(store.host, store.port, store.user, server.passfile, name)
    server.programs.write(server.passfile, pass_line(store.user, source.password))
    if not server.data.exists():
        await _refuse_tablespaces(source)
        await _copy(server, source, follow, limit, say)
    await server.start(follow)
    say("catching up")
    target = await _position(source)

    async def caught_up(connection: Connection) -> bool:
        query = sql.SQL("SELECT pg_last_wal_replay_lsn() >= {}::pg_lsn").format(sql.Literal(target))
        return await (await connection.execute(query)).fetchone() == (True,)

    await server.until(caught_up, limit, f"caught up with {source.place} at {target}")
    return {"wal_position": target, "follows": source.place}


async def promote(server: Server, limit: timedelta, say: Say) -> Facts:
    """Cut the live copy off from its source, and let it take writes."""
    await server.start(None)
    await server.until(_answers, limit, "it answered")
    (standby,) = await server.ask("SELECT pg_is_in_recovery()")
    if standby:
        say("promoting")
        # First cut off: a copy that is brought up must not hear of its source again.
        await server.configure(server.data, None)
        await server.ask("SELECT pg_reload_conf()")
        await server.ask("SELECT pg_promote(true, 60)")
        await server.until(writable, limit, "promoted")
    server.passfile.unlink(missing_ok=True)
    lsn, last = await server.ask("SELECT pg_last_wal_replay_lsn()::text, pg_last_xact_replay_timestamp()")
    return {
        "wal_position": lsn or "unknown: the copy was started anew since",
        "last_commit": last.astimezone(UTC).isoformat() if last else "none since the copy was made",
    }


async def _copy(server: Server, source: Source, follow: Follow, limit: timedelta, say: Say) -> None:
    say("copying the source")
    store = source.store
    part = await server.empty_part()
    try:
        # Without -R: it would write the password into the copy's settings, where ours are written instead.
        await server.programs.run(
            *("pg_basebackup", "-D", part, "-c", "fast", "-X", "stream", "--no-password"),
            *("-h", store.host, "-p", str(store.port), "-U", store.user),
            cwd=server.folder,
            limit=limit,
            env={"PGPASSFILE": str(server.passfile)},
        )
    except ProgramError as error:
        if refused := source.refused(error.said):
            raise refused from error
        raise
    await server.configure(part, follow)
    server.programs.write(part / "standby.signal", "")
    part.rename(server.data)


async def _position(source: Source) -> str:
    query = """
    SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()
    ELSE pg_current_wal_flush_lsn() END::text
    """
    async with await source.connect() as connection:
        row = await (await connection.execute(query)).fetchone()
    return str(row[0]) if row else "0/0"


async def _refuse_tablespaces(source: Source) -> None:
    async with await source.connect() as connection:
        query = "SELECT spcname FROM pg_tablespace WHERE spcname NOT IN ('pg_default', 'pg_global')"
        names = [str(name) for (name,) in await (await connection.execute(query)).fetchall()]
    if names:
        raise NotBuiltError(
            f"{source.place} has tablespaces ({', '.join(names)}), which are not copied yet: they would be "
            "put where the source has them"
        )


async def _answers(_connection: Connection) -> bool:
    return True
