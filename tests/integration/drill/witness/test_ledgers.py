"""A ledger holds what the store has confirmed, and a reconciliation what became of it."""

import asyncio
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from integration.drill.witness.postgres import Server
from integration.drill.witness.site import (
    SECRET,
    Site,
    database_of,
    new_database,
    reconciliation,
    spec_of,
)
from psycopg import sql
from temporalio.testing import ActivityEnvironment

from steadfleet_activities.drill.witness.databases import LedgerTable
from steadfleet_activities.drill.witness.keeper import Keeper
from steadfleet_core.drill.measuring import DataLoss
from steadfleet_core.drill.plan import Secret
from steadfleet_core.drill.verdict import Verdict, judge_data
from steadfleet_ports.witness import Declaration, Declared, Reconciliation

HOUR = timedelta(hours=1)


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not true():  # noqa: ASYNC110 - a thread writes it
            await asyncio.sleep(0.01)


async def left(keeper: Keeper) -> None:
    keeper.leave()
    await asyncio.to_thread(keeper.join)


async def declare(
    site: Site, *keepers: Keeper, run: str = "run-1", names: tuple[str, ...] = ("orders",)
) -> Declared:
    declared: Declared = await ActivityEnvironment().run(
        site.witness(*keepers).declare_disaster, Declaration(run=run, ledgers=names)
    )
    return declared


async def reconcile(site: Site, asked: Reconciliation, *keepers: Keeper) -> DataLoss:
    loss: DataLoss = await ActivityEnvironment().run(site.witness(*keepers).reconcile_ledger, asked)
    return loss


def rows(server: Server, database: str) -> list[int]:
    return [
        row[0] for row in server.run("select sequence from steadfleet_ledger order by sequence", database)
    ]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path / "witness")


async def test_what_was_acknowledged_is_in_the_store_and_nothing_is_lost_of_a_true_copy(
    postgres: Server, site: Site
) -> None:
    keeper = site.keeper(spec_of(postgres, new_database(postgres, "true_source")))
    keeper.start()
    await until(lambda: len(site.sequences()) >= 3)
    declared = await declare(site, keeper)
    await left(keeper)
    copy = new_database(postgres, "true_copy", "true_source")

    loss = await reconcile(
        site, reconciliation(postgres, copy, declared.ledgers[0], as_of=declared.at), keeper
    )

    assert set(site.sequences()) <= set(rows(postgres, "true_source"))
    assert (loss.lost, loss.duplicates, loss.problem) == (0, 0, "")
    assert loss.acknowledged == loss.recovered == declared.ledgers[0].entries >= 3
    assert judge_data([loss], ["orders"], HOUR).verdict is Verdict.PASSED


async def test_the_same_run_is_declared_once_also_by_another_process(postgres: Server, site: Site) -> None:
    keeper = site.keeper(spec_of(postgres, new_database(postgres, "declared")))
    keeper.start()
    await until(lambda: len(site.sequences()) >= 1)
    first = await declare(site, keeper, run="drill/orders/1")
    await until(lambda: len(site.sequences()) > first.ledgers[0].entries)
    await left(keeper)

    again = await declare(Site(site.path), site.keeper(keeper.spec), run="drill/orders/1")

    assert again == first


async def test_a_declaration_that_died_before_its_ledgers_were_sealed_keeps_its_time(
    postgres: Server, site: Site
) -> None:
    witness = site.witness()
    at = witness.folder.declared_at("run-1", site.now)

    declared = await declare(site, names=())

    assert declared.at == at


async def test_an_unknown_ledger_is_a_problem_and_not_an_error(site: Site) -> None:
    declared = await declare(site, names=("payments",))

    assert declared.ledgers[0].digest is None
    assert "keeps no ledger payments; it keeps none at all" in declared.ledgers[0].problem


async def test_a_store_that_is_down_is_waited_for_and_acknowledges_nothing(
    postgres: Server, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("steadfleet_activities.drill.witness.keeper._LEAST_REST", timedelta(milliseconds=50))
    missing = "comes_later"
    postgres.run(sql.SQL("drop database if exists {}").format(sql.Identifier(missing)))
    keeper = site.keeper(spec_of(postgres, missing))
    keeper.start()
    await until(lambda: "does not exist" in keeper.problem)
    assert site.sequences() == []

    new_database(postgres, missing)

    await until(lambda: len(site.sequences()) >= 2)
    assert keeper.problem == ""
    await left(keeper)


async def test_one_ledger_without_rights_says_so_and_the_other_goes_on(postgres: Server, site: Site) -> None:
    database = new_database(postgres, "rights")
    postgres.run("drop role if exists guest")
    postgres.run("create role guest login password 'for a test'")
    postgres.run("revoke create on schema public from public", database)
    refused = site.keeper(spec_of(postgres, database, "refused", user="guest", table="other_ledger"))
    kept = site.keeper(spec_of(postgres, database))
    for keeper in (refused, kept):
        keeper.start()

    await until(lambda: bool(refused.problem) and len(site.sequences()) >= 2)

    assert "permission denied for schema public" in refused.problem
    assert site.sequences("refused") == []
    for keeper in (refused, kept):
        await left(keeper)


async def test_a_user_that_may_write_but_not_create_keeps_a_ledger_in_a_table_that_is_there(
    postgres: Server, site: Site
) -> None:
    database = new_database(postgres, "given_table")
    postgres.run("drop role if exists writer")
    postgres.run("create role writer login password 'for a test'")
    with database_of(spec_of(postgres, database)).connected() as connection:
        LedgerTable(connection, "steadfleet_ledger").own()
    postgres.run("grant select, insert, delete on steadfleet_ledger to writer", database)
    postgres.run("revoke create on schema public from public", database)
    keeper = site.keeper(spec_of(postgres, database, user="writer"))
    keeper.start()

    await until(lambda: len(site.sequences()) >= 2)

    await left(keeper)


async def test_a_second_witness_is_kept_away_from_the_table(
    postgres: Server, site: Site, tmp_path: Path
) -> None:
    spec = spec_of(postgres, new_database(postgres, "two_witnesses"))
    first, second = site.keeper(spec), Site(tmp_path / "second").keeper(spec)
    first.start()
    await until(lambda: len(site.sequences()) >= 1)
    second.start()

    await until(lambda: "another witness writes" in second.problem)

    assert not list(second.journal.entries())
    for keeper in (first, second):
        await left(keeper)


async def test_a_restart_goes_on_after_the_highest_number_of_journal_and_table(
    postgres: Server, site: Site, tmp_path: Path
) -> None:
    spec = spec_of(postgres, new_database(postgres, "restarted"))
    first = site.keeper(spec)
    first.start()
    await until(lambda: len(site.sequences()) >= 2)
    await left(first)
    before = site.sequences()
    second = site.keeper(spec)
    second.start()
    await until(lambda: len(site.sequences()) > len(before))
    await left(second)
    bare = Site(tmp_path / "bare")
    third = bare.keeper(spec)
    third.start()
    await until(lambda: len(bare.sequences()) >= 1)
    await left(third)

    written = rows(postgres, "restarted")
    assert len(written) == len(set(written))
    assert site.sequences() == sorted(set(site.sequences()))
    assert min(bare.sequences()) > max(site.sequences())


class Cut(psycopg.OperationalError):
    """The connection is lost, and with it the answer to the commit."""


async def test_a_commit_whose_answer_is_lost_is_not_acknowledged_and_its_number_never_used_again(
    postgres: Server, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = spec_of(postgres, new_database(postgres, "lost_answer"))
    keeper, write, cut = site.keeper(spec), LedgerTable.write, threading.Event()
    unknown: list[int] = []

    def lose_the_second(table: LedgerTable, sequence: int, at: datetime) -> None:
        write(table, sequence, at)
        if len(site.sequences()) == 1 and not cut.is_set():
            cut.set()
            unknown.append(sequence)
            raise Cut("server closed the connection unexpectedly")

    monkeypatch.setattr(LedgerTable, "write", lose_the_second)
    keeper.start()
    await until(lambda: len(site.sequences()) >= 3)
    await left(keeper)

    written = rows(postgres, "lost_answer")
    assert unknown[0] in written
    assert len(written) == len(set(written))
    assert unknown[0] not in site.sequences()


async def test_old_entries_leave_the_journal_before_their_rows_leave_the_table(
    postgres: Server, site: Site
) -> None:
    spec = spec_of(postgres, new_database(postgres, "pruned"), retention=HOUR)
    old, now = datetime.now(UTC) - timedelta(days=3), datetime.now(UTC)
    journal = site.journal()
    journal._segment_lines = 2
    with database_of(spec).connected() as connection:
        table = LedgerTable(connection, spec.table)
        table.own()
        for at in (old, old, old, now, now):
            sequence = journal.next_after(0)
            table.write(sequence, at)
            journal.acknowledge(sequence, lambda at=at: at)  # type: ignore[misc]
        Keeper(spec, journal, site.now, database_of)._prune(table)
    journal.close()

    assert site.sequences()[-2:] == rows(postgres, "pruned")[-2:]
    assert site.sequences() == rows(postgres, "pruned") == [3, 4, 5]


async def damaged(postgres: Server, site: Site, name: str, statement: Any) -> DataLoss:
    """Keep a ledger, copy its database, damage the copy and reconcile."""
    keeper = site.keeper(spec_of(postgres, new_database(postgres, f"{name}_source")))
    keeper.start()
    await until(lambda: len(site.sequences()) >= 4)
    declared = await declare(site, keeper)
    await left(keeper)
    copy = new_database(postgres, f"{name}_copy", f"{name}_source")
    postgres.run(statement, copy)
    return await reconcile(
        site, reconciliation(postgres, copy, declared.ledgers[0], as_of=declared.at), keeper
    )


async def test_a_restore_that_replays_a_write_twice_shows_as_a_duplicate(
    postgres: Server, site: Site
) -> None:
    twice = "insert into steadfleet_ledger select * from steadfleet_ledger where sequence in (2, 3)"

    loss = await damaged(postgres, site, "twice", twice)

    assert (loss.duplicates, loss.lost) == (2, 0)
    assert judge_data([loss], ["orders"], HOUR).verdict is Verdict.FAILED


async def test_a_recovery_without_the_table_is_a_problem_and_never_no_loss(
    postgres: Server, site: Site
) -> None:
    loss = await damaged(postgres, site, "dropped", "drop table steadfleet_ledger")

    assert "has no ledger steadfleet_ledger: it was not recovered" in loss.problem
    assert judge_data([loss], ["orders"], HOUR).verdict is Verdict.NOT_PROVEN


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"database": "nowhere"}, 'database "nowhere" does not exist'),
        ({"password": Secret(environment="NOT_SET")}, "environment has no NOT_SET"),
        ({"user": "nobody_here"}, "password authentication failed"),
        ({"sealed": "sha256:" + "0" * 64}, "does not exist: expected the ledger as it was sealed"),
        ({"ledger": "payments"}, "keeps no ledger payments"),
    ],
    ids=["database", "secret", "user", "sealed", "ledger"],
)
async def test_what_cannot_be_reconciled_is_told_with_its_place(
    postgres: Server,
    site: Site,
    changes: dict[str, Any],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("steadfleet_activities.drill.witness.reconciling._REST", 0.0)
    keeper, sealed = await one_entry(postgres, site, "told")

    loss = await reconcile(site, reconciliation(postgres, "told", sealed, **changes), keeper)

    assert said in loss.problem
    assert judge_data([loss], ["orders"], HOUR).verdict is Verdict.NOT_PROVEN


async def test_a_wrong_password_is_told_without_saying_it(
    postgres: Server, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("steadfleet_activities.drill.witness.reconciling._REST", 0.0)
    keeper, sealed = await one_entry(postgres, site, "wrong_password")
    site.env = {SECRET.environment or "": "opensesame"}

    loss = await reconcile(site, reconciliation(postgres, "wrong_password", sealed), keeper)

    assert "password authentication failed" in loss.problem
    assert "opensesame" not in loss.problem


async def test_a_sealed_ledger_that_was_changed_is_not_believed(postgres: Server, site: Site) -> None:
    keeper, sealed = await one_entry(postgres, site, "changed")
    key = next(iter(site.bucket.kept))
    site.bucket.kept[key] = b""

    loss = await reconcile(site, reconciliation(postgres, "changed", sealed), keeper)

    assert "was changed after it was stored" in loss.problem


async def one_entry(postgres: Server, site: Site, database: str) -> tuple[Keeper, Any]:
    """Seal a ledger of one entry, with a table of its own."""
    spec = spec_of(postgres, new_database(postgres, database))
    keeper = site.keeper(spec)
    with database_of(spec).connected() as connection:
        table = LedgerTable(connection, spec.table)
        table.own()
        keeper._write(table, 0)
    keeper.journal.close()
    return keeper, (await declare(site, keeper)).ledgers[0]
