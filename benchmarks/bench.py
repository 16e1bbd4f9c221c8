"""What the benchmarks share: an engine in memory, a worker of its own process, a table."""

import asyncio
import json
import os
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from temporalio.client import Client

from steadfleet_durable import data_converter
from steadfleet_workflows.visibility import KEYS

HERE = Path(__file__).parent
BIN = Path(sys.executable).parent
HEAD = "| what | fleet | measured | aim | met |\n| --- | --- | --- | --- | --- |"
TYPES = {1: "Text", 2: "Keyword", 3: "Int"}


@dataclass(frozen=True)
class Row:
    """One measurement: what, of which fleet, how much, and what it should be."""

    what: str
    fleet: str
    measured: str
    aim: str = ""
    met: bool | None = None

    def __str__(self) -> str:
        verdict = "" if self.met is None else ("yes" if self.met else "**no**")
        return f"| {self.what} | {self.fleet} | {self.measured} | {self.aim} | {verdict} |"


@dataclass(frozen=True)
class Bench:
    """A running engine and its worker."""

    client: Client
    metrics_port: int
    worker: int

    async def settled_actions(self) -> float:
        """Return the server's count of billable actions once it stands still: it counts in batches."""
        before = -1.0
        while (now := self._actions()) != before:
            before = now
            await asyncio.sleep(2)
        return now

    def _actions(self) -> float:
        address = f"http://127.0.0.1:{self.metrics_port}/metrics"
        with urllib.request.urlopen(address, timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        counted = (line for line in lines if line.startswith("action{") and "temporal_system" not in line)
        return sum(float(line.rsplit(" ", 1)[1]) for line in counted)

    def worker_peak_mib(self) -> float:
        status = Path(f"/proc/{self.worker}/status").read_text(encoding="utf-8")
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024


@asynccontextmanager
async def engine_and_worker(*options: str | Path) -> AsyncIterator[Bench]:
    """Start both on loopback; the engine keeps its state in memory, its fastest form, unless told."""
    port, metrics = free_port(), free_port()
    command: list[str | Path] = [BIN / "temporal", "server", "start-dev", "--headless"]
    command += ["--port", str(port), "--log-level", "error", *options]
    command += ["--metrics-port", str(metrics), "--http-port", str(free_port())]
    for key in KEYS:
        command += ["--search-attribute", f"{key.name}={TYPES[key.indexed_value_type]}"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as engine:
        try:
            async with worker_at(f"127.0.0.1:{port}", metrics) as bench:
                yield bench
        finally:
            engine.terminate()


@asynccontextmanager
async def worker_at(address: str, metrics_port: int) -> AsyncIterator[Bench]:
    """Start a worker for an engine that is there, or will be soon."""
    client = await _connected(address)
    with subprocess.Popen(
        [sys.executable, HERE / "bench_worker.py"],
        env={**os.environ, "TEMPORAL_ADDRESS": address},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as worker:
        if worker.stdout is None or worker.stdout.readline() != "ready\n":
            raise RuntimeError("the worker did not start")
        yield Bench(client, metrics_port, worker.pid)
        worker.communicate(timeout=30)


async def _connected(address: str) -> Client:
    deadline = time.monotonic() + 60
    while True:
        try:
            return await Client.connect(address, data_converter=data_converter())
        except RuntimeError:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.1)


@contextmanager
def up(*parts: str, machines: str) -> Iterator[dict[str, str]]:
    """Start parts of the stack on free ports; give the environment of what uses them."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        place = ("--run-dir", folder)
        only = [word for part in parts for word in ("--only", part)]
        words = ("up", "--free-ports", "--machines", machines, *only, *place, "--output", "json")
        told = json.loads(command("steadfleet", *words))
        try:
            yield {**os.environ, **told["environment"], "STEADFLEET_RUN_DIR": folder}
        finally:
            command("steadfleet", "down", *place)


def command(name: str, *words: str, env: dict[str, str] | None = None) -> str:
    """Run a command of ours, and return what it printed."""
    ran = subprocess.run([BIN / name, *words], env=env, stdout=subprocess.PIPE, check=True, text=True)
    return ran.stdout.strip()


async def timed(work: Callable[[], Awaitable[object]]) -> float:
    began = time.perf_counter()
    await work()
    return time.perf_counter() - began


def middle(values: list[float]) -> str:
    return f"{statistics.median(values):.2f} (of {len(values)}: {min(values):.2f} to {max(values):.2f})"


def show(rows: list[Row]) -> int:
    """Print them; return how many missed their aim."""
    for row in rows:
        print(row, flush=True)
    return sum(row.met is False for row in rows)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def machine() -> str:
    cores = os.cpu_count()
    load = os.getloadavg()[0]
    python = platform.python_version()
    return f"{cores} cores ({platform.machine()}), Python {python}, load {load:.1f} at the start"
