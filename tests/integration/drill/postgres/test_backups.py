"""A base backup and its archive, restored by a real server."""

import subprocess
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from integration.drill.postgres.conftest import ALL, History
from integration.drill.postgres.drilling import prepared, request, silent
from integration.drill.postgres.sources import PASSWORD, SourceServer, words_of

from steadfleet_activities.drill.postgres.backups import BackupError, MissingWalError
from steadfleet_activities.drill.postgres.folders import run_folder
from steadfleet_activities.drill.postgres.integrity import DamagedError
from steadfleet_activities.drill.postgres.stores import PostgresStores
from steadfleet_core.drill.plan import RecoveryPoint
from steadfleet_core.errors import NotBuiltError, RefusedError


def files_of(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def flip(path: Path, position: int) -> None:
    content = bytearray(path.read_bytes())
    content[position] ^= 0xFF
    path.write_bytes(content)


def unpacked(backup: Path) -> Path:
    """Turn the tar into a plain base backup."""
    base = backup / "base"
    base.mkdir()
    subprocess.run(["tar", "-xf", backup / "base.tar.gz", "-C", base], check=True)
    (backup / "base.tar.gz").unlink()
    return base


async def test_the_latest_has_every_commit_and_the_copy_writes_into_no_archive(
    source: SourceServer, history: History, stores: PostgresStores, tmp_path: Path
) -> None:
    store = source.store(history.folder)
    drill = await prepared(stores, store)
    archives = [files_of(source.archive), files_of(history.folder / "wal")]

    facts = await stores.restore(store, request(drill), silent)

    port = int(facts["port"])
    assert words_of(port) == ALL
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        words_of(port, "wrong")
    place = {"host": "127.0.0.1", "port": port, "password": PASSWORD, "dbname": "orders", "autocommit": True}
    with psycopg.connect(user="chief", **place) as connection:  # type: ignore[arg-type]
        connection.execute("CREATE TABLE more AS SELECT 1 AS one")
        connection.execute("ALTER SYSTEM SET archive_mode = on")
        connection.execute("SELECT pg_switch_wal()")
        connection.execute("CHECKPOINT")
        assert connection.execute("SHOW archive_mode").fetchone() == ("off",)
        assert connection.execute("SHOW primary_conninfo").fetchone() == ("",)
        assert connection.execute("SHOW max_logical_replication_workers").fetchone() == ("0",)
        assert connection.execute("SHOW listen_addresses").fetchone() == ("127.0.0.1",)
    assert archives == [files_of(source.archive), files_of(history.folder / "wal")]
    assert facts["relations"] == facts["relations_read"] != "0"
    assert facts["data_checksums"] == "on"
    assert drill.store("orders").point is not None
    assert facts["last_commit"] == drill.store("orders").point.isoformat()  # type: ignore[union-attr]


async def test_a_moment_between_two_commits_has_the_one_before_alone(
    source: SourceServer, backup: Path, history: History, stores: PostgresStores
) -> None:
    unpacked(backup)
    store = source.store(backup)
    drill = await prepared(stores, store, point=RecoveryPoint(at=history.between))

    facts = await stores.restore(store, request(drill), silent)

    assert words_of(int(facts["port"])) == ["first", "second"]
    assert facts["recovered_to"] == history.between.isoformat()


async def test_a_random_moment_is_one_that_the_archive_has(
    source: SourceServer, history: History, stores: PostgresStores
) -> None:
    store = source.store(history.folder)
    latest = (await prepared(stores, store)).store("orders").point

    for _ in range(3):
        point = RecoveryPoint(random_within=timedelta(days=3))
        chosen = (await prepared(stores, store, point=point)).store("orders").point
        assert chosen is not None
        assert latest is not None
        assert latest - timedelta(minutes=10) < chosen < latest


async def test_a_gap_in_the_archive_is_named_and_nothing_is_brought_up(
    source: SourceServer, backup: Path, history: History, stores: PostgresStores, tmp_path: Path
) -> None:
    store = source.store(backup)
    drill = await prepared(stores, store)
    (backup / "wal" / history.segments[1]).unlink()

    with pytest.raises(MissingWalError, match=history.segments[1]):
        await stores.restore(store, request(drill), silent)
    with pytest.raises(MissingWalError, match=history.segments[1]):
        await prepared(stores, store)
    assert not (run_folder(tmp_path / "drills", drill.run) / "orders" / "data").exists()


async def test_an_archive_that_ends_before_the_moment_asked_for_is_not_taken_for_it(
    source: SourceServer, backup: Path, history: History, stores: PostgresStores
) -> None:
    store = source.store(backup)
    point = RecoveryPoint(at=history.between)
    drill = await prepared(stores, store, point=point)
    (backup / "wal" / history.segments[1]).unlink()

    with pytest.raises(MissingWalError, match=rf"ends before .*{history.segments[1]} is not there"):
        await stores.restore(store, request(drill), silent)
    with pytest.raises(BackupError, match="cannot be restored to"):
        await prepared(stores, store, point=point)


async def test_a_damaged_segment_is_not_taken_for_the_end(
    source: SourceServer, backup: Path, history: History, stores: PostgresStores, tmp_path: Path
) -> None:
    store = source.store(backup)
    drill = await prepared(stores, store)
    flip(backup / "wal" / history.segments[1], 60)

    with pytest.raises(MissingWalError, match=rf"goes on to {history.segments[2]}.* is damaged"):
        await stores.restore(store, request(drill), silent)
    assert not (run_folder(tmp_path / "drills", drill.run) / "orders" / "data").exists()


async def test_a_damaged_base_backup_is_refused(
    source: SourceServer, backup: Path, stores: PostgresStores
) -> None:
    base = unpacked(backup)
    flip(next(path for path in (base / "base").glob("*/*") if path.stat().st_size > 8192), 5000)
    store = source.store(backup)
    drill = await prepared(stores, store)

    with pytest.raises(BackupError, match=r"is not what its manifest says.*checksum mismatch"):
        await stores.restore(store, request(drill), silent)


async def test_damage_that_no_manifest_could_tell_is_found_by_reading(
    source: SourceServer, backup: Path, stores: PostgresStores
) -> None:
    base = unpacked(backup)
    (base / "backup_manifest").unlink(missing_ok=True)
    (backup / "backup_manifest").unlink()
    ((path,),) = source.ask("SELECT pg_relation_filepath('pg_ts_config_map')", "orders")
    flip(base / path, 5000)
    store = source.store(backup)
    drill = await prepared(stores, store)

    with pytest.raises(DamagedError, match=r"pg_ts_config_map of database orders cannot be read"):
        await stores.restore(store, request(drill), silent)


async def test_a_base_backup_that_is_cut_off_is_refused(
    source: SourceServer, backup: Path, stores: PostgresStores
) -> None:
    store = source.store(backup)
    drill = await prepared(stores, store)
    tar = backup / "base.tar.gz"
    tar.write_bytes(tar.read_bytes()[:-100_000])

    with pytest.raises(BackupError, match="cannot be unpacked"):
        await stores.restore(store, request(drill), silent)


async def test_a_folder_that_is_not_ours_is_refused_and_left_alone(
    source: SourceServer, history: History, stores: PostgresStores, tmp_path: Path
) -> None:
    store = source.store(history.folder)
    drill = await prepared(stores, store)
    foreign = run_folder(tmp_path / "drills", drill.run)
    foreign.mkdir(parents=True)
    (foreign / "precious").write_text("data")

    with pytest.raises(RefusedError, match="is not this drill's"):
        await stores.restore(store, request(drill), silent)
    assert not await stores.discard(drill.run)
    assert files_of(foreign) == ["precious"]


@pytest.mark.parametrize(
    ("place", "error", "words"),
    [
        ("s3://bucket/orders", NotBuiltError, "cannot be restored by this release"),
        ("backups/orders", BackupError, "full path"),
        ("/nowhere/orders", BackupError, "there is no backup at /nowhere/orders"),
    ],
)
async def test_a_backup_that_cannot_be_read_here_is_refused(
    source: SourceServer, stores: PostgresStores, place: str, error: type[RefusedError], words: str
) -> None:
    store = source.store().model_copy(update={"backup": place})

    with pytest.raises(error, match=words):
        await prepared(stores, store)
