"""What will fail is predicted, by looking."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from integration.drill.postgres.conftest import History, secrets_of
from integration.drill.postgres.drilling import inspection, prepared
from integration.drill.postgres.sources import PASSWORD, SourceServer, binaries

from steadfleet_activities.drill.drivers import Inspected
from steadfleet_activities.drill.postgres.programs import Programs
from steadfleet_activities.drill.postgres.stores import PostgresStores
from steadfleet_core.drill.plan import Strategy


def blocking(inspected: Inspected) -> str:
    return "\n".join(finding.what for finding in inspected.findings if finding.blocks)


async def test_a_good_backup_and_a_good_source_have_no_findings_and_nothing_is_made(
    source: SourceServer, history: History, stores: PostgresStores, tmp_path: Path
) -> None:
    restored, live = source.store(history.folder), source.store()
    drills = [await prepared(stores, restored), await prepared(stores, live, Strategy.PILOT_LIGHT)]

    found = [
        await stores.inspect(store, inspection(drill))
        for store, drill in zip((restored, live), drills, strict=True)
    ]

    assert [one.findings for one in found] == [(), ()]
    assert all(one.checked for one in found)
    assert not (tmp_path / "drills").exists()


async def test_a_gap_an_old_archive_and_a_cut_manifest_are_found(
    source: SourceServer, backup: Path, history: History, stores: PostgresStores
) -> None:
    store = source.store(backup)
    drill = await prepared(stores, store)
    (backup / "wal" / history.segments[1]).unlink()
    manifest = backup / "backup_manifest"
    manifest.write_text(manifest.read_text().replace('"Size": 3', '"Size": 4', 1))

    found = await stores.inspect(store, inspection(drill, datetime.now(UTC) + timedelta(days=1)))

    assert history.segments[1] in blocking(found)
    assert "does not match its own checksum" in blocking(found)
    assert {finding.predicts for finding in found.findings} == {"restore orders"}
    (old,) = [finding for finding in found.findings if not finding.blocks]
    assert "more than the RPO of 5m" in old.what


async def test_a_backup_of_another_version_and_missing_programs_are_found(
    source: SourceServer, backup: Path, stores: PostgresStores, tmp_path: Path
) -> None:
    store = source.store(backup)
    drill = await prepared(stores, store)
    newer = Programs(binaries().parent.parent / "pginstall18" / "bin")
    others = [
        PostgresStores(secrets_of(PASSWORD), programs, tmp_path / "drills")
        for programs in (newer, Programs(tmp_path))
    ]

    version, missing = [await one.inspect(store, inspection(drill)) for one in others]

    assert "is of PostgreSQL 16, and the programs on this host are of 18" in blocking(version)
    assert "pg_ctl" in blocking(missing)


async def test_a_source_that_is_not_there_or_lets_nobody_copy_it_is_found(
    source: SourceServer, stores: PostgresStores
) -> None:
    store = source.store()
    gone = store.model_copy(update={"port": 1})
    drill = await prepared(stores, store, Strategy.PILOT_LIGHT)

    nobody = await stores.inspect(gone, inspection(drill))
    source.ask("ALTER ROLE app NOREPLICATION")
    try:
        forbidden = await stores.inspect(store, inspection(drill))
    finally:
        source.ask("ALTER ROLE app REPLICATION")

    assert "127.0.0.1:1 does not answer app" in blocking(nobody)
    assert "it has not the attribute REPLICATION" in blocking(forbidden)
    assert {one.predicts for one in (*nobody.findings, *forbidden.findings)} == {"replicate orders"}
