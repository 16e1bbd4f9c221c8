"""A cloud of process machines with SSH, a cloud of Docker machines, and a Docker engine."""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest
from integration.image.examining.bench import SSH, Bench
from python_on_whales import DockerClient
from python_on_whales.exceptions import DockerException
from unit.activities.image.examining.workbench import MemoryStore

from steadfleet_activities.image.examining.ssh import SSH_PORT
from steadfleet_local_cloud import LocalCloud
from steadfleet_local_cloud.base_image import BaseImage, ensure_base_image
from steadfleet_local_cloud.engine import Engine
from steadfleet_local_cloud.errors import EngineError

TESTS = Path(__file__).parents[3]

_SERVER = f"""\
import os, sys, threading
sys.path.insert(0, {str(TESTS)!r})
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from fakes.ssh import FakeSshServer

address = os.environ["ADDRESS"]
web = ThreadingHTTPServer((address, int(os.environ["PORT"])), SimpleHTTPRequestHandler)
threading.Thread(target=web.serve_forever, daemon=True).start()
FakeSshServer(address, {SSH}).serve()
"""


def missing(what: str) -> NoReturn:
    """Skip for what this machine lacks; in CI nothing may be lacking."""
    if os.environ.get("CI"):
        pytest.fail(f"missing: {what}")
    pytest.skip(f"needs {what}")


@pytest.fixture
def cloud() -> Iterator[LocalCloud]:
    """Give a platform that ignores client tokens: what is looked for first is what counts."""
    with LocalCloud(machines="process", client_tokens=False) as cloud:
        yield cloud


@pytest.fixture
def bench(cloud: LocalCloud, tmp_path: Path) -> Bench:
    """Have an image whose machines serve a folder by HTTP, and let anybody with a key in by SSH."""
    folder = tmp_path / "image"
    folder.mkdir()
    (folder / "server.py").write_text(_SERVER)
    (folder / "run").write_text(f"#!/bin/sh\nexec {sys.executable} server.py\n")
    (folder / "run").chmod(0o755)
    (folder / "hello.txt").write_text("welcome\n")
    return Bench(cloud, cloud.register_image("web-1.4.2", folder), tmp_path)


@pytest.fixture
def engine() -> DockerClient:
    engine = DockerClient()
    try:
        engine.container.list()
    except DockerException as error:
        missing(f"a Docker engine: {error.stderr}")
    return engine


@pytest.fixture
def debian() -> BaseImage:
    """Have a small Debian in the engine."""
    try:
        engine = Engine.connect()
    except EngineError as error:
        missing(f"a Docker engine ({error})")
    base = BaseImage.of_this_system()
    if not (engine.docker.image.exists(base.tag) or base.tarball.exists() or shutil.which("mmdebstrap")):
        missing("mmdebstrap, to make the base image")
    return ensure_base_image(engine)


@pytest.fixture
def docker_cloud(tmp_path: Path, debian: BaseImage) -> Iterator[LocalCloud]:
    with LocalCloud(state=tmp_path / "state", machines="docker", probe_scale=0.05) as cloud:
        yield cloud


@pytest.fixture
def docker_bench(docker_cloud: LocalCloud, tmp_path: Path) -> Bench:
    """Have an image whose machines are small Debians with OpenSSH and the example's web server."""
    release = TESTS.parent / "examples" / "web" / "good-1.0"
    return Bench(docker_cloud, docker_cloud.register_image("web-1.4.2", release), tmp_path, SSH_PORT)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()
