"""What a run made on this host goes, whoever removes it; nothing else does."""

from pathlib import Path

from integration.drill.postgres.conftest import History
from integration.drill.postgres.drilling import prepared, request, silent
from integration.drill.postgres.sources import SourceServer, binaries

from steadfleet_activities.drill.postgres.folders import claim, remove_abandoned, remove_run
from steadfleet_activities.drill.postgres.processes import pids_below
from steadfleet_activities.drill.postgres.programs import Programs
from steadfleet_activities.drill.postgres.stores import PostgresStores
from steadfleet_ports.lease import Owner


async def test_nothing_is_left_of_a_run_that_is_discarded(
    source: SourceServer, history: History, stores: PostgresStores, tmp_path: Path
) -> None:
    store = source.store(history.folder)
    drill = await prepared(stores, store)
    await stores.restore(store, request(drill), silent)
    folder = tmp_path / "drills"
    assert pids_below(folder)
    other = claim(folder, "another", "orders", None, Programs(binaries()))

    assert await stores.discard(drill.run)
    assert not await stores.discard(drill.run)

    assert not pids_below(folder)
    assert list(folder.iterdir()) == [other.parent]
    assert source.words()


async def test_a_worker_that_begins_removes_what_closed_drills_left(tmp_path: Path) -> None:
    programs, folder = Programs(binaries()), tmp_path / "drills"
    closed, open_ = (Owner(workflow=f"drill/orders/{n}", run="r") for n in (1, 2))
    claim(folder, "closed", "orders", closed, programs)
    claim(folder, "open", "orders", open_, programs)
    claim(folder, "unknown", "orders", None, programs)
    (folder / "foreign").mkdir()

    async def has_closed(owner: Owner) -> bool:
        return owner == closed

    assert await remove_abandoned(folder, has_closed) == ["closed"]
    assert await remove_abandoned(folder, has_closed) == []
    assert {path.name for path in folder.iterdir()} == {"open", "unknown", "foreign"}
    assert await remove_abandoned(tmp_path / "nowhere", has_closed) == []
    assert not remove_run(folder, "foreign")
