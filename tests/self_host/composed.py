"""The compose file as `make self-host` brings it up, with the local cloud in AWS's place."""

import base64
import json
import os
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any

import pytest
from self_host.holders import variables_of

from steadfleet_cli.self_host.compose import WORKERS

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
PROJECT = "steadfleet-test"
STAYING = {"postgresql", "temporal", "ui", "codec-server", "proxy", "prometheus", "local-cloud", *WORKERS}
_SERVES_WITHIN = 180.0
_ENDS_WITHIN = 900.0
# Where the local cloud keeps its state: a folder that a guest shares with it.
_SHARED = "/var/lib/steadfleet/local-cloud"


def require_docker() -> None:
    answer = subprocess.run(["docker", "info"], capture_output=True, text=True, check=False)
    missing = "" if answer.returncode == 0 else "a Docker engine"
    if not missing and not _image("temporalio/server:1.32.0"):
        missing = "the images (`.ci/self-host-images` builds them)"
    if missing:
        pytest.fail(f"missing: {missing}") if os.environ.get("CI") else pytest.skip(f"missing: {missing}")


def _image(name: str) -> bool:
    return bool(subprocess.run(["docker", "images", "-q", name], capture_output=True, check=False).stdout)


@dataclass(frozen=True)
class SelfHost:
    secrets: Path
    engine_port: int
    proxy_port: int

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {
            "SELF_HOST_SECRETS": str(self.secrets),
            "SELF_HOST_REHEARSAL": "1",
            "COMPOSE_PROJECT_NAME": PROJECT,
            "ENGINE_PORT": str(self.engine_port),
            "PROXY_PORT": str(self.proxy_port),
        }

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(ROOT / "deploy" / "self-host" / "run"), *arguments]
        return subprocess.run(
            command, env=self.environment, capture_output=True, text=True, check=False, timeout=1500
        )

    def services(self) -> dict[str, dict[str, Any]]:
        listed = self.run("compose", "ps", "--all", "--format", "json")
        assert listed.returncode == 0, listed.stderr
        return {one["Service"]: one for one in map(json.loads, listed.stdout.splitlines())}

    def temporal(self, role: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Call Temporal's command line as a person does who sourced the role's file."""
        script = f'source "{self.secrets}/{role}.env" && exec "{BIN}/temporal" "$@"'
        return subprocess.run(
            ["bash", "-c", script, "temporal", *arguments],
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip

    def page(
        self, path: str, role: str | None = None, method: str = "GET", **headers: str
    ) -> tuple[int, str]:
        trusted = ssl.create_default_context(cafile=self.secrets / "authority" / "cluster.crt")
        with closing(
            HTTPSConnection("localhost", self.proxy_port, context=trusted, timeout=30)
        ) as connection:
            connection.request(method, path, headers=headers | self.password(role))
            answer = connection.getresponse()
            return answer.status, answer.read().decode()

    def password(self, role: str | None) -> dict[str, str]:
        if role is None:
            return {}
        passwords = dict(line.split() for line in (self.secrets / "ui-passwords").read_text().splitlines())
        said = base64.b64encode(f"{role}:{passwords[role]}".encode()).decode()
        return {"Authorization": f"Basic {said}"}

    def variables(self, role: str) -> dict[str, str]:
        return variables_of(self.secrets, self.engine_port, role)

    # -- what happens to it

    def pid(self, service: str) -> int:
        """Return the process of a service's container, as this machine numbers it."""
        container = self.services()[service]["ID"]
        told = subprocess.run(
            ["docker", "inspect", "--format", "{{.State.Pid}}", container],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        return int(told.stdout)

    def kill(self, service: str) -> None:
        """End the process with SIGKILL, not the container: its restart policy is what brings it back."""
        before = self.pid(service)
        os.kill(before, signal.SIGKILL)
        until(lambda: self.pid(service) not in {0, before}, f"{service} runs again")

    def renew(self, what: str) -> None:
        made = [sys.executable, str(ROOT / "deploy" / "self-host" / "prepare.py"), str(self.secrets)]
        subprocess.run([*made, "--renew", what], check=True, capture_output=True)

    def shown_certificate(self) -> str:
        """Return what the engine shows to whoever connects."""
        return ssl.get_server_certificate(("localhost", self.engine_port))

    def command(self, role: str, *argv: str) -> subprocess.CompletedProcess[str]:
        """Run one of our commands as a person does who sourced the role's file."""
        script = f'source "{self.secrets}/{role}.env" && exec "{BIN}/$0" "$@"'
        return subprocess.run(
            ["bash", "-c", script, *argv],
            env=self.environment, cwd=ROOT, capture_output=True, text=True, check=False,
            timeout=_ENDS_WITHIN,
        )  # fmt: skip

    def ask(self, what: str) -> Any:
        """Ask the local cloud, which listens inside of its container alone."""
        asking = f"import urllib.request as u; print(u.urlopen('http://127.0.0.1:4566/_local/{what}').read().decode())"
        told = self.run("compose", "exec", "-T", "local-cloud", "python3", "-c", asking)
        assert told.returncode == 0, told.stderr
        return json.loads(told.stdout)

    @contextmanager
    def guest(self, *argv: str) -> Iterator["subprocess.Popen[str]"]:
        """Run tests/self_host/guest.py beside the local cloud: where its machines are."""
        cloud = self.services()["local-cloud"]["ID"]
        mounts = {
            f"{ROOT}/examples": "/examples:ro",
            f"{ROOT}/tests/self_host/guest.py": "/guest.py:ro",
            str(self.secrets): f"{self.secrets}",
            f"{PROJECT}_local-cloud": _SHARED,
        }
        words = [word for source, target in mounts.items() for word in ("--volume", f"{source}:{target}")]
        told = {"PYTHONPATH": "/examples", "TMPDIR": _SHARED, "HOME": _SHARED, "SECRETS": str(self.secrets)}
        words += [word for name, value in told.items() for word in ("--env", f"{name}={value}")]
        start = ["docker", "run", "--rm", "--user", "1000:1000", "--network", f"container:{cloud}", *words]
        with subprocess.Popen(
            [*start, "steadfleet/local-cloud:0.1.0", "python3", "/guest.py", *argv],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        ) as process:  # fmt: skip
            try:
                yield process
            finally:
                process.terminate()


def until(holds: Callable[[], bool], what: str, within: float = _SERVES_WITHIN) -> None:
    deadline = time.monotonic() + within
    while not holds():
        assert time.monotonic() < deadline, f"not after {within:g} s: {what}"
        time.sleep(0.5)
