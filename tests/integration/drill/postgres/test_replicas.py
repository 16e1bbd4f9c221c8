"""A live copy of a running source, promoted."""

from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from integration.drill.postgres.conftest import secrets_of
from integration.drill.postgres.drilling import prepared, request, silent
from integration.drill.postgres.sources import PASSWORD, SourceServer, binaries, words_of

from steadfleet_activities.drill.postgres.folders import run_folder
from steadfleet_activities.drill.postgres.programs import Programs
from steadfleet_activities.drill.postgres.server import NotReadyError, Server
from steadfleet_activities.drill.postgres.stores import ElsewhereError, PostgresStores
from steadfleet_core.drill.plan import Strategy
from steadfleet_core.drill.steps import StepKind
from steadfleet_core.errors import RefusedError

LIVE = Strategy.PILOT_LIGHT
REPLICATE = StepKind.REPLICATE


async def test_a_promoted_copy_has_all_and_is_cut_off_from_its_source(
    source: SourceServer, stores: PostgresStores, tmp_path: Path
) -> None:
    store = source.store()
    drill = await prepared(stores, store, LIVE)
    source.write("copied")
    await stores.replicate(store, request(drill, REPLICATE), silent)
    source.write("followed")
    made = await stores.replicate(store, request(drill, REPLICATE), silent)  # waits for what came since
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        write_to(int(made["port"]), "too soon")

    facts = await stores.restore(store, request(drill), silent)
    again = await stores.restore(store, request(drill), silent)
    source.write("after")

    assert facts == again
    words = words_of(int(facts["port"]))
    assert {"copied", "followed"} <= set(words)
    assert "after" not in words
    write_to(int(facts["port"]), "recovered")
    assert sorted([*words, "after"]) == source.words()
    assert source.ask("SELECT count(*) FROM pg_stat_replication") == [(0,)]
    assert source.ask("SELECT count(*) FROM pg_replication_slots") == [(0,)]
    orders = run_folder(tmp_path / "drills", drill.run) / "orders"
    assert "primary_conninfo = ''" in (orders / "data" / "postgresql.conf").read_text()
    kept = [path.read_text(errors="replace") for path in orders.glob("*") if path.is_file()]
    kept += [(orders / "data" / name).read_text() for name in ("postgresql.conf", "postgresql.auto.conf")]
    assert not [text for text in [*kept, repr(facts)] if PASSWORD in text or "p:w" in text or "p\\:w" in text]


async def test_a_copy_that_had_lost_its_source_lacks_the_later_commits_and_tells(
    source: SourceServer, stores: PostgresStores, tmp_path: Path
) -> None:
    store = source.store()
    drill = await prepared(stores, store, LIVE)
    await stores.replicate(store, request(drill, REPLICATE), silent)
    source.write("heard")
    await stores.replicate(store, request(drill, REPLICATE), silent)
    orders = run_folder(tmp_path / "drills", drill.run) / "orders"
    server = Server(orders, Programs(binaries()), "127.0.0.1", "app")
    await server.ask("SELECT pg_wal_replay_pause()")
    source.write("received")
    hasty = store.model_copy(update={"restore_time_limit": timedelta(seconds=1)})
    with pytest.raises(NotReadyError, match="not caught up"):  # it does not pretend
        await stores.replicate(hasty, request(drill, REPLICATE), silent)
    await server.ask("SELECT pg_wal_replay_resume()")
    async with server.connect() as connection:
        await connection.execute("ALTER SYSTEM SET primary_conninfo = ''")
    await server.ask("SELECT pg_reload_conf()")
    source.await_no_follower()
    before = source.now()
    source.write("unheard")

    facts = await stores.restore(store, request(drill), silent)

    words = words_of(int(facts["port"]))
    assert {"heard", "received"} <= set(words)
    assert "unheard" not in words
    assert facts["last_commit"] < before.isoformat()


async def test_a_wrong_password_is_told_without_either(source: SourceServer, tmp_path: Path) -> None:
    stores = PostgresStores(secrets_of("guessed"), Programs(binaries()), tmp_path / "drills")
    store = source.store()
    drill = await prepared(stores, store, LIVE)
    try:
        with pytest.raises(RefusedError, match="expected the password in ORDERS_PASSWORD") as told:
            await stores.replicate(store, request(drill, REPLICATE), silent)
        assert "guessed" not in str(told.value)
    finally:
        assert await stores.discard(drill.run)


async def test_a_copy_on_another_host_is_not_looked_for_here(
    source: SourceServer, stores: PostgresStores
) -> None:
    store = source.store()
    drill = await prepared(stores, store, LIVE)
    elsewhere = request(drill).model_copy(update={"made": {"replicate orders": {"worker_host": "other"}}})

    with pytest.raises(ElsewhereError, match="is on other"):
        await stores.restore(store, elsewhere, silent)
    with pytest.raises(RefusedError, match="has no live copy"):
        await stores.restore(store, request(drill), silent)


def write_to(port: int, word: str) -> None:
    with psycopg.connect(
        host="127.0.0.1", port=port, user="app", password=PASSWORD, dbname="orders", autocommit=True
    ) as connection:
        connection.execute("INSERT INTO ledger VALUES (%s)", (word,))
