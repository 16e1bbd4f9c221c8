"""What an operator may set for the codec server: read and checked before it listens."""

import ipaddress
import os
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from steadfleet_durable import WorkerConfigError
from steadfleet_durable.connection_config import PAYLOAD_KEYS
from steadfleet_durable.encryption_keys import Keyring
from steadfleet_durable.settings import split_address

ADDRESS = "STEADFLEET_CODEC_ADDRESS"
ORIGINS = "STEADFLEET_CODEC_ORIGINS"
JWKS = "STEADFLEET_CODEC_JWKS"
AUDIENCE = "STEADFLEET_CODEC_AUDIENCE"
CERTIFICATE = "STEADFLEET_CODEC_CERTIFICATE"
CERTIFICATE_KEY = "STEADFLEET_CODEC_CERTIFICATE_KEY"
TLS = "STEADFLEET_CODEC_TLS"

_DEFAULT_ADDRESS = "127.0.0.1:8081"
_ELSEWHERE = "elsewhere"


@dataclass(frozen=True)
class Settings:
    """`jwks` is a file's path, or a URL; `certificate` a chain and its key, or None for plain HTTP."""

    address: tuple[str, int]
    origins: tuple[str, ...]
    jwks: str
    audience: str
    certificate: tuple[Path, Path] | None

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None) -> Self:
        given = {name: value for name, value in (os.environ if env is None else env).items() if value}
        if Keyring.from_environment(given) is None:
            raise WorkerConfigError(
                f"{PAYLOAD_KEYS} is not set: expected the file of the workers' payload keys"
            )
        address, certificate = _address(given), _certificate(given)
        _refuse_clear_text(given, address, certificate)
        return cls(address, _origins(given), _jwks(given), _audience(given), certificate)


def _address(env: Mapping[str, str]) -> tuple[str, int]:
    said = env.get(ADDRESS, _DEFAULT_ADDRESS)
    if not re.fullmatch(r".+:\d+", said):
        raise WorkerConfigError(f"{ADDRESS}={said}: expected `host:port`, such as {_DEFAULT_ADDRESS}")
    return split_address(said)


def _origins(env: Mapping[str, str]) -> tuple[str, ...]:
    origins = tuple(origin.strip() for origin in env.get(ORIGINS, "").split(",") if origin.strip())
    for origin in origins:
        if not re.fullmatch(r"https?://[^/*\s?#@]+", origin):
            raise WorkerConfigError(
                f"{ORIGINS}: {origin} is no origin; expected those of the web UI by commas, such as"
                " https://temporal.example.com, without a path and never `*`"
            )
    return origins


def _jwks(env: Mapping[str, str]) -> str:
    said = env.get(JWKS)
    if said is None:
        raise WorkerConfigError(
            f"{JWKS} is not set: expected the JSON Web Key Set that callers' tokens are signed by, a file or"
            " an https URL: without, anybody could decrypt"
        )
    url = urlsplit(said)
    if url.scheme in {"http", "https"}:
        if url.scheme == "http" and not is_loopback(url.hostname or ""):
            raise WorkerConfigError(f"{JWKS}={said}: keys over plain HTTP are anybody's; expected https")
    elif not Path(said).is_file():
        raise WorkerConfigError(f"{JWKS}={said}: there is no such file; expected a file or an https URL")
    return said


def _audience(env: Mapping[str, str]) -> str:
    if AUDIENCE not in env:
        raise WorkerConfigError(
            f"{AUDIENCE} is not set: expected the audience (`aud`) of the tokens that are meant for this"
            " server; a token for anything else is refused"
        )
    return env[AUDIENCE]


def _certificate(env: Mapping[str, str]) -> tuple[Path, Path] | None:
    said = [name for name in (CERTIFICATE, CERTIFICATE_KEY) if name in env]
    if not said:
        return None
    if len(said) == 1:
        raise WorkerConfigError(f"only {said[0]} is set: expected both {CERTIFICATE} and {CERTIFICATE_KEY}")
    certificate, key = env[CERTIFICATE], env[CERTIFICATE_KEY]
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)
    except OSError as error:  # ssl.SSLError is one
        raise WorkerConfigError(
            f"{CERTIFICATE}={certificate} with {CERTIFICATE_KEY}={key}: {error}; expected a PEM certificate"
            " and its key"
        ) from error
    return Path(certificate), Path(key)


def _refuse_clear_text(
    env: Mapping[str, str], address: tuple[str, int], certificate: tuple[Path, Path] | None
) -> None:
    said = env.get(TLS)
    if said not in {None, _ELSEWHERE}:
        raise WorkerConfigError(f"{TLS}={said}: expected {_ELSEWHERE}, or nothing")
    if certificate is None and said is None and not is_loopback(address[0]):
        raise WorkerConfigError(
            f"{ADDRESS}={address[0]}:{address[1]}: tokens and decrypted payloads would travel in clear text;"
            f" set {CERTIFICATE} and {CERTIFICATE_KEY}, or say {TLS}={_ELSEWHERE} if a proxy before it"
            " speaks TLS"
        )


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
