"""Temporal's own command line shows payloads through the codec server, to those who may read them."""

import asyncio
import base64
import os
import sys
from pathlib import Path

import pytest
from integration.codec_server.server import COMMAND, CodecServer, codec_server
from integration.durable.telling import TASK_QUEUE, WaitsToGoOn
from temporalio.testing import WorkflowEnvironment
from unit.codec_server.issuer import Issuer

from steadfleet_durable import connect

TEMPORAL = Path(sys.executable).with_name("temporal")
SECRET = "correct horse battery staple"
IN_JSON = base64.b64encode(f'"{SECRET}"'.encode()).decode()
OTHER_KEY = f"2026-10 {base64.b64encode(b'o' * 32).decode()}\n"
KEY = f"2026-11 {base64.b64encode(b'k' * 32).decode()}\n"


@pytest.fixture
def issuer(tmp_path: Path) -> Issuer:
    return Issuer(tmp_path / "jwks.json")


@pytest.fixture
async def engine(dev_server: WorkflowEnvironment, keys: Path) -> str:
    """Return the address of an engine with a workflow whose argument is encrypted."""
    address = dev_server.client.service_client.config.target_host
    client = await connect(env={"TEMPORAL_ADDRESS": address, "STEADFLEET_PAYLOAD_KEYS": str(keys)})
    await client.start_workflow(WaitsToGoOn.run, SECRET, id="waits", task_queue=TASK_QUEUE)
    return address


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    return write(tmp_path / "payload-keys", KEY)


def write(file: Path, lines: str) -> Path:
    file.write_text(lines)
    return file


async def show(engine: str, server: CodecServer, authorization: str) -> str:
    process = await asyncio.create_subprocess_exec(
        TEMPORAL,
        *("workflow", "show", "--workflow-id", "waits", "--address", engine, "--output", "json"),
        *("--codec-endpoint", server.url, "--codec-auth", authorization),
        env={**os.environ, "SSL_CERT_FILE": str(server.authority)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    told, _ = await process.communicate()
    return told.decode()


async def test_the_command_line_shows_payloads_to_readers_and_to_nobody_else(
    tmp_path: Path, issuer: Issuer, engine: str, keys: Path
) -> None:
    async with codec_server(tmp_path, issuer, keys) as server:
        shown = await show(engine, server, f"Bearer {issuer.token('default:read')}")
        refused = await show(engine, server, f"Bearer {issuer.token('staging:read')}")
        code, logged = await server.left()

    assert IN_JSON in shown
    assert IN_JSON not in refused
    assert code == 0
    assert '"event": "answered"' in logged
    assert '"event": "refused"' in logged
    assert SECRET not in logged


async def test_a_key_that_is_added_needs_no_restart(
    tmp_path: Path, issuer: Issuer, engine: str, keys: Path
) -> None:
    write(keys, OTHER_KEY)
    async with codec_server(tmp_path, issuer, keys) as server:
        reader = f"Bearer {issuer.token('default:read')}"
        assert IN_JSON not in await show(engine, server, reader)
        write(keys, OTHER_KEY + KEY)
        assert IN_JSON in await show(engine, server, reader)


async def test_what_cannot_be_right_ends_it_before_it_listens() -> None:
    process = await asyncio.create_subprocess_exec(
        COMMAND, env={"PATH": os.environ["PATH"]}, stderr=asyncio.subprocess.PIPE
    )
    _, told = await process.communicate()

    assert process.returncode == 1
    assert b"STEADFLEET_PAYLOAD_KEYS is not set: expected the file" in told
