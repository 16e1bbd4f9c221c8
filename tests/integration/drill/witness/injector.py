"""The other process of the trials: it knows the truth because it makes it, and writes it down itself.

    python injector.py services LOG SEED COUNT       serve; prints ports; `go N` on stdin starts service N
    python injector.py rows LOG SEED TABLE…          remove and double rows; the database is in PG…

Nothing of Steadfleet is in here.
"""

import asyncio
import json
import os
import random
import sys
import time
from typing import Any

import psycopg
from psycopg import sql

INTERVAL = 0.25  # the witness's, for moods that last too short for it


class Log:
    def __init__(self, path: str) -> None:
        self._file = open(path, "a", buffering=1)  # noqa: PTH123, SIM115 - as long as the process

    def say(self, **what: Any) -> None:
        self._file.write(json.dumps(what) + "\n")


class Service:
    """Bad, perhaps good for a moment, and good for ever from a moment that nobody else chooses."""

    def __init__(self, number: int, seed: int, log: Log) -> None:
        self._dice = random.Random(f"{seed}-{number}")
        self._log = log
        self._number = number
        self._good = False
        self._illness = self._dice.choice(["503", "hang", "cut", "wrong"])
        self._delay = self._dice.uniform(0.02, 0.06)

    async def live(self) -> None:
        await asyncio.sleep(self._dice.uniform(0.05, 0.8))
        for _ in range(self._dice.choice([0, 0, 1])):
            self._turn(good=True)
            await asyncio.sleep(self._dice.uniform(0.2, 1.5) * INTERVAL)
            self._turn(good=False)
            await asyncio.sleep(self._dice.uniform(1.5, 2.5) * INTERVAL)
        self._turn(good=True)

    def _turn(self, *, good: bool) -> None:
        self._good = good
        self._log.say(service=self._number, good=good, at=time.time())

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            good = self._good
            if not good and self._illness == "hang":
                await asyncio.sleep(5)
            await asyncio.sleep(self._delay)
            if good or self._illness != "cut":
                status = "503 Ill" if not good and self._illness == "503" else "200 OK"
                body = "orders" if good else "nothing"
                head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
                writer.write((head + body).encode())
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


async def services(log: Log, seed: int, count: int) -> None:
    all_ = [Service(number, seed, log) for number in range(count)]
    servers = [await asyncio.start_server(service.answer, "127.0.0.1", 0) for service in all_]
    sys.stdout.write(json.dumps([server.sockets[0].getsockname()[1] for server in servers]) + "\n")
    sys.stdout.flush()
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    living = []
    while line := await reader.readline():
        living.append(asyncio.create_task(all_[int(line.split()[1])].live()))
    os._exit(0)  # whoever still waits for an answer has left


def rows(log: Log, seed: int, tables: list[str]) -> None:
    with psycopg.connect(autocommit=True) as connection:
        for name in tables:
            dice, table = random.Random(f"{seed}-{name}"), sql.Identifier(name)
            there = [row[0] for row in connection.execute(sql.SQL("select sequence from {}").format(table))]
            there.sort()
            # The newest are lost as by an old copy, some others as by a bad one.
            removed = set(there[len(there) - dice.randint(0, len(there) // 2) :])
            removed |= set(dice.sample(there, dice.randint(0, 3)))
            doubled = dice.sample(sorted(set(there) - removed), dice.randint(0, 3))
            connection.execute(
                sql.SQL("delete from {} where sequence = any(%s)").format(table), (list(removed),)
            )
            connection.execute(
                sql.SQL("insert into {0} select * from {0} where sequence = any(%s)").format(table),
                (doubled,),
            )
            log.say(table=name, removed=sorted(removed), doubled=sorted(doubled))


if __name__ == "__main__":
    kind, path, number, *rest = sys.argv[1:]
    if kind == "services":
        asyncio.run(services(Log(path), int(number), int(rest[0])))
    else:
        rows(Log(path), int(number), rest)
