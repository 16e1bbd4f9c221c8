"""The self-hosted engine that these tests run against: one for all, and one of its own where it is torn."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
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
