"""A PostgreSQL server for tests: real programs, in a folder of its own, gone when the test ends."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from integration.durable.process import free_port

from steadfleet_local_cloud.postgres import SUPERUSER, Programs

PASSWORD = "for a test"
_SETTINGS = ("listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off", "shared_buffers=16MB")


@dataclass
class Server:
    """One server; `start` and `stop` as often as a test likes, always at the same port."""

    folder: Path
    port: int = field(default_factory=free_port)
    programs: Programs = field(default_factory=Programs)
    process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        options = [word for setting in _SETTINGS for word in ("-c", setting)]
        argv = self.programs.argv("postgres", "-D", self.folder, "-p", str(self.port), *options)
        with self.folder.with_name("server.log").open("ab") as log:
            self.process = subprocess.Popen(argv, cwd="/", stdout=log, stderr=log)
        self._until_up()

    def stop(self) -> None:
        """Stop it as a power cut would: nobody is told."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None
            (self.folder / "postmaster.pid").unlink(missing_ok=True)

    def connect(self, database: str = "postgres", **options: Any) -> "psycopg.Connection[Any]":
        return psycopg.connect(
            host="127.0.0.1",
            port=self.port,
            user=SUPERUSER,
            password=PASSWORD,
            dbname=database,
            autocommit=True,
            **options,
        )

    def run(self, statement: Any, database: str = "postgres") -> list[tuple[Any, ...]]:
        with self.connect(database) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def _until_up(self) -> None:
        deadline = time.monotonic() + 60
        while True:
            try:
                self.connect(connect_timeout=5).close()
            except psycopg.OperationalError:
                assert self.process is not None
                assert self.process.poll() is None, self.folder.with_name("server.log").read_text()
                assert time.monotonic() < deadline, "the server did not come up"
                time.sleep(0.02)
            else:
                return


@contextmanager
def running(folder: Path) -> Iterator[Server]:
    server = Server(folder / "data")
    server.programs.init(server.folder, PASSWORD)
    server.start()
    try:
        yield server
    finally:
        server.stop()
