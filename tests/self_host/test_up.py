"""The compose file, brought up once as `make self-host` does, with the local cloud in AWS's place."""

import base64
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
WORKERS = ["patch-campaign", "image-build", "dr-drill", "witness", "signer", "janitor"]
STAYING = {"postgresql", "temporal", "ui", "codec-server", "proxy", "prometheus", "local-cloud", *WORKERS}

pytestmark = [pytest.mark.self_host, pytest.mark.timeout(1800)]


def require_docker() -> None:
    answer = subprocess.run(["docker", "info"], capture_output=True, text=True, check=False)
    missing = "" if answer.returncode == 0 else "a Docker engine"
    if not missing and not _image("temporalio/server:1.32.0"):
        missing = "the images (`.ci/self-host-images` builds them)"
    if missing:
        pytest.fail(f"missing: {missing}") if os.environ.get("CI") else pytest.skip(f"missing: {missing}")


def _image(name: str) -> bool:
    return bool(subprocess.run(["docker", "images", "-q", name], capture_output=True, check=False).stdout)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


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
            "COMPOSE_PROJECT_NAME": "steadfleet-test",
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
            connection.request(method, path, headers=headers | self._password(role))
            answer = connection.getresponse()
            return answer.status, answer.read().decode()

    def _password(self, role: str | None) -> dict[str, str]:
        if role is None:
            return {}
        passwords = dict(line.split() for line in (self.secrets / "ui-passwords").read_text().splitlines())
        said = base64.b64encode(f"{role}:{passwords[role]}".encode()).decode()
        return {"Authorization": f"Basic {said}"}


@pytest.fixture(scope="module")
def self_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SelfHost]:
    require_docker()
    folder = tmp_path_factory.mktemp("self-host")
    for parent in (folder, *folder.parents[:2]):
        parent.chmod(0o755)  # the containers' user passes through
    host = SelfHost(folder / "secrets", free_port(), free_port())
    try:
        up = host.run("up")
        assert up.returncode == 0, up.stderr + host.run("compose", "logs", "--tail", "30").stdout
        yield host
    finally:
        host.run("down", "--volumes")
        shutil.rmtree(host.secrets, ignore_errors=True)


def test_everything_becomes_healthy_and_the_jobs_end_well(self_host: SelfHost) -> None:
    services = self_host.services()
    assert {name for name, one in services.items() if one["Health"] == "healthy"} == STAYING
    ended = {name: one["ExitCode"] for name, one in services.items() if one["State"] == "exited"}
    assert ended == {"schema": 0, "namespace": 0, "buckets": 0}


def test_a_second_up_changes_nothing(self_host: SelfHost) -> None:
    before = {name: one["ID"] for name, one in self_host.services().items() if name in STAYING}
    assert self_host.run("up").returncode == 0
    assert {name: one["ID"] for name, one in self_host.services().items() if name in STAYING} == before


def test_only_two_ports_are_published_and_on_loopback(self_host: SelfHost) -> None:
    published = {
        (publisher["URL"], publisher["PublishedPort"])
        for one in self_host.services().values()
        for publisher in one["Publishers"] or []
        if publisher["PublishedPort"]
    }
    assert published == {("127.0.0.1", self_host.engine_port), ("127.0.0.1", self_host.proxy_port)}


def test_the_namespace_has_its_retention_and_every_search_attribute(self_host: SelfHost) -> None:
    described = self_host.temporal("viewer", "operator", "namespace", "describe", "-n", "steadfleet")
    assert "720h" in described.stdout, described.stderr
    listed = self_host.temporal("admin", "operator", "search-attribute", "list")
    assert listed.stdout.count("Sf") == 9, listed.stderr


def test_an_operator_may_start_and_a_viewer_may_only_look(self_host: SelfHost) -> None:
    start = ("workflow", "start", "--type", "None", "--task-queue", "nobody", "--workflow-id", "by-a-person")
    refused = self_host.temporal("viewer", *start)
    assert refused.returncode != 0
    assert "unauthorized" in refused.stderr.lower()
    assert self_host.temporal("operator", *start).returncode == 0
    assert self_host.temporal("viewer", "workflow", "describe", "-w", "by-a-person").returncode == 0


@pytest.mark.parametrize("path", ["/", "/api/v1/namespaces", "/prometheus/", "/codec/decode"])
def test_nobody_passes_the_proxy_without_a_password(self_host: SelfHost, path: str) -> None:
    assert self_host.page(path)[0] == 401


def test_the_web_ui_shows_what_the_persons_own_role_may_see(self_host: SelfHost) -> None:
    status, page = self_host.page("/", "viewer")
    assert (status, "<html" in page) == (200, True)
    assert self_host.page("/api/v1/namespaces/steadfleet/workflows", "viewer")[0] == 200
    terminate = "/api/v1/namespaces/steadfleet/workflows/by-a-person/terminate"
    assert self_host.page(terminate, "viewer", "POST")[0] == 403


def test_another_site_cannot_make_a_browser_terminate(self_host: SelfHost) -> None:
    terminate = "/api/v1/namespaces/steadfleet/workflows/never-was/terminate"
    foreign = self_host.page(terminate, "operator", "POST", **{"Sec-Fetch-Site": "cross-site"})
    own = self_host.page(terminate, "operator", "POST", **{"Sec-Fetch-Site": "same-origin"})
    assert (foreign[0], own[0]) == (403, 404)


def test_prometheus_sees_the_server_and_every_worker(self_host: SelfHost) -> None:
    def health() -> dict[str, str]:
        _, answer = self_host.page("/prometheus/api/v1/targets", "viewer")
        return {
            one["labels"]["instance"]: one["health"] for one in json.loads(answer)["data"]["activeTargets"]
        }

    while set(health().values()) != {"up"}:  # until it has looked: the test's own time limit ends it
        time.sleep(1)
    assert len(health()) == 1 + len(WORKERS)


def test_no_process_runs_as_root(self_host: SelfHost) -> None:
    for name in STAYING:
        told = self_host.run("compose", "exec", "-T", name, "id", "-u")
        assert told.stdout.strip() not in {"", "0"}, name
