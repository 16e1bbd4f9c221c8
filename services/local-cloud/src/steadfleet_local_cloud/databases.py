"""What stands behind DB instances and their snapshots: servers, base backups, archives."""

from __future__ import annotations

import logging
import queue
import secrets
import shutil
import threading
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path

from steadfleet_local_cloud.database_addresses import Addresses
from steadfleet_local_cloud.database_backups import Backup
from steadfleet_local_cloud.database_origins import Content, Fresh, Origin, Template
from steadfleet_local_cloud.database_servers import Server, Site
from steadfleet_local_cloud.errors import PostgresError
from steadfleet_local_cloud.faults import Faults
from steadfleet_local_cloud.network import Network
from steadfleet_local_cloud.postgres import Programs
from steadfleet_local_cloud.supervision import Supervision

_log = logging.getLogger(__name__)
_HEED_TIME = timedelta(seconds=30)
Job = Callable[[], None]


class Database:
    """A server and its automated backups. What is to be done to it is done in the order it was asked for."""

    def __init__(self, name: str, region: str, server: Server, backups: Path) -> None:
        self.name = name  # as the instance is called now
        self.region = region
        self.server = server
        self.backup: Backup | None = None
        self._backups = backups
        self._advancing = False
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=f"database {server.id}", daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        return self.server.address

    def do(self, job: Job) -> None:
        """Have something done after what was asked for before; it must not raise."""
        self._jobs.put(job)

    def create(self, origin: Origin, delay: timedelta, *, keeps_backups: bool) -> None:
        server = self.server
        server.site.programs.make_folder(server.folder)
        if keeps_backups:
            self._archive()
        server.role = origin.fill(server)
        if server.given_up.wait(delay.total_seconds()):
            raise PostgresError(f"{server.id} was given up while it was made")
        server.start()
        origin.finish(server)
        shutil.rmtree(server.folder / "replayed", ignore_errors=True)
        if keeps_backups and server.role.follows is None:
            self._begin_backup()

    def promote(self, *, keeps_backups: bool) -> None:
        if keeps_backups:
            self._archive()
        self.server.promote()
        self.keep_backups(keeps=keeps_backups)

    def stop(self) -> None:
        if self.backup:
            self.backup.advance(self.server)
        self.server.stop()

    def restart(self) -> None:
        self.server.stop()
        self.server.start()

    def keep_backups(self, *, keeps: bool) -> None:
        """Begin or end automated backups."""
        if keeps and self.server.role.follows is None and (self.backup is None or self.backup.since is None):
            self._archive()
            self.server.assume(self.server.role)
            self._begin_backup()
        elif not keeps and self.backup:
            self.server.assume(replace(self.server.role, archive=None))
            self.backup.remove()
            self.backup = None

    def heed(self, faults: Faults) -> threading.Event:
        """Have a standby hear its primary or not, as the faults say; set when it is so."""
        severed, done = faults.is_stale(self.region, self.name), threading.Event()

        def heed() -> None:
            try:
                self.server.sever(severed=severed)
            finally:
                done.set()

        self.do(heed)
        return done

    def advance(self) -> None:
        """Move the latest restorable time on, in a while and not twice at once."""
        if not self._advancing:
            self._advancing = True
            self.do(self._advance)

    def remove(self) -> None:
        """End it and forget all that it held; its thread ends too, if it is the one that asks."""
        self.server.remove()
        if self.backup:
            self.backup.remove()
        self._jobs.put(None)

    def close(self) -> None:
        """Give up what is under way, and end with the cloud."""
        self.server.given_up.set()
        self._jobs.put(self.server.quit)
        self._jobs.put(None)

    def join(self) -> None:
        self._thread.join()

    def _archive(self) -> None:
        self.backup = self.backup or Backup(self._backups / self.server.id)
        if not self.backup.wal.exists():
            self.server.site.programs.make_folder(self.backup.folder)
            self.server.site.programs.make_folder(self.backup.wal)
        self.server.role = replace(self.server.role, archive=self.backup.wal)

    def _begin_backup(self) -> None:
        if self.backup is None:
            raise PostgresError(f"{self.server.id} has no archive")
        self.backup.begin(self.server)

    def _advance(self) -> None:
        self._advancing = False
        if self.backup and self.backup.since and self.server.running:
            with suppress(PostgresError):  # then the time stays what it was, which is the truth
                self.backup.advance(self.server)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                job()
            except Exception:  # noqa: BLE001 - a job tells its failures itself; what comes here is a defect
                _log.exception("a job of %s failed", self.server.id)


class Databases:
    """Every database and snapshot of one cloud, by moto's ids. Nothing runs until the first is made."""

    def __init__(self, folder: Path, networks: dict[str, Network]) -> None:
        self._folder = folder
        self._addresses = Addresses(networks)
        self._programs = Programs()
        self._by_id: dict[str, Database] = {}
        self._contents: dict[str, Content] = {}
        self._closed = False
        self._lock = threading.Lock()
        shutil.rmtree(folder, ignore_errors=True)  # an earlier cloud's; its servers died with it

    @property
    def programs(self) -> Programs:
        return self._programs

    @cached_property
    def _site(self) -> Site:
        self._folder.mkdir(parents=True, exist_ok=True)
        supervision = Supervision(lambda _pid, _status: None)
        return Site(self._programs, supervision, self._folder, secrets.token_hex(16))

    @cached_property
    def _template(self) -> Template:
        return Template(self._programs, self._folder / "template", self._site.password)

    def add(self, id_: str, name: str, region: str, port: int) -> Database:
        """Make room for a database, at an address of its own; `create` then makes it."""
        with self._lock:
            server = Server(self._site, id_, self._addresses.take(region), port)
            self._by_id[id_] = Database(name, region, server, self._folder / "backups")
            return self._by_id[id_]

    def get(self, id_: str) -> Database | None:
        return self._by_id.get(id_)

    def all(self) -> list[Database]:
        return list(self._by_id.values())

    def fresh(self, username: str, password: str, database: str | None) -> Fresh:
        return Fresh(self._template, username, password, database)

    def heed(self, faults: Faults) -> None:
        """Return when every standby is as the faults say. Not to be called under the cloud's lock."""
        for done in [one.heed(faults) for one in self.all() if one.server.role.follows]:
            done.wait(_HEED_TIME.total_seconds())

    def forget(self, id_: str) -> None:
        self._by_id.pop(id_).remove()

    def take(self, database: Database) -> tuple[Content, datetime]:
        """Take a base backup of a running server, and say when: what was committed before is in it."""
        content = Content(self._folder / "snapshots" / uuid.uuid4().hex)
        taken = datetime.now(UTC)
        server = database.server
        self._programs.base_backup(server.address, server.port, self._site.password, content.folder)
        return content, taken

    def copy(self, content: Content) -> Content:
        target = Content(self._folder / "snapshots" / uuid.uuid4().hex)
        content.copy_to(self._programs, target.folder)
        return target

    def hold(self, snapshot: str, content: Content) -> None:
        """Keep what a snapshot holds under its ARN."""
        self._contents[snapshot] = content

    def content(self, snapshot: str) -> Content | None:
        return self._contents.get(snapshot)

    def drop(self, snapshot: str) -> None:
        if content := self._contents.pop(snapshot, None):
            with content.using:
                shutil.rmtree(content.folder, ignore_errors=True)

    def describe(self) -> list[dict[str, object]]:
        """Name what lies on the disk now, apart from the template: nothing, when all are deleted."""
        kinds = ("servers", "backups", "snapshots")
        folders = (path for kind in kinds for path in (self._folder / kind).glob("*"))
        return [{"id": str(path.relative_to(self._folder))} for path in folders]

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        for one in self.all():
            one.close()
        for one in self.all():
            one.join()
        if "_site" in vars(self):
            self._site.supervision.close()
        self._addresses.close()
        shutil.rmtree(self._folder, ignore_errors=True)
