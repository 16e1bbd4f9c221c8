"""Bring an engine back from a backup, in the one order that destroys nothing."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from temporalio.client import Client
from temporalio.service import RPCError

from steadfleet_cli.self_host.installation import Databases, Installation, SelfHostError
from steadfleet_cli.self_host.manifest import Manifest, read_manifest
from steadfleet_cli.self_host.pollers import POLL_LASTS, Poller, pollers, still_polling
from steadfleet_cli.self_host.postgresql import PostgreSql
from steadfleet_durable import EngineError, EngineUnreachableError

Connect = Callable[[], Awaitable[Client]]
Say = Callable[[str], None]

# The server looks its schema up under the name of the database that it was told.
_MOVE_IN = "update schema_version set db_name = current_database()"
_SERVES_WITHIN = 60.0
# Addresses of the server that was dumped: a copy would call them.
_FORGET_MEMBERS = "delete from cluster_membership"


@dataclass(frozen=True)
class Restored:
    """What was restored to where, and who asked for work before our workers did."""

    manifest: Manifest
    databases: Databases
    kept: tuple[str, ...]
    too_early: tuple[Poller, ...]


@dataclass(frozen=True)
class Restore:
    """
    One restore: `into` names other databases than those in use.

    `vouched` says that every worker is stopped; it is believed where the server is lost and cannot be asked.
    """

    installation: Installation
    folder: Path
    connect: Connect
    say: Say
    into: str | None = None
    vouched: bool = False
    poll_lasts: timedelta = POLL_LASTS

    async def run(self) -> Restored:
        postgresql = PostgreSql(self.installation)
        manifest = self._readable(postgresql)
        target = Databases.named(self.into) if self.into else self.installation.databases
        self._expect_room(postgresql, target)
        await self._stand_still(postgresql, await self._server())
        kept = self._put_aside(postgresql, target)
        try:
            self._load(postgresql, manifest, target)
            self.say(f"starting the server on {' and '.join(target.all)}")
            self.installation.start_server(target)
            too_early = tuple(await pollers(await self._connect_patiently()))
        except (SelfHostError, EngineError, RPCError) as error:
            before = f"; what was there before is in {' and '.join(kept)}" if kept else ""
            raise SelfHostError(f"{error}. The workers stand still{before}") from error
        self.say("starting the workers")
        self.installation.start_workers()
        return Restored(manifest, target, kept, too_early)

    async def _connect_patiently(self) -> Client:
        """Connect to a server that has just started: it is healthy before it knows its namespaces."""
        deadline = time.monotonic() + _SERVES_WITHIN
        while True:
            try:
                return await self.connect()
            except EngineError:
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(1)

    async def _server(self) -> Client | None:
        """Connect to whom alone can say who polls; without it only a person can."""
        try:
            return await self.connect()
        except EngineUnreachableError:
            if not self.vouched:
                raise
            self.say("the server does not answer: taking your word that every worker is stopped")
            return None

    async def _stand_still(self, postgresql: PostgreSql, server: Client | None) -> None:
        """Stop workers, then server; or go on as before if anybody else works with them."""
        self.say("stopping the workers")
        self.installation.stop_workers()
        try:
            if server:
                await self._expect_no_poller(server)
            self.say("stopping the server")
            self.installation.stop_server()
            self._expect_unused(postgresql)
        except BaseException:
            if server:
                self.say("nothing was changed: starting again what was stopped")
                self.installation.start_server(self.installation.databases)
                self.installation.start_workers()
            raise

    def _readable(self, postgresql: PostgreSql) -> Manifest:
        self.say(f"reading the backup in {self.folder}")
        manifest = read_manifest(self.folder)
        for dump in manifest.dumps:
            postgresql.contents(self.folder / dump.file)
        return manifest

    def _expect_room(self, postgresql: PostgreSql, target: Databases) -> None:
        for database in target.all if self.into else ():
            if postgresql.exists(database):
                raise SelfHostError(
                    f"database {database} is there already: nothing is overwritten; name another"
                )

    async def _expect_no_poller(self, server: Client) -> None:
        self.say(f"looking for workers elsewhere: up to {self.poll_lasts.total_seconds():g} s")
        alive = await still_polling(server, datetime.now(UTC), self.poll_lasts)
        if alive:
            who = "; ".join(sorted({str(one) for one in alive}))
            raise SelfHostError(
                f"a worker polls: {who}. What it remembers is ahead of the backup, and would be written into"
                " the restored workflows, which then fail for ever. Stop it, then try again"
            )

    def _expect_unused(self, postgresql: PostgreSql) -> None:
        for database in self.installation.databases.all:
            if postgresql.exists(database) and (users := postgresql.users(database)):
                raise SelfHostError(
                    f"database {database} is in use, though the server was stopped: {users}. Is there another"
                    " server? End what is connected, then try again"
                )

    def _put_aside(self, postgresql: PostgreSql, target: Databases) -> tuple[str, ...]:
        """Keep what is in use under another name: whether the backup was the right one shows later."""
        mark = f"_until_{datetime.now(UTC):%Y%m%d_%H%M%S}"
        there = [] if self.into else [one for one in target.all if postgresql.exists(one)]
        for database in there:
            postgresql.rename(database, database + mark)
        return tuple(database + mark for database in there)

    def _load(self, postgresql: PostgreSql, manifest: Manifest, target: Databases) -> None:
        for dump, database in zip(manifest.dumps, target.all, strict=True):
            self.say(f"restoring {database}")
            postgresql.restore(self.folder / dump.file, database, dump.owner)
            postgresql.ask(database, _MOVE_IN)
        postgresql.ask(target.default, _FORGET_MEMBERS)
