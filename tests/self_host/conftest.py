"""The self-hosted engine that these tests run against: one for all, and one of its own where it is torn."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from integration.durable.process import free_port
from self_host.composed import SelfHost, require_docker
from self_host.native import NativeEngine, programs
from self_host.postgresql import HOME


def _require() -> None:
    missing = []
    if not programs().is_dir():
        missing.append("Temporal's server (`.ci/self-host-images programs` builds it)")
    if not list(HOME.glob("*/bin/postgres")):
        missing.append("PostgreSQL's server (Debian's package postgresql)")
    if missing and os.environ.get("CI"):
        pytest.fail(f"missing: {', '.join(missing)}")
    if missing:
        pytest.skip(f"missing: {', '.join(missing)}")


def _engine(folder: Path) -> Iterator[NativeEngine]:
    _require()
    folder.chmod(0o755)  # the database's own user passes through
    engine = NativeEngine(folder)
    try:
        engine.make()
        yield engine
    finally:
        engine.end()


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NativeEngine]:
    yield from _engine(tmp_path_factory.mktemp("engine"))


@pytest.fixture
def own_engine(tmp_path: Path) -> Iterator[NativeEngine]:
    """Give one that a test may back up, lose and restore."""
    folder = tmp_path / "engine"
    folder.mkdir()
    yield from _engine(folder)


@pytest.fixture(scope="session")
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
