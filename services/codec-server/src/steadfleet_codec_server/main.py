"""The codec server: shows payloads to people who may read them, in Temporal's web UI and command line.

Without a command it serves until SIGTERM; `key` makes and orders the keys that payloads are encrypted with.
"""

import argparse
import asyncio
import signal
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import uvicorn

from steadfleet_codec_server import keys
from steadfleet_codec_server.application import application
from steadfleet_codec_server.callers import SigningKeys, Tokens
from steadfleet_codec_server.settings import ADDRESS, Settings
from steadfleet_durable import EngineError, WorkerConfigError, get_logger, run_service
from steadfleet_durable.connection import payload_encryption
from steadfleet_durable.connection_config import PAYLOAD_KEYS
from steadfleet_durable.encryption import PayloadEncryption
from steadfleet_durable.encryption_keys import PayloadKeysError

_LAST_ANSWERS_SECONDS = 5

_log = get_logger(__name__)


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve; every setting comes from the environment. Or make, list and order payload keys."""
    asked = _parser().parse_args(arguments)
    if asked.command is None:
        run_service(work())
    try:
        asked.run(asked)
    except EngineError as error:
        sys.exit(f"steadfleet-codec-server: {error}")


async def work() -> None:
    settings = Settings.from_env()
    tokens = Tokens(SigningKeys(settings.jwks), settings.audience)
    certificate, key = settings.certificate or (None, None)
    server = _Server(
        uvicorn.Config(
            application(tokens, _encryption_of, settings.origins),
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=_LAST_ANSWERS_SECONDS,
            ssl_certfile=certificate,
            ssl_keyfile=key,
        )
    )
    with _listening(settings.address) as listener:
        _log.info("serving", address=":".join(map(str, settings.address)), tls=certificate is not None)
        await server.serve(sockets=[listener])


class _Server(uvicorn.Server):
    """Ends with 0 at SIGTERM, as our workers do; uvicorn's own would raise the signal again."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        yield


def _encryption_of(namespace: str) -> PayloadEncryption:
    """Read the keys anew: a key that was added is there without a restart."""
    encryption = payload_encryption(namespace)
    if encryption is None:
        raise PayloadKeysError(f"{PAYLOAD_KEYS} is not set")
    return encryption


def _listening(address: tuple[str, int]) -> socket.socket:
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    try:
        return socket.create_server(address, family=family)
    except OSError as error:
        raise WorkerConfigError(
            f"{ADDRESS}={address[0]}:{address[1]}: {error.strerror}; expected a free `host:port`"
        ) from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "steadfleet-codec-server", description="Show encrypted payloads to those who may read them."
    )
    commands = parser.add_subparsers(dest="command")
    key = commands.add_parser("key", help=f"the file of payload keys, which {PAYLOAD_KEYS} names")
    verbs = key.add_subparsers(dest="verb", required=True)
    new = verbs.add_parser(
        "new", help="add a new key to FILE, as its last: it decrypts, and does not encrypt yet"
    )
    new.set_defaults(run=lambda asked: keys.add(asked.id, asked.file))
    first = verbs.add_parser("first", help="make a key of FILE the first, which encrypts")
    first.set_defaults(run=lambda asked: keys.make_first(asked.id, asked.file))
    for verb in (new, first):
        verb.add_argument("id", metavar="ID", help="the key's name, such as 2026-11")
    shown = verbs.add_parser("list", help="show the ids of FILE's keys, and which encrypts")
    shown.set_defaults(run=lambda asked: keys.show(asked.file))
    for verb in (new, first, shown):
        verb.add_argument("file", type=Path, metavar="FILE")
    return parser
