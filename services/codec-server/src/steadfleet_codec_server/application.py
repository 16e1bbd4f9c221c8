"""Temporal's codec protocol over HTTP: `POST /decode` and `/encode`, for callers who may."""

import asyncio
from collections.abc import Callable, Mapping

from google.protobuf.json_format import MessageToDict, Parse, ParseError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from temporalio.api.common.v1 import Payload, Payloads

from steadfleet_codec_server.callers import Caller, KeysUnavailableError, Role, TokenRefusedError, Tokens
from steadfleet_durable import get_logger
from steadfleet_durable.encryption import (
    KEY_ID,
    NAMESPACE,
    PayloadEncryption,
    UnreadablePayloadError,
    is_encrypted,
)
from steadfleet_durable.encryption_keys import PayloadKeysError

MOST_BYTES = 8 << 20
"""The most that a history's page of 4 MB comes to in JSON, and some."""

_NEEDED: Mapping[str, Role] = {"decode": Role.READ, "encode": Role.WRITE}
# The second is how the web UI sends the identity token along; a browser asks leave for each.
_CORS_HEADERS = ("Authorization", "Authorization-Extras", "Content-Type", "X-Namespace")

_log = get_logger(__name__)

EncryptionOf = Callable[[str], PayloadEncryption]
"""What encrypts and decrypts in the namespace of that name."""


def application(tokens: Tokens, encryption_of: EncryptionOf, origins: tuple[str, ...]) -> Starlette:
    codec = _Codec(tokens, encryption_of)
    cors = Middleware(
        CORSMiddleware, allow_origins=origins, allow_methods=("POST",), allow_headers=_CORS_HEADERS
    )
    routes = [
        Route("/decode", codec.decode, methods=["POST"]),
        Route("/encode", codec.encode, methods=["POST"]),
        Route("/healthz", _alive, methods=["GET"]),
    ]
    return Starlette(routes=routes, middleware=[cors])


async def _alive(_request: Request) -> Response:
    return PlainTextResponse("alive\n")


class _Codec:
    def __init__(self, tokens: Tokens, encryption_of: EncryptionOf) -> None:
        self._tokens = tokens
        self._encryption_of = encryption_of

    async def decode(self, request: Request) -> Response:
        caller, namespace = await self._admitted(request, "decode")
        payloads = await _payloads(request)
        if any(_is_foreign(payload, namespace) for payload in payloads):
            raise HTTPException(403, f"a payload was not written in namespace {namespace}")
        encryption = self._encryption(namespace)
        return _answer(caller, "decode", namespace, [_shown(encryption, payload) for payload in payloads])

    async def encode(self, request: Request) -> Response:
        caller, namespace = await self._admitted(request, "encode")
        payloads = await _payloads(request)
        return _answer(caller, "encode", namespace, await self._encryption(namespace).encode(payloads))

    def _encryption(self, namespace: str) -> PayloadEncryption:
        try:
            return self._encryption_of(namespace)
        except PayloadKeysError as error:
            _log.error("the payload keys cannot be read", problem=str(error))
            raise HTTPException(503, "the payload keys cannot be read") from error

    async def _admitted(self, request: Request, verb: str) -> tuple[Caller, str]:
        """Return who calls and in which namespace, or refuse before the body is read."""
        try:
            caller = await asyncio.to_thread(self._tokens.caller, request.headers.get("authorization"))
        except TokenRefusedError as error:
            raise HTTPException(401, str(error), {"WWW-Authenticate": "Bearer"}) from error
        except KeysUnavailableError as error:
            raise HTTPException(503, str(error)) from error
        namespace = request.headers.get("x-namespace")
        if not namespace:
            raise HTTPException(400, "expected the header X-Namespace")
        if caller.role_in(namespace) < _NEEDED[verb]:
            needed = _NEEDED[verb].name.lower()
            _log.warning("refused", verb=verb, caller=caller.subject, namespace=namespace)
            raise HTTPException(403, f"to {verb} needs the permission {namespace}:{needed}")
        return caller, namespace


def _is_foreign(payload: Payload, namespace: str) -> bool:
    """Tell whether it belongs elsewhere: a caller may bring what was never theirs to read."""
    return is_encrypted(payload) and payload.metadata[NAMESPACE] != namespace.encode()


def _shown(encryption: PayloadEncryption, payload: Payload) -> Payload:
    """Decrypt what can be; what cannot stays as it is, so that the rest of a history can be read."""
    if not is_encrypted(payload):
        return payload
    try:
        return encryption.opened(payload)
    except UnreadablePayloadError as error:
        key_id = payload.metadata[KEY_ID].decode(errors="replace")
        _log.warning("a payload stays encrypted", key_id=key_id, problem=str(error))
        return payload


async def _payloads(request: Request) -> list[Payload]:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BYTES:
            raise HTTPException(413, f"expected at most {MOST_BYTES} bytes")
    try:
        return list(Parse(bytes(body), Payloads(), ignore_unknown_fields=True).payloads)
    except (ParseError, UnicodeDecodeError):
        # Not as a cause, and not its words: they quote what was sent.
        raise HTTPException(400, 'expected JSON: {"payloads": [{"metadata": …, "data": …}]}') from None


def _answer(caller: Caller, verb: str, namespace: str, payloads: list[Payload]) -> Response:
    _log.info("answered", verb=verb, caller=caller.subject, namespace=namespace, payloads=len(payloads))
    return JSONResponse({"payloads": [MessageToDict(payload) for payload in payloads]})
