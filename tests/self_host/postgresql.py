"""A PostgreSQL server of Debian's packages: the wheel's has not the extension that visibility needs."""

import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from steadfleet_local_cloud.postgres import SUPERUSER, Programs

HOME = Path("/usr/lib/postgresql")
PASSWORD = "superuser's own"
_STARTED_WITHIN = 60.0
_CONF = """
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = ''
shared_buffers = 64MB
max_connections = 200
fsync = off
"""


class DebianPrograms(Programs):
    """Debian's, the newest major version that is installed."""

    def __init__(self) -> None:
        [*_, newest] = sorted(HOME.glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
        self.folder = newest.parent


@dataclass
class PostgresServer:
    folder: Path
    port: int
    programs: Programs = field(default_factory=DebianPrograms)
    process: "subprocess.Popen[bytes] | None" = None

    def make(self, role: str, password: str, databases: tuple[str, ...]) -> None:
        self.programs.init(self.folder, PASSWORD)
        self.programs.write(self.folder / "postgresql.conf", _CONF.format(port=self.port))
        self.start()
        self.ask(f"create role {role} login password '{password}'")
        for database in databases:
            self.ask(f"create database {database} owner {role}")

    def start(self) -> None:
        log = (self.folder.parent / "postgresql.log").open("ab")
        with log:
            argv = self.programs.argv("postgres", "-D", self.folder)
            self.process = subprocess.Popen(argv, stdout=log, stderr=log, cwd="/")
        deadline = time.monotonic() + _STARTED_WITHIN
        while subprocess.run(self.command("pg_isready"), capture_output=True, check=False).returncode:
            assert time.monotonic() < deadline, f"PostgreSQL does not start: see {log.name}"
            time.sleep(0.1)

    def stop(self) -> None:
        """Immediately, as a crash: connections are cut, and recovery runs at the next start."""
        if self.process is not None:
            self.programs.run("pg_ctl", "stop", "-D", self.folder, "-m", "immediate")
            self.process.wait()
            self.process = None

    def command(self, program: str) -> list[str]:
        where = ("-h", "127.0.0.1", "-p", str(self.port), "-U", SUPERUSER)
        return ["env", f"PGPASSWORD={PASSWORD}", str(self.programs.folder / program), *where]

    def ask(self, statement: str, database: str = "postgres") -> str:
        argv = [*self.command("psql"), "-XAt", "-v", "ON_ERROR_STOP=1", "-d", database, "-c", statement]
        return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()
