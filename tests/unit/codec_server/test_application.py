"""Who may have a payload decrypted, or encrypted, and what the server says and logs of it."""

import base64
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from google.protobuf.json_format import MessageToDict
from temporalio.api.common.v1 import Payload
from unit.codec_server.issuer import AUDIENCE, Issuer

from fakes.logs import restored_logs
from steadfleet_codec_server.application import MOST_BYTES, application
from steadfleet_codec_server.callers import SigningKeys, Tokens
from steadfleet_durable import configure_logs, data_converter
from steadfleet_durable.encryption import PayloadEncryption
from steadfleet_durable.encryption_keys import Keyring

UI = "https://temporal.example.com"
KEYRING = Keyring("now", {"now": b"\1" * 32})
RETIRED = Keyring("retired", {"retired": b"\2" * 32})
SECRET = "correct horse"


@pytest.fixture
def issuer(tmp_path: Path) -> Issuer:
    return Issuer(tmp_path / "jwks.json")


@pytest.fixture
async def server(issuer: Issuer) -> AsyncIterator[httpx.AsyncClient]:
    tokens = Tokens(SigningKeys(str(issuer.file)), AUDIENCE)
    app = application(tokens, lambda namespace: PayloadEncryption(KEYRING, namespace), (UI,))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://codec") as client:
        yield client


def calling(issuer: Issuer, *permissions: str, namespace: str = "prod") -> dict[str, str]:
    return {"Authorization": f"Bearer {issuer.token(*permissions)}", "X-Namespace": namespace}


async def sealed(value: str = SECRET, keyring: Keyring = KEYRING, namespace: str = "prod") -> Any:
    (payload,) = await data_converter(PayloadEncryption(keyring, namespace)).encode([value])
    return MessageToDict(payload)


def plain(value: str = SECRET) -> dict[str, Any]:
    encoding = base64.b64encode(b"json/plain").decode()
    return {"metadata": {"encoding": encoding}, "data": base64.b64encode(json.dumps(value).encode()).decode()}


async def test_a_reader_has_payloads_decrypted(server: httpx.AsyncClient, issuer: Issuer) -> None:
    body = {"payloads": [await sealed(), plain("never encrypted")]}
    answer = await server.post("/decode", json=body, headers=calling(issuer, "prod:read"))

    assert answer.json() == {"payloads": [plain(), plain("never encrypted")]}


async def test_a_writer_has_payloads_encrypted_for_the_namespace(
    server: httpx.AsyncClient, issuer: Issuer
) -> None:
    caller = calling(issuer, "prod:write")
    encoded = (await server.post("/encode", json={"payloads": [plain()]}, headers=caller)).json()

    assert base64.b64decode(encoded["payloads"][0]["metadata"]["encryption-namespace"]) == b"prod"
    assert (await server.post("/decode", json=encoded, headers=caller)).json() == {"payloads": [plain()]}


@pytest.mark.parametrize("verb", ["decode", "encode"])
async def test_nothing_is_done_for_a_caller_who_proves_nothing(server: httpx.AsyncClient, verb: str) -> None:
    answer = await server.post(
        f"/{verb}", json={"payloads": [await sealed()]}, headers={"X-Namespace": "prod"}
    )

    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert SECRET not in answer.text


@pytest.mark.parametrize(
    ("verb", "permission", "status"),
    [
        ("decode", "prod:read", 200),
        ("decode", "prod:write", 200),
        ("encode", "prod:write", 200),
        ("encode", "prod:read", 403),
        ("decode", "prod:worker", 403),
        ("decode", "dev:admin", 403),
    ],
)
async def test_to_decode_is_for_readers_and_to_encode_for_writers(
    server: httpx.AsyncClient, issuer: Issuer, verb: str, permission: str, status: int
) -> None:
    body = {"payloads": [await sealed()]}
    answer = await server.post(f"/{verb}", json=body, headers=calling(issuer, permission))

    assert answer.status_code == status


async def test_a_payload_of_another_namespace_is_not_decrypted_under_the_name_of_ones_own(
    server: httpx.AsyncClient, issuer: Issuer
) -> None:
    body = {"payloads": [await sealed(namespace="prod")]}
    reader_of_dev = calling(issuer, "dev:read", namespace="dev")
    assert (await server.post("/decode", json=body, headers=reader_of_dev)).status_code == 403

    relabelled = {
        **body["payloads"][0]["metadata"],
        "encryption-namespace": base64.b64encode(b"dev").decode(),
    }
    body["payloads"][0]["metadata"] = relabelled
    answer = await server.post("/decode", json=body, headers=reader_of_dev)
    assert answer.json() == body


async def test_a_payload_whose_key_is_gone_stays_as_it_is_beside_others(
    server: httpx.AsyncClient, issuer: Issuer
) -> None:
    gone = await sealed(keyring=RETIRED)
    body = {"payloads": [gone, await sealed()]}
    answer = await server.post("/decode", json=body, headers=calling(issuer, "prod:read"))

    assert answer.json() == {"payloads": [gone, plain()]}


@pytest.mark.parametrize("content", [b"", b"not json", b'{"payloads": 7}', b'{"payloads":[{"data":7}]}'])
async def test_what_is_not_the_protocol_is_refused_without_being_quoted(
    server: httpx.AsyncClient, issuer: Issuer, content: bytes
) -> None:
    answer = await server.post("/decode", content=content, headers=calling(issuer, "prod:read"))

    assert (answer.status_code, answer.text) == (
        400,
        'expected JSON: {"payloads": [{"metadata": …, "data": …}]}',
    )


async def test_a_caller_names_the_namespace(server: httpx.AsyncClient, issuer: Issuer) -> None:
    caller = {"Authorization": f"Bearer {issuer.token('prod:read')}"}

    assert (await server.post("/decode", json={"payloads": []}, headers=caller)).status_code == 400


async def test_a_body_has_a_limit(server: httpx.AsyncClient, issuer: Issuer) -> None:
    caller = calling(issuer, "prod:read")

    answer = await server.post("/decode", content=b" " * (MOST_BYTES + 1), headers=caller)
    assert answer.status_code == 413


async def test_keys_of_tokens_that_cannot_be_had_are_told_apart_from_a_refusal(
    server: httpx.AsyncClient, issuer: Issuer
) -> None:
    issuer.file.unlink()

    answer = await server.post("/decode", json={"payloads": []}, headers=calling(issuer, "prod:read"))
    assert answer.status_code == 503
    assert (await server.get("/healthz")).status_code == 200


PREFLIGHT = {
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization,authorization-extras,content-type,x-namespace",
}


async def test_the_web_ui_s_preflight_is_answered(server: httpx.AsyncClient) -> None:
    answer = await server.options("/decode", headers={**PREFLIGHT, "Origin": UI})

    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == UI
    assert {"Authorization", "Content-Type", "X-Namespace"} <= set(
        answer.headers["Access-Control-Allow-Headers"].split(", ")
    )


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "http://temporal.example.com", f"{UI}.evil", "null"]
)
async def test_no_other_origin_is_allowed(server: httpx.AsyncClient, issuer: Issuer, origin: str) -> None:
    preflight = await server.options("/decode", headers={**PREFLIGHT, "Origin": origin})
    answer = await server.post(
        "/decode", json={"payloads": []}, headers={**calling(issuer, "prod:read"), "Origin": origin}
    )

    assert "Access-Control-Allow-Origin" not in preflight.headers
    assert "Access-Control-Allow-Origin" not in answer.headers


async def test_a_refusal_too_is_readable_for_the_web_ui(server: httpx.AsyncClient) -> None:
    answer = await server.post("/decode", json={}, headers={"Origin": UI})

    assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (401, UI)


async def test_the_log_says_who_read_how_much_and_never_what(
    server: httpx.AsyncClient, issuer: Issuer
) -> None:
    log = io.StringIO()
    with restored_logs():
        configure_logs(stream=log, env={"STEADFLEET_LOG": "json"})
        token = issuer.token("prod:read")
        altered = await sealed()
        altered["data"] = base64.b64encode(base64.b64decode(altered["data"])[:-1] + b"x").decode()
        await server.post(
            "/decode",
            json={"payloads": [await sealed(), altered, await sealed(keyring=RETIRED)]},
            headers={"Authorization": f"Bearer {token}", "X-Namespace": "prod"},
        )

    lines = [json.loads(line) for line in log.getvalue().splitlines() if "codec_server" in line]
    assert [(line["event"], line.get("key_id")) for line in lines] == [
        ("a payload stays encrypted", "now"),
        ("a payload stays encrypted", "retired"),
        ("answered", None),
    ]
    assert (lines[2]["caller"], lines[2]["namespace"], lines[2]["payloads"]) == ("ann@example.com", "prod", 3)
    assert [word for word in ("horse", token, altered["data"]) if word in log.getvalue()] == []


async def test_payload_protobuf_is_what_temporal_sends(server: httpx.AsyncClient, issuer: Issuer) -> None:
    """Metadata and data are base64, and empty fields may be missing."""
    body = {"payloads": [MessageToDict(Payload(metadata={"encoding": b"binary/null"}))]}

    answer = await server.post("/decode", json=body, headers=calling(issuer, "prod:read"))
    assert answer.json() == body
