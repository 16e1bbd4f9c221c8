"""Run the codec server as a process of its own, over TLS."""

import asyncio
import os
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from integration.durable.process import free_port
from integration.durable.tls_front import Authority
from unit.codec_server.issuer import AUDIENCE, Issuer

COMMAND = Path(sys.executable).with_name("steadfleet-codec-server")


@dataclass(frozen=True)
class CodecServer:
    url: str
    authority: Path
    process: asyncio.subprocess.Process

    def trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.authority))

    async def left(self) -> tuple[int, str]:
        """End it, and return its exit code and what it logged."""
        self.process.terminate()
        _, logged = await self.process.communicate()
        assert self.process.returncode is not None
        return self.process.returncode, logged.decode()


@asynccontextmanager
async def codec_server(folder: Path, issuer: Issuer, keys: Path, *origins: str) -> AsyncIterator[CodecServer]:
    authority = Authority(folder)
    certificate, key = authority.issue("codec", "127.0.0.1", "localhost")
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        COMMAND,
        env={
            **os.environ,
            "STEADFLEET_PAYLOAD_KEYS": str(keys),
            "STEADFLEET_CODEC_ADDRESS": f"127.0.0.1:{port}",
            "STEADFLEET_CODEC_ORIGINS": ",".join(origins),
            "STEADFLEET_CODEC_JWKS": str(issuer.file),
            "STEADFLEET_CODEC_AUDIENCE": AUDIENCE,
            "STEADFLEET_CODEC_CERTIFICATE": str(certificate),
            "STEADFLEET_CODEC_CERTIFICATE_KEY": str(key),
        },
        stderr=asyncio.subprocess.PIPE,
    )
    server = CodecServer(f"https://127.0.0.1:{port}", authority.path, process)
    try:
        await _listening(server)
        yield server
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def _listening(server: CodecServer) -> None:
    async with asyncio.timeout(60), httpx.AsyncClient(verify=server.trust()) as client:
        while True:
            assert server.process.returncode is None, await server.process.communicate()
            try:
                assert (await client.get(f"{server.url}/healthz")).text == "alive\n"
            except httpx.ConnectError:
                continue
            return
