"""What commands and browsers need to read payloads: keys, and a codec server that answers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from integration.durable.loopback import loopback_server

from steadfleet_cli.doctor.findings import Finding, Standing
from steadfleet_cli.doctor.payloads import payloads

KEY = "2026-11 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="


@asynccontextmanager
async def codec_server(status: str, heard: list[bytes]) -> AsyncIterator[str]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readuntil(b"\r\n\r\n"))
        heard.append(await reader.readexactly(16))
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())
        await writer.drain()

    async with loopback_server(serve) as address:
        yield f"http://{address}"


async def look(**env: str) -> dict[str, Finding]:
    return {found.name: found for found in await payloads(env)}


@pytest.mark.parametrize(
    ("status", "expected", "advice"),
    [
        ("200 OK", Standing.OK, ""),
        ("401 Unauthorized", Standing.MISSING, "TEMPORAL_CODEC_AUTH"),
        ("403 Forbidden", Standing.MISSING, "TEMPORAL_CODEC_AUTH"),
        ("404 Not Found", Standing.MISSING, "TEMPORAL_CODEC_ENDPOINT"),
    ],
)
async def test_a_codec_server_is_asked_to_decode_nothing(
    status: str, expected: Standing, advice: str
) -> None:
    heard: list[bytes] = []
    async with codec_server(status, heard) as endpoint:
        env = {"TEMPORAL_CODEC_ENDPOINT": f"{endpoint}/{{namespace}}", "TEMPORAL_NAMESPACE": "fleet"}
        found = (await look(**env, TEMPORAL_CODEC_AUTH="Bearer token"))["codec server"]

    assert found.standing is expected
    assert advice in found.advice
    head, body = heard[0].decode(), heard[1]
    assert head.startswith("POST /fleet/decode ")
    assert "X-Namespace: fleet\r\n" in head
    assert "Authorization: Bearer token\r\n" in head
    assert body == b'{"payloads": []}'


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:1", "codec.internal", "ftp://codec.internal"])
async def test_a_codec_server_that_does_not_answer_is_named(endpoint: str) -> None:
    found = (await look(TEMPORAL_CODEC_ENDPOINT=endpoint))["codec server"]

    assert found.standing is Standing.MISSING
    assert found.found.startswith(endpoint)


async def test_without_an_endpoint_nobody_is_asked() -> None:
    assert list(await look()) == ["payload keys"]


async def test_keys_are_told_by_their_ids_only(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(f"{KEY}\n{KEY.replace('2026-11', '2026-10')}\n")

    found = (await look(STEADFLEET_PAYLOAD_KEYS=str(file)))["payload keys"]

    assert (found.standing, found.found) == (Standing.OK, "encrypts with 2026-11, reads 1 older")


async def test_a_file_of_keys_that_is_not_there_is_missing(tmp_path: Path) -> None:
    found = (await look(STEADFLEET_PAYLOAD_KEYS=str(tmp_path / "nowhere")))["payload keys"]

    assert found.standing is Standing.MISSING
    assert "nowhere" in found.found
