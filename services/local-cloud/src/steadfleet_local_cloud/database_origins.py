"""Where the content of a new DB instance comes from."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path

from psycopg import sql

from steadfleet_local_cloud.database_backups import Backup
from steadfleet_local_cloud.database_servers import Role, Server
from steadfleet_local_cloud.errors import PostgresError
from steadfleet_local_cloud.postgres import Programs

# what AWS's rds_superuser is a member of, as far as PostgreSQL itself knows it
_MASTER_ROLES = ("pg_monitor", "pg_signal_backend", "pg_checkpoint")


class Origin(ABC):
    """Gives a server its first content and role, and finishes it once it answers."""

    @abstractmethod
    def fill(self, server: Server) -> Role:
        """Put content where the server will find it; what it is to be when it starts."""

    def finish(self, server: Server) -> None:  # noqa: B027 - most have nothing left to do
        """Do what needs the server."""


@dataclass
class Template:
    """An empty cluster, made once and copied: that is quicker than initdb."""

    programs: Programs
    folder: Path
    password: str
    making: threading.Lock = field(default_factory=threading.Lock)

    def copy_to(self, target: Path) -> None:
        with self.making:
            if not self.folder.exists():
                self.programs.init(self.folder, self.password)
        self.programs.copy(self.folder, self.programs.make_folder(target))


@dataclass(frozen=True)
class Fresh(Origin):
    """Nothing but a master user, and perhaps a database."""

    template: Template
    username: str
    password: str
    database: str | None

    def fill(self, server: Server) -> Role:
        self.template.copy_to(server.data)
        return server.role

    def finish(self, server: Server) -> None:
        master = sql.Identifier(self.username)
        server.sql(
            sql.SQL("CREATE ROLE {} LOGIN CREATEDB CREATEROLE PASSWORD {}").format(
                master, sql.Literal(self.password)
            )
        )
        roles = sql.SQL(", ").join(sql.Identifier(name) for name in _MASTER_ROLES)
        server.sql(sql.SQL("GRANT {} TO {}").format(roles, master))
        server.sql(sql.SQL("ALTER DATABASE postgres OWNER TO {}").format(master))
        if self.database and self.database != "postgres":
            server.sql(sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(self.database), master))


@dataclass
class Content:
    """What a snapshot holds, from when it was taken until it is deleted."""

    folder: Path
    using: threading.Lock = field(default_factory=threading.Lock)

    def copy_to(self, programs: Programs, target: Path) -> None:
        with self.using:
            if not self.folder.exists():
                raise PostgresError(f"the snapshot in {self.folder} was deleted meanwhile")
            programs.copy(self.folder, programs.make_folder(target))


@dataclass(frozen=True)
class Snapshot(Origin):
    """All that a snapshot holds."""

    content: Content

    def fill(self, server: Server) -> Role:
        self.content.copy_to(server.site.programs, server.data)
        return server.role


@dataclass(frozen=True)
class PointInTime(Origin):
    """An automated backup, and what was archived since, up to a time (or all of it)."""

    backup: Backup
    until: str | None
    source: Server | None = None  # whose last commits are to be archived first, if it runs

    def fill(self, server: Server) -> Role:
        programs = server.site.programs
        if self.source and self.source.running:
            self.backup.advance(self.source)
        with self.backup.using:
            if not self.backup.base.exists():
                raise PostgresError(f"the automated backup in {self.backup.folder} was deleted meanwhile")
            programs.copy(self.backup.base, programs.make_folder(server.data))
            # its own copy, for the source may be deleted while it is replayed
            programs.copy(self.backup.wal, programs.make_folder(server.folder / "replayed"))
        return Role(replays=server.folder / "replayed", until=self.until, archive=server.role.archive)


@dataclass(frozen=True)
class Primary(Origin):
    """Another server, which it then follows."""

    source: Server

    def fill(self, server: Server) -> Role:
        source = self.source
        server.site.programs.base_backup(source.address, source.port, server.site.password, server.data)
        return Role(
            follows=(source.address, source.port), severed=server.role.severed, archive=server.role.archive
        )
