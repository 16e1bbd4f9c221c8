"""How far the witness is off: trials whose truth another process made, and wrote down itself.

`-s` prints the worst error of all trials.
"""

import asyncio
import json
import os
import random
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from integration.drill.witness.postgres import PASSWORD, Server
from integration.drill.witness.site import Site, database_of, new_database, reconciliation, spec_of
from temporalio.testing import ActivityEnvironment

from steadfleet_activities.drill.witness.databases import LedgerTable
from steadfleet_activities.drill.witness.keeper import Keeper
from steadfleet_activities.drill.witness.probing import Target
from steadfleet_activities.drill.witness.watching import Note, Watcher
from steadfleet_core.drill.measuring import DataLoss, Observation, Sample
from steadfleet_core.drill.plan import Probing, Readiness
from steadfleet_local_cloud.postgres import SUPERUSER
from steadfleet_ports.witness import Declaration, Declared, Watch

INJECTOR = Path(__file__).with_name("injector.py")
TRIALS = 30
AT_ONCE = 10
INTERVAL = timedelta(milliseconds=250)
SUCCESSES = 3
# A busy machine holds up the witness or the services. The witness sees that: a gap between probes, or
# answers that came late although the service was good. Such a trial is made again.
UNDISTURBED = 1.1 * INTERVAL
MOST_TRIALS = 8 * TRIALS


@dataclass(frozen=True)
class Trial:
    seen: Observation
    truth: datetime

    @property
    def disturbed(self) -> bool:
        return self.seen.longest_gap > UNDISTURBED or any(
            stretch.last_at > self.truth
            for stretch in self.seen.stretches
            if "too late" in stretch.reason or "no answer" in stretch.reason
        )

    @property
    def error(self) -> timedelta:
        assert self.seen.first_good_at is not None, self.seen
        return abs(self.seen.first_good_at - self.truth)

    @property
    def row_error(self) -> timedelta:
        """How far the recovery is from k - 1 intervals after the truth."""
        assert self.seen.recovered_at is not None, self.seen
        return abs(self.seen.recovered_at - self.truth - (SUCCESSES - 1) * INTERVAL)


@dataclass(frozen=True)
class Injector:
    """The services' own process."""

    process: asyncio.subprocess.Process
    ports: list[int]
    log: Path

    def start(self, number: int) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"go {number}\n".encode())

    def truth(self, number: int) -> datetime:
        """Return when this service turned good for the last time, in its own words."""
        lines = [json.loads(line) for line in self.log.read_text().splitlines()]
        last = [line for line in lines if line["service"] == number][-1]
        assert last["good"]
        return datetime.fromtimestamp(last["at"], UTC)


@asynccontextmanager
async def injected(log: Path, seed: int, count: int) -> AsyncIterator[Injector]:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, INJECTOR, "services", log, str(seed), str(count), stdin=pipe, stdout=pipe
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield Injector(process, json.loads(await process.stdout.readline()), log)
    finally:
        process.stdin.close()
        await process.wait()


async def watched(site: Site, injector: Injector, number: int) -> Trial:
    watch = Watch(
        run="trials",
        service=f"service-{number}",
        host="127.0.0.1",
        port=injector.ports[number],
        readiness=Readiness(path="/healthz", body="orders"),
        probing=Probing(interval=INTERVAL, successes=SUCCESSES),
        declared_at=site.now(),
        time_limit=timedelta(seconds=20),
    )
    injector.start(number)
    seen: Observation = await ActivityEnvironment().run(site.witness().watch_recovery, watch)
    return Trial(seen, injector.truth(number))


async def recoveries(site: Site, injector: Injector, wanted: int) -> list[Trial]:
    """Make trials, some at a time, until enough were not disturbed or there is none left."""
    good: list[Trial] = []
    left = iter(range(len(injector.ports)))
    while len(good) < wanted and (batch := [number for number, _ in zip(left, range(AT_ONCE), strict=False)]):
        trials = await asyncio.gather(*(watched(site, injector, number) for number in batch))
        good += [trial for trial in trials if not trial.disturbed]
    return good


def check_recoveries(trials: list[Trial], wanted: int) -> timedelta:
    """Hold each trial to one interval, and to no more than its probes were late besides."""
    assert len(trials) >= wanted, f"only {len(trials)} trials had a probe each {INTERVAL}"
    late = UNDISTURBED - INTERVAL
    for trial in trials:
        assert trial.error <= INTERVAL + late, trial
        assert trial.row_error <= INTERVAL + late, trial
    return max(trial.error for trial in trials)


async def test_the_recovery_time_is_off_by_at_most_an_interval(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    async with injected(tmp_path / "truth.jsonl", 20270131, MOST_TRIALS) as injector:
        trials = await recoveries(Site(tmp_path / "witness"), injector, TRIALS)

    worst = check_recoveries(trials, TRIALS)

    record_property("worst_recovery_time_error_ms", round(worst / timedelta(milliseconds=1), 1))
    print(  # noqa: T201 - for `-s`
        f"\nrecovery time: {len(trials)} trials at {INTERVAL / timedelta(milliseconds=1):.0f} ms, worst "
        f"error {worst / timedelta(milliseconds=1):.1f} ms"
    )


async def from_the_answer(
    watcher: Watcher, seen: Observation, target: Target, until: datetime, note: Note
) -> Observation:
    """Rest for an interval after each answer: as probers do that nobody held to a truth."""
    while seen.recovered_at is None and watcher.now() < until:
        began = watcher.now()
        problem = await watcher.probe(target, INTERVAL)
        sample = Sample(at=began, good=not problem, reason=problem)
        seen = seen.seen(sample)
        note(sample, seen)
        await watcher.sleep(INTERVAL.total_seconds())
    return seen


async def test_a_prober_that_counts_from_the_answer_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Watcher, "watch", from_the_answer)

    async with injected(tmp_path / "truth.jsonl", 1, AT_ONCE) as injector:
        with pytest.raises(AssertionError):
            check_recoveries(await recoveries(Site(tmp_path / "witness"), injector, AT_ONCE), AT_ONCE)


# --- data loss


@dataclass(frozen=True)
class Kept:
    """A ledger as the trial itself knows it: which writes it saw succeed."""

    keeper: Keeper
    acknowledged: tuple[int, ...]
    sealed: Declared


def broken(dice: random.Random) -> str:
    return dice.choices(["", "before", "after"], [8, 1, 1])[0]


async def write_ledger(site: Site, server: Server, database: str, name: str) -> Kept:
    """Write a ledger of a store whose commits fail, and whose answers get lost, now and then."""
    keeper = site.keeper(spec_of(server, database, name, table=name))
    dice, done = random.Random(name), []
    with database_of(keeper.spec).connected() as connection:
        table = Unreliable(connection, name)
        table.own()
        for _ in range(dice.randint(10, 25)):
            table.breaks = broken(dice)
            try:
                keeper._write(table, 0)
            except psycopg.OperationalError:
                continue
            done.append(table.last)
    keeper.journal.close()
    declared: Declared = await ActivityEnvironment().run(
        site.witness(keeper).declare_disaster, Declaration(run=f"run-{name}", ledgers=(name,))
    )
    return Kept(keeper, tuple(done), declared)


class Unreliable(LedgerTable):
    """A store whose connection breaks before or after the commit, and nobody can tell which."""

    breaks = ""
    last = 0

    def write(self, sequence: int, at: datetime) -> None:
        if self.breaks != "before":
            super().write(sequence, at)
        if self.breaks:
            raise psycopg.OperationalError("server closed the connection unexpectedly")
        self.last = sequence


def damage(log: Path, server: Server, database: str, tables: list[str]) -> dict[str, Any]:
    """Let the injector's process do its worst; return its own account of it."""
    subprocess.run(
        [sys.executable, INJECTOR, "rows", log, "20270131", *tables],
        env={
            **os.environ,
            "PGHOST": "127.0.0.1",
            "PGPORT": str(server.port),
            "PGUSER": SUPERUSER,
            "PGPASSWORD": PASSWORD,
            "PGDATABASE": database,
        },
        check=True,
        timeout=120,
    )
    return {line["table"]: line for line in map(json.loads, log.read_text().splitlines())}


async def losses(site: Site, server: Server, tmp_path: Path, count: int) -> list[tuple[DataLoss, DataLoss]]:
    """Return what was measured and what is true, of each trial."""
    database = new_database(server, "trials")
    names = [f"trial{number}" for number in range(count)]
    kept = {name: await write_ledger(site, server, database, name) for name in names}
    truth = damage(tmp_path / "rows.jsonl", server, database, names)
    found = []
    for name, one in kept.items():
        asked = reconciliation(server, database, one.sealed.ledgers[0], as_of=one.sealed.at)
        loss: DataLoss = await ActivityEnvironment().run(site.witness(one.keeper).reconcile_ledger, asked)
        found.append((loss, expected(site, name, one, truth[name], loss)))
    return found


def expected(site: Site, name: str, kept: Kept, truth: dict[str, list[int]], measured: DataLoss) -> DataLoss:
    """Say what the injector's account makes of the trial's own one; times are those of the journal's file."""
    lost = sorted(set(kept.acknowledged) & set(truth["removed"]))
    there = [number for number in kept.acknowledged if number not in lost]
    at = acknowledged_at(site, name)
    first, last = kept.acknowledged[0], kept.acknowledged[-1]
    doubled = [number for number in truth["doubled"] if first <= number <= last]
    oldest = kept.sealed.at - at[lost[0]] if lost else timedelta(0)
    return measured.model_copy(
        update={
            "acknowledged": len(kept.acknowledged),
            "lost": len(lost),
            "recovered": len(there),
            "duplicates": len(doubled),
            "oldest_lost_age": oldest,
            "newest_recovered_at": at[there[-1]] if there else None,
            "covered": kept.sealed.at - at[first],
            "problem": "",
        }
    )


def acknowledged_at(site: Site, name: str) -> dict[int, datetime]:
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    lines = [
        line.split(",")
        for file in sorted((site.path / "ledgers" / name).glob("*.journal"))
        for line in file.read_text().splitlines()
    ]
    return {int(number): epoch + timedelta(microseconds=int(at)) for number, at in lines}


async def test_what_was_lost_is_counted_to_the_row(
    postgres: Server, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    found = await losses(Site(tmp_path / "witness"), postgres, tmp_path, TRIALS)

    assert [measured for measured, _ in found] == [true for _, true in found]
    worst = max(abs(measured.lost - true.lost) for measured, true in found)
    rows = sum(measured.lost for measured, _ in found)
    assert rows > TRIALS
    assert sum(measured.duplicates for measured, _ in found) > TRIALS // 2
    assert any(measured.unacknowledged for measured, _ in found)
    record_property("worst_data_loss_error_rows", worst)
    print(f"\ndata loss: {len(found)} trials, {rows} rows lost, worst error {worst} rows, ages exact")  # noqa: T201


async def test_a_ledger_that_counts_what_was_not_acknowledged_is_noticed(
    postgres: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hasty(keeper: Keeper, table: LedgerTable, highest: int) -> None:
        sequence = keeper.journal.next_after(highest)
        keeper.journal.acknowledge(sequence, keeper._now)
        table.write(sequence, keeper._now())

    monkeypatch.setattr(Keeper, "_write", hasty)

    found = await losses(Site(tmp_path / "witness"), postgres, tmp_path, 3)

    assert [measured for measured, _ in found] != [true for _, true in found]
