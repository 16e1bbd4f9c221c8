"""The same campaign on three engines: the embedded one in memory and in a file, and a server on PostgreSQL.

`python benchmarks/engine.py` prints the table of README.md. The fleet is in memory, so that the
engine and we are all there is. Rounds alternate: what else the machine does disturbs all three.
"""

import argparse
import asyncio
import statistics
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

from bench import HEAD, Bench, Row, engine_and_worker, machine, middle, show
from campaign import run, wave_time
from engines import MISSING, SHARDS, ServerPrograms, server_on_postgresql

from steadfleet_durable import exit_now

MEMORY, FILE, POSTGRESQL = "embedded, in memory", "embedded, in a file", "server on PostgreSQL"


async def main(hosts: int, rounds: int) -> None:
    programs = ServerPrograms.find()
    print(f"{machine()}; {hosts:,} hosts in memory, 100 at once, {rounds} rounds\n\n{HEAD}", flush=True)
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-engine-"))
        engines = {
            MEMORY: await stack.enter_async_context(engine_and_worker()),
            FILE: await stack.enter_async_context(
                engine_and_worker("--db-filename", Path(folder) / "engine.db")
            ),
        }
        if programs is not None:
            engines[POSTGRESQL] = await stack.enter_async_context(server_on_postgresql(programs))
        speeds = await measured(engines, hosts, rounds)
    show(rows(speeds, hosts))


async def measured(engines: dict[str, Bench], hosts: int, rounds: int) -> dict[str, list[float]]:
    """Return hosts/s of each engine, by round; the first round warms up."""
    speeds: dict[str, list[float]] = {name: [] for name in engines}
    for number in range(rounds + 1):
        for name, engine in engines.items():
            report = await run(engine, f"round-{number}", hosts)
            if number:
                speeds[name].append(hosts / wave_time(report))
    return speeds


def rows(speeds: dict[str, list[float]], hosts: int) -> list[Row]:
    """Divide within a round, so that a noisy one disturbs both."""
    fleet, told = f"{hosts:,} in memory", []
    for name in (MEMORY, FILE, POSTGRESQL):
        if name not in speeds:
            told.append(Row(f"hosts/s of a wave, {name}", fleet, f"not run: it needs {MISSING}"))
            continue
        told.append(Row(f"hosts/s of a wave, {described(name)}", fleet, middle(speeds[name])))
        if name != MEMORY:
            ratios = [ours / memory for ours, memory in zip(speeds[name], speeds[MEMORY], strict=True)]
            told.append(Row("the same over in memory", fleet, middle(ratios)))
    if POSTGRESQL in speeds:
        ratio = statistics.median(
            ours / file for ours, file in zip(speeds[POSTGRESQL], speeds[FILE], strict=True)
        )
        told.append(Row("server on PostgreSQL over the file", fleet, f"{ratio:.2f}"))
    return told


def described(name: str) -> str:
    return f"{name}, {SHARDS} shards, fsync on" if name == POSTGRESQL else name


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hosts", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    asyncio.run(main(given.hosts, given.rounds))
    exit_now(0)
