"""The engine and the workers of deploy/self-host/compose.yaml."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from steadfleet_cli.self_host.installation import Databases, Installation, SelfHostError

WORKERS = ("patch-campaign", "image-build", "dr-drill", "witness", "signer", "janitor")
_DATABASE, _VISIBILITY = "SELF_HOST_DATABASE", "SELF_HOST_VISIBILITY_DATABASE"


@dataclass(frozen=True)
class Compose(Installation):
    """
    A folder like deploy/self-host: its `run` calls docker compose, `secrets` is its SELF_HOST_SECRETS.

    The databases that a restore chose are kept in the latter's `compose.env`.
    """

    folder: Path
    secrets: Path

    @property
    def settings(self) -> Path:
        return self.secrets / "compose.env"

    @property
    def databases(self) -> Databases:
        said = dict(line.split("=", 1) for line in self._lines() if "=" in line)
        usual = Databases()
        return Databases(said.get(_DATABASE, usual.default), said.get(_VISIBILITY, usual.visibility))

    def postgresql(self, program: str) -> list[str]:
        return [*self._compose, "exec", "-T", "postgresql", program, "-U", "postgres"]

    def stop_workers(self) -> None:
        self._do("stop", *WORKERS)

    def start_workers(self) -> None:
        self._do("up", "--detach", "--no-deps", "--wait", *WORKERS)

    def stop_server(self) -> None:
        self._do("stop", "temporal")

    def start_server(self, databases: Databases) -> None:
        self._choose(databases)
        self._do("up", "--detach", "--no-deps", "--wait", "temporal")

    @property
    def _compose(self) -> list[str]:
        return ["env", f"SELF_HOST_SECRETS={self.secrets}", str(self.folder / "run"), "compose"]

    def _do(self, *words: str) -> None:
        ran = subprocess.run(  # noqa: S603  # the installation's own script
            [*self._compose, *words], capture_output=True, text=True, check=False
        )
        if ran.returncode:
            raise SelfHostError(f"`run compose {words[0]}` ended with {ran.returncode}: {ran.stderr.strip()}")

    def _choose(self, databases: Databases) -> None:
        """Write the databases into the settings, whole or not at all."""
        if databases == self.databases:
            return
        others = [line for line in self._lines() if line.split("=")[0] not in {_DATABASE, _VISIBILITY}]
        chosen = [f"{_DATABASE}={databases.default}", f"{_VISIBILITY}={databases.visibility}"]
        scratch = self.settings.with_name(f"{self.settings.name}.new")
        scratch.write_text("\n".join([*others, *chosen]) + "\n")
        scratch.chmod(self.settings.stat().st_mode & 0o777)
        owner = self.settings.stat()
        os.chown(scratch, owner.st_uid, owner.st_gid)
        scratch.replace(self.settings)

    def _lines(self) -> list[str]:
        try:
            return self.settings.read_text().splitlines()
        except OSError as error:
            raise SelfHostError(
                f"{self.settings}: {error.strerror}; `make self-host` makes it, or name another --secrets"
            ) from error
