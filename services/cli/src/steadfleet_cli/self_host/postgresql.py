"""PostgreSQL's own programs, which make and read dumps."""

import subprocess
import time
from pathlib import Path
from typing import IO

from steadfleet_cli.self_host.installation import Installation, SelfHostError

_USERS = (
    "select distinct usename || ' from ' || coalesce(host(client_addr), 'this host') from pg_stat_activity"
    " where datname = '{}' and backend_type = 'client backend'"
)
_OWNER = "select pg_get_userbyid(datdba) from pg_database where datname = '{}'"
_AS_MADE = "encoding 'UTF8' locale 'C' template template0"
"""As deploy/self-host/postgresql makes them."""
_GONE_WITHIN = 10.0


class PostgreSql:
    def __init__(self, installation: Installation) -> None:
        self._installation = installation

    def ask(self, database: str, statement: str) -> str:
        """Run a statement as one transaction; return its rows, a line each."""
        return self._run("psql", "-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", database, "-c", statement)

    def version(self) -> str:
        return self.ask("postgres", "show server_version")

    def exists(self, database: str) -> bool:
        return bool(self.owner(database))

    def owner(self, database: str) -> str:
        return self.ask("postgres", _OWNER.format(database))

    def users(self, database: str) -> str:
        """Say who is connected; those that have just left are given a moment to be gone."""
        deadline = time.monotonic() + _GONE_WITHIN
        while (users := self.ask("postgres", _USERS.format(database))) and time.monotonic() < deadline:
            time.sleep(0.2)
        return ", ".join(users.splitlines())

    def dump(self, database: str, file: Path) -> None:
        with file.open("xb") as out:
            self._run("pg_dump", "-Fc", "-d", database, stdout=out)

    def contents(self, file: Path) -> str:
        """Read the whole dump, and return its list of contents."""
        with file.open("rb") as dump:
            listed = self._run("pg_restore", "--list", stdin=dump)
        with file.open("rb") as dump, Path("/dev/null").open("wb") as nowhere:
            self._run("pg_restore", "--file=-", stdin=dump, stdout=nowhere)
        return listed

    def restore(self, file: Path, database: str, owner: str) -> None:
        """Make a database of what was dumped; one that exists is refused by PostgreSQL."""
        self.ask("postgres", f'create database "{database}" owner "{owner}" {_AS_MADE}')
        with file.open("rb") as dump:
            self._run("pg_restore", "--exit-on-error", "-d", database, stdin=dump)

    def rename(self, database: str, name: str) -> None:
        self.ask("postgres", f'alter database "{database}" rename to "{name}"')

    def _run(
        self, program: str, *words: str, stdin: IO[bytes] | None = None, stdout: IO[bytes] | None = None
    ) -> str:
        argv = [*self._installation.postgresql(program), *words]
        try:
            ran = subprocess.run(  # noqa: S603  # PostgreSQL's own programs
                argv,
                stdin=stdin or subprocess.DEVNULL,
                stdout=stdout or subprocess.PIPE,
                stderr=subprocess.PIPE,
                check=False,
            )
        except OSError as error:
            raise SelfHostError(
                f"{argv[0]} cannot be run: {error.strerror}; install it, or correct PATH"
            ) from error
        if ran.returncode:
            said = ran.stderr.decode(errors="replace").strip()
            raise SelfHostError(f"{program} ended with {ran.returncode}: {said or 'without a word'}")
        return (ran.stdout or b"").decode().strip()
