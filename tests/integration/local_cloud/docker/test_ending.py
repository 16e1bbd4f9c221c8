"""However a local cloud ends, nothing of it stays in the Docker engine."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from integration.local_cloud.aws import RELEASES, Aws
from integration.local_cloud.test_command_line import COMMAND, free_port, gone, refused, run
from integration.local_cloud.waiting import until

from steadfleet_local_cloud import LocalCloud
from steadfleet_local_cloud.engine import Engine

pytestmark = pytest.mark.docker


class Server:
    """A server process with one machine, an image of its own and a network."""

    def __init__(self, folder: Path, engine: Engine) -> None:
        self.endpoint = f"http://127.0.0.1:{free_port()}"
        self._engine = engine
        port = self.endpoint.rpartition(":")[2]
        settings = ["--port", port, "--state", str(folder / "served"), "--machines", "docker"]
        with (folder / "server.log").open("w") as log:
            self.process = subprocess.Popen([COMMAND, "serve", *settings], stderr=log)
        until(self._ready, seconds=120)
        image = run("image", "register", "web", "--from", str(RELEASES / "good-1.0"), endpoint=self.endpoint)
        (self.instance,) = Aws(self.endpoint).launch(image.strip())
        until(lambda: "running" in run("machines", endpoint=self.endpoint), seconds=60)
        labels = engine.docker.container.inspect(self.instance).config.labels or {}
        self.cloud = labels["local-cloud"]

    def sweeper(self) -> int:
        """Find the process that removes what the server leaves."""
        for folder in Path("/proc").glob("[0-9]*"):
            words = (folder / "cmdline").read_bytes().split(b"\0") if gone(int(folder.name)) is False else []
            if self.cloud.encode() in words:
                return int(folder.name)
        raise AssertionError("no sweeper runs")

    def left(self) -> list[str]:
        """Name everything in the engine that bears the cloud's mark."""
        mark = f"--filter=label=local-cloud={self.cloud}"
        listings = (["ps", "--all"], ["network", "ls"], ["images"])
        return [
            name for kind in listings for name in self._engine.call(*kind, "--quiet", mark).stdout.split()
        ]

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(60)

    def _ready(self) -> bool:
        assert self.process.poll() is None, "the server ended"
        try:
            with urlopen(f"{self.endpoint}/_local/health") as answer:
                return bool(json.load(answer)["machines"] == "docker")
        except URLError:
            return False


@pytest.fixture
def server(tmp_path: Path, engine: Engine) -> Iterator[Server]:
    server = Server(tmp_path, engine)
    yield server
    server.end()


def test_a_server_that_ends_in_order_leaves_nothing(server: Server) -> None:
    assert len(server.left()) == 3

    server.process.send_signal(signal.SIGTERM)

    assert server.process.wait(60) == 0
    assert server.left() == []


def test_a_killed_server_leaves_nothing(server: Server) -> None:
    server.process.kill()

    assert until(server.left, lambda left: left == [], seconds=60) == []


def test_a_server_whose_sweeper_was_killed_leaves_nothing(server: Server) -> None:
    os.kill(server.sweeper(), signal.SIGKILL)

    server.process.send_signal(signal.SIGTERM)

    assert server.process.wait(60) == 0
    assert server.left() == []


def test_the_next_cloud_removes_what_a_dead_one_left_and_nothing_of_a_living(
    tmp_path: Path, server: Server, engine: Engine
) -> None:
    with LocalCloud(machines="docker"):
        assert len(server.left()) == 3
    sweeper = server.sweeper()
    os.kill(sweeper, signal.SIGKILL)
    server.process.kill()
    server.process.wait()
    until(partial(gone, sweeper))
    assert len(server.left()) == 3

    with LocalCloud(machines="docker"):
        assert server.left() == []


def test_without_an_engine_docker_is_refused_and_auto_says_why_it_is_not_docker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody")

    said = refused("--machines", "docker", "--port", "0", "--state", str(tmp_path / "state"))
    assert len(said.splitlines()) == 1
    assert "no Docker engine answers" in said
    assert "--machines process" in said
    with LocalCloud(machines="auto") as cloud:
        health = json.loads(urlopen(f"{cloud.endpoint}/_local/health").read())
    assert health["machines"] == "process"
    assert "no Docker engine answers" in health["reason"]


def test_auto_is_docker_where_an_engine_answers(engine: Engine) -> None:
    with LocalCloud(machines="auto") as cloud:
        health = json.loads(urlopen(f"{cloud.endpoint}/_local/health").read())

    assert (health["machines"], health["reason"]) == ("docker", "a Docker engine answers")
    assert health["base_image"].endswith("-base")


def test_a_network_that_something_has_is_refused(cloud: LocalCloud, tmp_path: Path) -> None:
    taken = json.loads(urlopen(f"{cloud.endpoint}/_local/health").read())["network"]

    said = refused(
        "--machines", "docker", "--network", taken, "--port", "0", "--state", str(tmp_path / "other")
    )

    assert f"network {taken} is in use" in said
