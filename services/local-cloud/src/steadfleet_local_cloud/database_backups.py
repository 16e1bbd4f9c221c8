"""Automated backups: a base backup, and all WAL since."""

from __future__ import annotations

import shutil
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from steadfleet_local_cloud.errors import PostgresError

if TYPE_CHECKING:
    from steadfleet_local_cloud.database_servers import Server

_ARCHIVE_TIME = timedelta(seconds=30)
_POLL_TIME = 0.01


@dataclass
class Backup:
    """What an instance can be restored from to a point in time, from `since` to `latest`."""

    folder: Path
    since: datetime | None = None
    latest: datetime | None = None
    using: threading.Lock = field(default_factory=threading.Lock)

    @property
    def base(self) -> Path:
        return self.folder / "base"

    @property
    def wal(self) -> Path:
        return self.folder / "wal"

    def begin(self, server: Server) -> None:
        """Take the base backup of a server that archives here already."""
        server.site.programs.base_backup(server.address, server.port, server.site.password, self.base)
        self.since = self.advance(server)

    def advance(self, server: Server) -> datetime:
        """
        Have everything archived that was committed until now, and return that time.

        A commit of nothing follows it: PostgreSQL refuses to restore to a time after which
        it finds no commit, since it cannot tell then whether it saw all of them.
        """
        ((now,),) = server.sql("SELECT clock_timestamp()")
        server.sql("SELECT pg_current_xact_id()")
        ((segment,),) = server.sql("SELECT pg_walfile_name(pg_switch_wal())")
        deadline = time.monotonic() + _ARCHIVE_TIME.total_seconds()
        while not (self.wal / segment).exists():
            if time.monotonic() > deadline:
                raise PostgresError(f"{segment} of {server.id} was not archived within {_ARCHIVE_TIME}")
            time.sleep(_POLL_TIME)
        moment: datetime = now.astimezone(UTC)
        self.latest = moment
        return moment

    def remove(self) -> None:
        with self.using:
            shutil.rmtree(self.folder, ignore_errors=True)
