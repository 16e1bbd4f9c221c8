"""What Temporal's environment configuration says, refused where the SDK would let it pass silently."""

import ipaddress
import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from temporalio.envconfig import ClientConfig, ClientConnectConfig
from temporalio.service import TLSConfig

DEFAULT_ADDRESS = "localhost:7233"
PAYLOAD_KEYS = "STEADFLEET_PAYLOAD_KEYS"
_PAYLOADS = "STEADFLEET_PAYLOADS"
_UNENCRYPTED = "unencrypted"
_TEMPORAL_CLOUD = (".tmprl.cloud", ".api.temporal.io")
_UNVERIFIED = "TEMPORAL_TLS_DISABLE_HOST_VERIFICATION"
_KEY_FILE = "STEADFLEET_API_KEY_FILE"


class EngineError(Exception):
    """An error for a person: what was tried, what came back, and what to do."""


class ConnectionConfigError(EngineError):
    """The configuration cannot be right; nothing was touched."""


def connection_config(
    *,
    profile: str | None = None,
    config_file: str | None = None,
    env: Mapping[str, str] | None = None,
) -> ClientConnectConfig:
    """Resolve arguments over `TEMPORAL_*` over the profile in `temporal.toml` over the local default."""
    # An empty variable is how shells and manifests say "not set".
    given = {key: value for key, value in (os.environ if env is None else env).items() if value}
    path = config_file or given.get("TEMPORAL_CONFIG_FILE")
    _refuse_what_the_sdk_ignores(given, path)
    given |= _key_from_file(given)
    config = _load(profile, path, given)
    config.setdefault("target_host", DEFAULT_ADDRESS)
    config.setdefault("namespace", "default")
    for problem in (*_problems(config), *_payload_problems(config, given)):
        raise ConnectionConfigError(problem)
    return config


def _refuse_what_the_sdk_ignores(env: Mapping[str, str], path: str | None) -> None:
    if path and not Path(path).is_file():
        raise ConnectionConfigError(
            f"config file {path}: there is no such file; correct TEMPORAL_CONFIG_FILE or remove it"
        )
    if env.get("TEMPORAL_TLS", "true").lower() not in {"true", "false", "1", "0"}:
        raise ConnectionConfigError(f"TEMPORAL_TLS={env['TEMPORAL_TLS']}: expected true or false")
    if env.get(_UNVERIFIED, "false").lower() not in {"false", "0"} or _unverified_in(path):
        raise ConnectionConfigError(
            f"{_UNVERIFIED} is not supported by the Python SDK: give the server's authority"
            " (TEMPORAL_TLS_SERVER_CA_CERT_PATH) and its name (TEMPORAL_TLS_SERVER_NAME) instead"
        )


def _key_from_file(env: Mapping[str, str]) -> dict[str, str]:
    path = env.get(_KEY_FILE)
    if path is None:
        return {}
    if "TEMPORAL_API_KEY" in env:
        raise ConnectionConfigError(f"both TEMPORAL_API_KEY and {_KEY_FILE} are set: remove one of them")
    try:
        key = Path(path).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConnectionConfigError(
            f"{_KEY_FILE}={path}: {error}; expected a file with an API key"
        ) from error
    if not key or not key.isascii() or len(key.split()) > 1:
        raise ConnectionConfigError(f"{_KEY_FILE}={path}: expected one line with an API key or token")
    return {"TEMPORAL_API_KEY": key}


def _unverified_in(path: str | None) -> bool:
    if path is None:
        return False
    try:
        profiles: dict[str, Any] = tomllib.loads(Path(path).read_text()).get("profile", {})
    except (tomllib.TOMLDecodeError, OSError):
        return False  # the SDK's own loader says it better
    return any(
        isinstance(tls := body.get("tls"), dict) and tls.get("disable_host_verification") is True
        for body in profiles.values()
    )


def _load(profile: str | None, path: str | None, env: Mapping[str, str]) -> ClientConnectConfig:
    try:
        return ClientConfig.load_client_connect_config(
            profile, config_file=path, config_file_strict=True, override_env_vars=env
        )
    except FileNotFoundError as error:
        raise ConnectionConfigError(
            f"certificate or key file {error.filename}: there is no such file; correct the"
            " TEMPORAL_TLS_*_PATH variable or the profile's tls section"
        ) from error
    except (RuntimeError, OSError) as error:
        where = path or "the default temporal.toml"
        raise ConnectionConfigError(
            f"configuration for Temporal (profile {profile or env.get('TEMPORAL_PROFILE', 'default')!r},"
            f" {where}): {error}"
        ) from error


def _problems(config: ClientConnectConfig) -> Iterator[str]:
    address = config["target_host"]
    host, _, port = address.rpartition(":")
    if "://" in address or not host or not port.isdigit():
        yield f"address {address!r}: expected `host:port` without a scheme, such as {DEFAULT_ADDRESS}"
    if not config.get("tls") and _has_secret(config) and not _is_loopback(host.strip("[]")):
        yield (
            f"an API key would travel in clear text to {address}: remove TEMPORAL_TLS=false (or `disabled`"
            " in the profile's tls section)"
        )
    tls = config.get("tls")
    if isinstance(tls, TLSConfig):
        yield from _tls_problems(tls)


def _payload_problems(config: ClientConnectConfig, env: Mapping[str, str]) -> Iterator[str]:
    said, keys = env.get(_PAYLOADS), env.get(PAYLOAD_KEYS)
    if said not in {None, _UNENCRYPTED}:
        yield f"{_PAYLOADS}={said}: expected {_UNENCRYPTED}, or nothing beside {PAYLOAD_KEYS}"
    if said and keys:
        yield f"{_PAYLOADS}={said}, and {PAYLOAD_KEYS} names keys to encrypt with: remove one of them"
    host = config["target_host"].rpartition(":")[0].lower().rstrip(".")
    if host.endswith(_TEMPORAL_CLOUD) and not (said or keys):
        yield (
            f"{config['target_host']} is Temporal Cloud, and payloads would lie there in clear text: name a"
            f" file of keys in {PAYLOAD_KEYS} (`steadfleet-codec-server key new` makes one), or say"
            f" {_PAYLOADS}={_UNENCRYPTED}"
        )


def _tls_problems(tls: TLSConfig) -> Iterator[str]:
    if (tls.client_cert is None) != (tls.client_private_key is None):
        missing = "TEMPORAL_TLS_CLIENT_KEY_PATH" if tls.client_cert else "TEMPORAL_TLS_CLIENT_CERT_PATH"
        yield f"a client certificate needs its key, and the key its certificate: {missing} is missing"
    parts = {
        "server authority (TEMPORAL_TLS_SERVER_CA_CERT_*)": tls.server_root_ca_cert,
        "client certificate (TEMPORAL_TLS_CLIENT_CERT_*)": tls.client_cert,
        "client key (TEMPORAL_TLS_CLIENT_KEY_*)": tls.client_private_key,
    }
    for name, data in parts.items():
        if data is not None and b"-----BEGIN" not in data:
            yield f"{name}: expected PEM (`-----BEGIN …`), got {data[:20]!r}…"


def _has_secret(config: ClientConnectConfig) -> bool:
    names = {name.lower() for name in config.get("rpc_metadata", {})}
    return bool(config.get("api_key")) or "authorization" in names


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
