"""One PostgreSQL server of a run: its folder, its process, and the way in for us."""

import asyncio
import os
import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, LiteralString

import psycopg

from steadfleet_activities.drill.postgres.processes import end_all_below, pids_below
from steadfleet_activities.drill.postgres.programs import Programs
from steadfleet_activities.drill.postgres.settings import (
    ALWAYS,
    Endpoint,
    Follow,
    Replay,
    configuration,
    host_based_access,
)
from steadfleet_core.model import Model, format_duration
from steadfleet_durable import unbroken

Connection = psycopg.AsyncConnection[tuple[Any, ...]]

_START_TIME = timedelta(minutes=1)
_POLL_TIME = 0.1
_LONGEST_POLL_TIME = 1.0
_GROWTH = 1.1
_CONNECT_TIME = 5
_TAIL = 2000
_ADDRESS_TRIES = 5
_SETTING = re.compile(r"^(\w+) setting:\s+(\d+)$", re.MULTILINE)
_CHECKSUMS = re.compile(r"^Data page checksum version:\s+(\d+)$", re.MULTILINE)
_LAST_COMMIT = re.compile(r"last completed transaction was at log time (\S+ \S+?)(?:\+00| UTC)")


class ServerEndedError(Exception):
    """The server ended by itself; `log` is the end of what it said."""

    def __init__(self, said: str, log: str) -> None:
        super().__init__(f"{said}: {log}")
        self.log = log


class NotReadyError(Exception):
    """The server was not so far in time; a further attempt goes on where this one was."""


class _Kept(Model):
    host: str
    port: int


class Server:
    """Its process outlives the worker, and is found again by whoever comes later.

    `role` is one that exists in the data: it is asked for the first superuser's name. `callers` (CIDR) are
    let in beside who is on this host.
    """

    def __init__(self, folder: Path, programs: Programs, address: str, role: str, callers: str = "") -> None:
        self.folder = folder
        self.data = folder / "data"
        self.part = folder / "data.part"
        self.passfile = folder / "source.pgpass"
        self.programs = programs
        self._log = folder / "server.log"
        self._address = address
        self._callers = callers
        self._roles = ["postgres", role]

    @property
    def endpoint(self) -> Endpoint:
        """Return where it answers; the port is chosen once, and kept."""
        kept = self.folder / "endpoint.json"
        if not kept.exists():
            self._choose_port()
        said = _Kept.model_validate_json(kept.read_text())
        return Endpoint(said.host, said.port)

    @property
    def running(self) -> bool:
        return bool(pids_below(self.data))

    async def empty_part(self) -> Path:
        """Give an empty folder to make the data in; what a dead attempt left half made is removed."""
        await unbroken(end_all_below, self.part)
        await self.programs.remove(self.part)
        self.part.mkdir(mode=0o700)
        return self.programs.own(self.part)

    async def discard(self) -> None:
        """Remove the data, so that the next attempt begins anew."""
        await unbroken(end_all_below, self.folder)
        await self.programs.remove(self.data)
        (self.folder / "endpoint.json").unlink(missing_ok=True)

    async def configure(self, data: Path, role: Replay | Follow | None) -> None:
        """Replace all that the copied data says of how it is run, also by ALTER SYSTEM."""
        control = {name: int(value) for name, value in _SETTING.findall(await self.control(data))}
        write = self.programs.write
        write(data / "postgresql.conf", configuration(self.endpoint, control, role))
        write(data / "postgresql.auto.conf", "")
        write(data / "pg_hba.conf", host_based_access(self._callers))
        write(data / "pg_ident.conf", "")

    async def start(self, role: Replay | Follow | None) -> None:
        """Start it if it does not run; a port that somebody else took meanwhile is replaced."""
        for _ in range(_ADDRESS_TRIES):
            if self.running:
                return
            (self.data / "postmaster.pid").unlink(missing_ok=True)  # no process is left that it could name
            self._log.unlink(missing_ok=True)
            options = f"{' '.join(ALWAYS)}"
            await self.programs.run(
                *("pg_ctl", "start", "--no-wait", "-D", self.data, "-l", self._log, "-o", options),
                cwd=self.data,
                limit=_START_TIME,
            )
            if not await self._lost_its_port():
                return
            self._choose_port()
            await self.configure(self.data, role)
        raise NotReadyError(f"no port of {self._address} was free for {self.folder.name}: {self.tail()}")

    async def until(
        self, done: Callable[[Connection], Awaitable[bool]], limit: timedelta, waiting_for: str
    ) -> None:
        """
        Look until it holds.

        Raises:
            ServerEndedError: the server gave up.
            NotReadyError: not within the limit.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + limit.total_seconds()
        last, pause = "", _POLL_TIME
        while True:
            try:
                async with self.connect() as connection:
                    if await done(connection):
                        return
            except psycopg.OperationalError as error:
                last = f": {str(error).strip()}"
            if not self.running:
                raise ServerEndedError(f"the copy's server ended before {waiting_for}", self.tail())
            if loop.time() > end:
                raise NotReadyError(f"not {waiting_for} within {format_duration(limit)}{last}")
            await asyncio.sleep(pause)
            pause = min(pause * _GROWTH, _LONGEST_POLL_TIME)

    @asynccontextmanager
    async def connect(self, database: str = "template1") -> AsyncIterator[Connection]:
        """Enter as its first superuser, over the socket in its data: a copy gets no password of ours."""
        here = os.open(self.data, os.O_RDONLY | os.O_DIRECTORY)
        try:
            # By the descriptor, for a socket's path may not have more than 107 bytes.
            place = f"/proc/self/fd/{here}"
            name = await self._superuser(place)
            async with await self._open(place, name, database) as connection:
                yield connection
        finally:
            os.close(here)

    async def ask(self, query: LiteralString, database: str = "template1") -> tuple[Any, ...]:
        async with self.connect(database) as connection:
            return await (await connection.execute(query)).fetchone() or ()

    async def control(self, data: Path) -> str:
        return await self.programs.run("pg_controldata", data, cwd=self.folder, limit=_START_TIME)

    async def has_checksums(self) -> bool:
        found = _CHECKSUMS.search(await self.control(self.data))
        return found is not None and found[1] != "0"

    def last_commit(self) -> datetime | None:
        """Return what its log says was the last transaction of its recovery."""
        found = _LAST_COMMIT.findall(self.log())
        return datetime.fromisoformat(found[-1]).replace(tzinfo=UTC) if found else None

    def log(self) -> str:
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def tail(self) -> str:
        return self.log()[-_TAIL:].strip() or "it left no log"

    async def _superuser(self, place: str) -> str:
        # The first superuser has number 10 in every cluster, whatever its name; most have not renamed it.
        for name in self._roles:
            try:
                async with await self._open(place, name, "template1") as connection:
                    query = "SELECT rolname FROM pg_roles WHERE oid = 10"
                    row = await (await connection.execute(query)).fetchone()
                    self._roles = [str(row[0]) if row else name, *self._roles]
                    return self._roles[0]
            except psycopg.OperationalError as error:
                if "does not exist" not in str(error):
                    raise
        raise NotReadyError("no role of the copy is known to enter with")

    async def _open(self, place: str, user: str, database: str) -> Connection:
        return await psycopg.AsyncConnection.connect(
            host=place,
            port=self.endpoint.port,
            user=user,
            dbname=database,
            connect_timeout=_CONNECT_TIME,
            autocommit=True,
        )

    async def _lost_its_port(self) -> bool:
        """Wait until it listens or ends; say whether somebody else had its port."""
        deadline = asyncio.get_running_loop().time() + _START_TIME.total_seconds()
        while asyncio.get_running_loop().time() < deadline:
            log = self.log()
            if "listening on Unix socket" in log:
                return False
            if "could not bind" in log and not self.running:
                return True
            if "FATAL" in log and not self.running:
                raise ServerEndedError("the copy's server did not start", self.tail())
            await asyncio.sleep(_POLL_TIME / 4)
        raise NotReadyError(
            f"the copy's server did not start within {format_duration(_START_TIME)}: {self.tail()}"
        )

    def _choose_port(self) -> None:
        with socket.create_server((self._address, 0)) as free:
            port = free.getsockname()[1]
        kept = _Kept(host=self._address, port=port)
        self.programs.write(self.folder / "endpoint.json", kept.model_dump_json())


async def writable(connection: Connection) -> bool:
    """Say whether it is promoted."""
    return await (await connection.execute("SELECT pg_is_in_recovery()")).fetchone() == (False,)
