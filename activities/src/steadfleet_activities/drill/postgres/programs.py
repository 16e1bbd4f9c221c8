"""PostgreSQL's own programs: where they are, and how to run them although we may be root."""

import os
import pwd
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from pathlib import Path

from steadfleet_activities.image.examining.processes import run_process
from steadfleet_core.errors import RefusedError
from steadfleet_durable import unbroken

BIN = "STEADFLEET_POSTGRES_BIN"
NEEDED = ("postgres", "pg_ctl", "pg_controldata", "pg_basebackup", "pg_verifybackup", "pg_waldump")
_MOST = 32 * 1024 * 1024
_SAID = 1500
_BRIEF = timedelta(minutes=1)
_CAPABILITIES = {2: "dac_read_search", 1: "dac_override"}  # by bit: to read backups that only root may


class ProgramError(Exception):
    """A program failed; it may go better another time.

    `said` is what it wrote last on standard error, `written` what it wrote on standard output before.
    """

    def __init__(self, program: str, status: int | None, said: str, written: str = "") -> None:
        ended = "took too long" if status is None else f"failed with {status}"
        super().__init__(f"{program} {ended}: {said or 'it said nothing'}")
        self.said = said
        self.written = written


@dataclass(frozen=True)
class Account:
    """Who PostgreSQL runs as: it refuses root."""

    name: str
    uid: int
    gid: int


class Programs:
    """Runs them in folders that belong to whoever runs them; no secret is in their arguments."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder

    @classmethod
    def from_environment(cls, env: Mapping[str, str]) -> "Programs":
        """Take them from the folder that STEADFLEET_POSTGRES_BIN names, else from PATH."""
        return cls(Path(env[BIN]) if env.get(BIN) else None)

    @cached_property
    def account(self) -> Account | None:
        """Who they run as if we are root: `postgres` if there is one, else `nobody`; None is ourselves."""
        if os.geteuid() != 0:
            return None
        known = {user.pw_name: user for user in pwd.getpwall()}
        user = known.get("postgres") or known["nobody"]
        return Account(user.pw_name, user.pw_uid, user.pw_gid)

    def missing(self) -> tuple[str, ...]:
        return tuple(name for name in NEEDED if self._find(name) is None)

    async def major(self) -> int:
        """Return the server's major version; RefusedError if there is none."""
        said = await self.run("postgres", "--version", cwd=Path("/"), limit=_BRIEF)
        found = re.search(r"\) (\d+)", said)
        if found is None:
            raise RefusedError(f"postgres --version said {said.strip()!r}: expected a version of PostgreSQL")
        return int(found[1])

    async def run(
        self,
        program: str,
        *arguments: str | Path,
        cwd: Path,
        limit: timedelta,
        env: Mapping[str, str] | None = None,
    ) -> str:
        """Run one to its end; what it wrote. ProgramError if it fails; ends with us, if we are killed."""
        argv = [*self._as_account(), self._path(program), *(str(one) for one in arguments)]
        surroundings = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", **(env or {})}
        ran = await run_process(argv, limit, most=_MOST, env=surroundings, cwd=cwd)
        if ran.exit_status != 0:
            raise ProgramError(program, ran.exit_status, str(ran.stderr).strip()[-_SAID:], str(ran.stdout))
        return str(ran.stdout)

    def own(self, path: Path) -> Path:
        """Give a file or folder to whom they run as."""
        if self.account is not None:
            os.chown(path, self.account.uid, self.account.gid, follow_symlinks=False)
        return path

    def write(self, path: Path, text: str) -> None:
        """Replace a file, readable to the server alone, at once or not at all."""
        part = path.with_name(f".{path.name}.part")
        part.unlink(missing_ok=True)
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)
        self.own(part).rename(path)

    async def unpack(self, tar: Path, target: Path, limit: timedelta) -> None:
        """Unpack an archive into an existing folder, as the account."""
        await self.run("tar", "--extract", "--file", tar, "--directory", target, cwd=target, limit=limit)

    async def copy(self, source: Path, target: Path, limit: timedelta) -> None:
        await self.run("cp", "-a", "--reflink=auto", f"{source}/.", target, cwd=target, limit=limit)

    async def remove(self, folder: Path) -> None:
        await unbroken(shutil.rmtree, folder, ignore_errors=True)

    def _path(self, program: str) -> str:
        found = self._find(program)
        if found is None:
            where = self._folder or "PATH"
            raise RefusedError(
                f"{program} is not in {where}: expected PostgreSQL's programs of the source's major version; "
                f"install them on the drill worker's host and set {BIN} to their folder"
            )
        return found

    def _find(self, program: str) -> str | None:
        own = program.startswith(("pg_", "postgres"))
        return shutil.which(program, path=str(self._folder) if own and self._folder else None)

    def _as_account(self) -> list[str]:
        """Become the account, and end with our parent; a server leaves both to its own start."""
        setpriv = shutil.which("setpriv")
        if setpriv is None:
            if self.account is None:
                return []
            raise RefusedError(
                "setpriv is not in PATH: expected it (util-linux) where the worker runs as root"
            )
        argv = [setpriv, "--pdeathsig", "KILL"]
        if self.account is None:
            return argv
        argv += [f"--reuid={self.account.uid}", f"--regid={self.account.gid}", "--clear-groups"]
        if capability := _capability():
            argv += [f"--inh-caps=-all,+{capability}", f"--ambient-caps=+{capability}"]
        return argv


def _capability() -> str | None:
    lines = Path("/proc/self/status").read_text().splitlines()
    held = next(int(line.split()[1], 16) for line in lines if line.startswith("CapPrm"))
    return next((name for bit, name in _CAPABILITIES.items() if held >> bit & 1), None)
