"""One PostgreSQL server: its folder, its settings, its process."""

from __future__ import annotations

import os
import shutil
import signal
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg

from steadfleet_local_cloud.errors import MachineError, PostgresError
from steadfleet_local_cloud.postgres import SUPERUSER, Programs
from steadfleet_local_cloud.supervision import Supervision

_START_TIME = timedelta(minutes=2)
_STOP_TIME = timedelta(seconds=30)
_CHILDREN_TIME = timedelta(seconds=0.5)
_QUIT_TIME = timedelta(seconds=5)
_POLL_TIME = 0.02
_LOG_TAIL = 2000
_AT_ONCE = timedelta()

# Without fsync a server is as safe from its own crash, and ours, as with it: not from the machine's.
_CONF = """\
listen_addresses = '{address}'
port = {port}
unix_socket_directories = ''
dynamic_shared_memory_type = mmap
shared_buffers = 16MB
max_connections = 100
wal_level = replica
hot_standby = on
wal_keep_size = 256MB
wal_retrieve_retry_interval = 500ms
max_wal_size = 256MB
min_wal_size = 8MB
archive_mode = on
archive_command = '{archive_command}'
fsync = off
timezone = 'UTC'
log_timezone = 'UTC'
log_min_messages = warning
"""
_HBA = "host all all 0.0.0.0/0 scram-sha-256\nhost replication {superuser} 0.0.0.0/0 scram-sha-256\n"


@dataclass(frozen=True)
class Site:
    """What the servers of one cloud share."""

    programs: Programs
    supervision: Supervision
    folder: Path
    password: str  # of our own superuser, in all of them


@dataclass(frozen=True)
class Role:
    """What a server is besides: a standby of another, one that replays an archive, one that keeps one."""

    follows: tuple[str, int] | None = None  # a primary's address and port
    severed: bool = False  # hears nothing more of it
    replays: Path | None = None  # a folder of archived WAL
    until: str | None = None  # the time to replay it to; the end of it if there is none
    archive: Path | None = None  # where it archives its own WAL

    def conf(self, password: str) -> str:
        lines = []
        if self.follows:
            address, port = self.follows
            origin = f"host={address} port={port} user={SUPERUSER} password={password}"
            lines.append(f"primary_conninfo = '{'' if self.severed else origin}'")
        if self.replays:
            lines.append(f'restore_command = \'cp "{self.replays}/%f" "%p"\'')
            lines.append("recovery_target_action = promote")
        if self.until:
            lines.append(f"recovery_target_time = '{self.until}'")
        return "".join(f"{line}\n" for line in lines)

    @property
    def archive_command(self) -> str:
        if self.archive is None:
            return "true"  # or WAL would be kept for an archive to come
        kept = f"{self.archive}/%f"
        return f'test ! -f "{kept}" && cp "%p" "{kept}.part" && mv "{kept}.part" "{kept}"'


@dataclass
class Server:
    """A PostgreSQL at an address of its own. Its methods are called by one thread at a time."""

    site: Site
    id: str
    address: str
    port: int
    role: Role = field(default_factory=Role)
    pid: int | None = None
    given_up: threading.Event = field(default_factory=threading.Event)

    @property
    def folder(self) -> Path:
        return self.site.folder / "servers" / self.id

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def running(self) -> bool:
        return self.pid is not None and self.site.supervision.wait(self.pid, _AT_ONCE) is None

    def start(self) -> None:
        """Start it, and return when it answers: as a standby, or as a primary that may be written to."""
        self.configure()
        for name in ("standby.signal", "recovery.signal"):
            (self.data / name).unlink(missing_ok=True)
        if self.role.follows or self.role.replays:
            self.site.programs.write(
                self.data / ("standby.signal" if self.role.follows else "recovery.signal"), ""
            )
        log = self.folder / "server.log"
        self.pid = self.site.supervision.spawn(
            self.id,
            self.site.programs.argv("postgres", "-D", self.data),
            self.folder,
            {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "INSTANCE_ID": self.id},
            stdout=log,
            stderr=log,
        )
        self._await_answer(standby=self.role.follows is not None)
        self.role = replace(self.role, replays=None, until=None)

    def configure(self) -> None:
        """Write the settings that are in force from its next start or reload."""
        conf = _CONF.format(address=self.address, port=self.port, archive_command=self.role.archive_command)
        write = self.site.programs.write
        write(self.data / "postgresql.conf", conf + self.role.conf(self.site.password))
        write(self.data / "postgresql.auto.conf", "")
        write(self.data / "pg_hba.conf", _HBA.format(superuser=SUPERUSER))

    def assume(self, role: Role) -> None:
        """Change what it is while it runs."""
        self.role = role
        self.configure()
        if self.running:
            self.sql("SELECT pg_reload_conf()")

    def promote(self) -> None:
        """Make a standby a primary."""
        (promoted,) = self.sql("SELECT pg_promote(true, 60)")
        if not promoted[0]:
            raise PostgresError(f"{self.id} was not promoted within a minute: {self._log_tail()}")
        self.assume(replace(self.role, follows=None, severed=False))

    def catch_up(self) -> None:
        """Return when a standby has applied what its primary had committed by now."""
        if self.role.follows is None:
            return
        address, port = self.role.follows
        primary = replace(self, address=address, port=port, id=f"the primary of {self.id}")
        (committed,) = primary.sql("SELECT pg_current_wal_lsn()::text")
        deadline = time.monotonic() + _START_TIME.total_seconds()
        applied = "SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn AND pg_last_wal_receive_lsn() IS NOT NULL"
        while self.sql(applied, committed[0]) != [(True,)]:
            if self.given_up.wait(_POLL_TIME) or time.monotonic() > deadline:
                raise PostgresError(f"{self.id} did not catch up within {_START_TIME}: {self._log_tail()}")

    def sever(self, *, severed: bool) -> None:
        """Let a standby hear nothing more of its primary, or let it hear again."""
        if not self.role.follows or self.role.severed == severed:
            return
        self.assume(replace(self.role, severed=severed))
        while severed and self.running and self.sql("SELECT pid FROM pg_stat_wal_receiver"):
            time.sleep(_POLL_TIME)

    def stop(self) -> None:
        """Shut it down in order: what it committed is archived."""
        self._signal(signal.SIGINT, _STOP_TIME)

    def quit(self) -> None:
        """End it without order, as it is not needed again; it gives its shared memory back."""
        if self.pid is not None and self.running:
            _send(self.pid, signal.SIGQUIT)
            if self.site.supervision.wait(self.pid, _CHILDREN_TIME) is None:
                _kill_children(self.pid)
        self._signal(signal.SIGQUIT, _QUIT_TIME)

    def remove(self) -> None:
        self.quit()
        shutil.rmtree(self.folder, ignore_errors=True)

    def connect(self, database: str = "postgres") -> psycopg.Connection[tuple[Any, ...]]:
        return psycopg.connect(
            host=self.address,
            port=self.port,
            user=SUPERUSER,
            password=self.site.password,
            dbname=database,
            connect_timeout=5,
            autocommit=True,
        )

    def sql(self, statement: Any, *parameters: object) -> list[tuple[Any, ...]]:
        """Run one statement as the superuser; its rows. PostgresError if that fails."""
        try:
            with self.connect() as connection:
                cursor = connection.execute(statement, parameters or None)
                return cursor.fetchall() if cursor.description else []
        except psycopg.Error as error:
            raise PostgresError(f"{self.id} at {self.address}:{self.port}: {error}") from error

    def _await_answer(self, *, standby: bool) -> None:
        deadline = time.monotonic() + _START_TIME.total_seconds()
        while not self._answers(standby=standby):
            if not self.running:
                raise PostgresError(f"the server of {self.id} ended: {self._log_tail()}")
            if self.given_up.wait(_POLL_TIME) or time.monotonic() > deadline:
                raise PostgresError(f"{self.id} did not answer within {_START_TIME}: {self._log_tail()}")

    def _answers(self, *, standby: bool) -> bool:
        with suppress(psycopg.Error), self.connect() as connection:
            row = connection.execute("SELECT pg_is_in_recovery()").fetchone()
            return row == (standby,)
        return False

    def _signal(self, number: int, time_limit: timedelta) -> None:
        if self.pid is None:
            return
        if self.running:
            _send(self.pid, number)  # to it alone: it means something else to its children
            self.site.supervision.wait(self.pid, time_limit)
        with suppress(MachineError):
            self.site.supervision.end(self.id)
        self.pid = None

    def _log_tail(self) -> str:
        log = self.folder / "server.log"
        return log.read_text(errors="replace")[-_LOG_TAIL:].strip() if log.exists() else "it left no log"


def _send(pid: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def _kill_children(pid: int) -> None:
    """Kill those that heard nothing: an archiver is deaf while it waits for its command."""
    with suppress(OSError):
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            _send(int(child), signal.SIGKILL)
