"""A worker may die at any step: the next attempt goes on, and nothing is there twice."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest
from integration.drill.postgres.conftest import ALL, History
from integration.drill.postgres.drilling import prepared, request, silent
from integration.drill.postgres.sources import PASSWORD, VARIABLE, SourceServer, binaries, words_of

from steadfleet_activities.drill.postgres.folders import StillHeldError, held, run_folder
from steadfleet_activities.drill.postgres.processes import end_all_below
from steadfleet_activities.drill.postgres.programs import Programs
from steadfleet_activities.drill.postgres.server import Server
from steadfleet_activities.drill.postgres.stores import PostgresStores

_STEPS = ["unpacking the base backup", "verifying the base backup", "replaying WAL", "reading all tables"]
_WORKER = Path(__file__).with_name("worker.py")


pytestmark = pytest.mark.slow


class DiedError(Exception):
    """What stands for the end of a worker."""


async def test_every_attempt_goes_on_where_the_last_one_died(
    source: SourceServer, backup: Path, history: History, stores: PostgresStores, tmp_path: Path
) -> None:
    store = source.store(backup)
    drill = await prepared(stores, store)

    for fatal in _STEPS:

        def die(step: str, fatal: str = fatal) -> None:
            if step == fatal:
                raise DiedError(step)

        with pytest.raises(DiedError):
            await stores.restore(store, request(drill), die)
    newest = backup / "wal" / history.segments[-1]
    (newest.with_name("0000000100000000000000AA")).write_bytes(newest.read_bytes())  # the source goes on
    said: list[str] = []
    facts = await stores.restore(store, request(drill), said.append)
    again = await stores.restore(store, request(drill), said.append)

    assert said == ["reading all tables"]
    assert facts == again
    assert words_of(int(facts["port"])) == ALL
    orders = run_folder(tmp_path / "drills", drill.run) / "orders"
    assert not (orders / "data.part").exists()


async def test_the_copy_outlives_a_killed_worker_and_is_found_again(
    source: SourceServer, history: History, stores: PostgresStores, tmp_path: Path
) -> None:
    store = source.store(history.folder)
    drill = await prepared(stores, store)
    folder = tmp_path / "drills"
    worker = await asyncio.create_subprocess_exec(
        *(sys.executable, str(_WORKER), str(folder), request(drill).model_dump_json()),
        env={**os.environ, VARIABLE: PASSWORD, "STEADFLEET_POSTGRES_BIN": str(binaries())},
        stdout=asyncio.subprocess.PIPE,
    )
    assert worker.stdout is not None
    async for line in worker.stdout:
        if line == b"reading all tables\n":
            break
    data = run_folder(folder, drill.run) / "orders" / "data"
    with pytest.raises(StillHeldError):
        await stores.restore(store, request(drill), silent)
    worker.send_signal(signal.SIGKILL)
    await worker.wait()
    (postmaster, *_) = (data / "postmaster.pid").read_text().splitlines()

    facts = await stores.restore(store, request(drill), silent)

    assert (data / "postmaster.pid").read_text().splitlines()[0] == postmaster
    assert words_of(int(facts["port"])) == ALL


async def test_a_server_that_died_since_is_started_again_and_keeps_what_was_written(
    source: SourceServer, history: History, stores: PostgresStores, tmp_path: Path
) -> None:
    store = source.store(history.folder)
    drill = await prepared(stores, store)
    facts = await stores.restore(store, request(drill), silent)
    orders = run_folder(tmp_path / "drills", drill.run) / "orders"
    server = Server(orders, Programs(binaries()), "127.0.0.1", "app")
    async with server.connect() as connection:
        await connection.execute("ALTER SYSTEM SET archive_mode = on")
    end_all_below(orders)

    again = await stores.restore(store, request(drill), silent)

    assert again == facts
    assert await server.ask("SHOW archive_mode") == ("off",)
    assert words_of(int(again["port"])) == ALL
    with held(orders):
        pass
