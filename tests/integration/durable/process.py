"""Start the test service as a process, and ask it how it is."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

Answer = tuple[int, str]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def get(address: str, path: str) -> Answer:
    """Return status and body; (0, why) when nothing listens."""
    host, port = address.split(":")
    try:
        reader, writer = await asyncio.open_connection(host, int(port))
    except OSError as error:
        return 0, str(error)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n".encode())
    try:
        head, _, body = (await reader.read()).decode().partition("\r\n\r\n")
        return int(head.split()[1]), body.strip()
    except OSError as error:
        return 0, str(error)
    finally:
        writer.close()


class Service:
    def __init__(self, process: asyncio.subprocess.Process, health: str, metrics: str) -> None:
        self.process, self.health, self.metrics = process, health, metrics

    async def ready(self) -> Answer:
        return await get(self.health, "/readyz")

    async def until_ready(self, expected: Callable[[Answer], bool], seconds: float = 30) -> Answer:
        """Ask until the answer is as expected; fail with the last answer."""
        deadline = asyncio.get_running_loop().time() + seconds
        while not expected(answer := await self.ready()):
            assert asyncio.get_running_loop().time() < deadline, f"the last answer was {answer}"
            assert self.process.returncode is None, f"the service left with {self.process.returncode}"
        return answer

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    async def left(self, seconds: float = 30) -> tuple[int, str]:
        """Return its exit code and what it logged."""
        async with asyncio.timeout(seconds):
            _, logged = await self.process.communicate()
        assert self.process.returncode is not None
        return self.process.returncode, logged.decode()


@asynccontextmanager
async def service(engine: str, **env: str) -> AsyncIterator[Service]:
    """Run the test service against the engine at that address."""
    health, metrics = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "integration.durable.service",
        cwd=Path(__file__).parents[2],
        env={
            **os.environ,
            "TEMPORAL_ADDRESS": engine,
            "STEADFLEET_HEALTH_ADDRESS": health,
            "STEADFLEET_METRICS_ADDRESS": metrics,
            **env,
        },
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield Service(process, health, metrics)
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()
