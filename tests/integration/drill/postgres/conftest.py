"""One source for all tests; every test restores into a folder of its own."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest
from integration.drill.postgres.drilling import RUN
from integration.drill.postgres.sources import PASSWORD, VARIABLE, SourceServer, binaries, copy_of

from steadfleet_activities.drill.postgres.processes import pids_below
from steadfleet_activities.drill.postgres.programs import Programs
from steadfleet_activities.drill.postgres.stores import PostgresStores
from steadfleet_activities.drill.secrets import Secrets

ALL = ["first", "fourth", "second", "third"]


@dataclass(frozen=True)
class History:
    """A backup, and what was committed when: `first` before it, `second`, `between`, `third`."""

    folder: Path
    between: datetime
    segments: tuple[str, ...]


@pytest.fixture(scope="session")
def past(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[SourceServer, History]]:
    server = SourceServer(tmp_path_factory.mktemp("source"))
    try:
        server.begin()
        yield server, _lived(server, tmp_path_factory.mktemp("backups") / "orders")
    finally:
        server.end()


@pytest.fixture
def source(past: tuple[SourceServer, History]) -> SourceServer:
    return past[0]


@pytest.fixture
def history(past: tuple[SourceServer, History]) -> History:
    return past[1]


def _lived(source: SourceServer, folder: Path) -> History:
    source.write("first")
    source.back_up(folder, "-F", "tar", "-z", "-X", "none")
    source.write("second")
    between = source.now()
    segments = [source.switch()]
    for word in ("third", "fourth"):
        source.write(word)
        segments.append(source.switch())
    copy_of(source.archive, folder / "wal")
    return History(folder, between, tuple(segments))


@pytest.fixture
def backup(history: History, tmp_path: Path) -> Path:
    """Give a backup of one's own, to damage."""
    return copy_of(history.folder, tmp_path / "backup")


def secrets_of(password: str) -> Secrets:
    return Secrets({VARIABLE: password}, lambda _region, name: name)


@pytest.fixture
async def stores(tmp_path: Path) -> AsyncIterator[PostgresStores]:
    folder = tmp_path / "drills"
    driver = PostgresStores(secrets_of(PASSWORD), Programs(binaries()), folder)
    yield driver
    await driver.discard(RUN)
    assert not pids_below(folder)
