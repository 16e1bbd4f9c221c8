"""One way to the engine, on Temporal's own environment configuration.

EngineError
├── ConnectionConfigError  what is written cannot be right: refused before anything is touched
├── EngineUnreachableError no answer, or not in the language that was expected
├── NamespaceMissingError  the engine answers and has no such namespace
└── NotAuthorizedError     the engine answers and refuses us
"""

import asyncio
import logging
from collections.abc import Mapping
from datetime import timedelta

from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client
from temporalio.common import HeaderCodecBehavior
from temporalio.converter import DataConverter
from temporalio.envconfig import ClientConnectConfig
from temporalio.runtime import (
    LogForwardingConfig,
    LoggingConfig,
    PrometheusConfig,
    Runtime,
    TelemetryConfig,
    TelemetryFilter,
)
from temporalio.service import RPCError, RPCStatusCode, TLSConfig

from steadfleet_durable.connection_config import ConnectionConfigError, EngineError, connection_config
from steadfleet_durable.encryption import PayloadEncryption, PayloadValues
from steadfleet_durable.encryption_failures import SealedFailures
from steadfleet_durable.encryption_keys import Keyring
from steadfleet_durable.failures import ShortFailures
from steadfleet_durable.tracing import trace_plugins

__all__ = [
    "ConnectionConfigError",
    "EngineError",
    "EngineUnreachableError",
    "NamespaceMissingError",
    "NotAuthorizedError",
    "connect",
    "connection_config",
    "data_converter",
    "engine_runtime",
    "payload_encryption",
]


class EngineUnreachableError(EngineError):
    """Nothing answers at the address, or it does not speak as configured."""


class NamespaceMissingError(EngineError):
    """The engine has no namespace of the configured name."""


class NotAuthorizedError(EngineError):
    """The engine does not accept who we are."""


def data_converter(encryption: PayloadEncryption | None = None) -> DataConverter:
    """Return the one converter for clients, workers, replays and tests."""
    failures = SealedFailures if encryption else ShortFailures
    return DataConverter(
        payload_converter_class=PayloadValues, payload_codec=encryption, failure_converter_class=failures
    )


def payload_encryption(namespace: str, env: Mapping[str, str] | None = None) -> PayloadEncryption | None:
    """Return what the keys of `STEADFLEET_PAYLOAD_KEYS` encrypt with in this namespace; None without them."""

    def read() -> Keyring | None:
        return Keyring.from_environment(env)

    keyring = read()
    return PayloadEncryption(keyring, namespace, reread=lambda: read() or keyring) if keyring else None


async def connect(
    *,
    profile: str | None = None,
    config_file: str | None = None,
    env: Mapping[str, str] | None = None,
    identity: str | None = None,
    metrics_address: str | None = None,
    connect_time: timedelta = timedelta(seconds=10),
) -> Client:
    """
    Connect as `TEMPORAL_*` variables and `temporal.toml` say, and prove that the namespace answers.

    Raises an `EngineError` whose text says what was tried, what came back and what to do.
    """
    config = connection_config(profile=profile, config_file=config_file, env=env)
    encryption = payload_encryption(config["namespace"], env)
    runtime = engine_runtime(metrics_address)
    try:
        async with asyncio.timeout(connect_time.total_seconds()):
            client = await Client.connect(
                **config,
                data_converter=data_converter(encryption),
                header_codec_behavior=HeaderCodecBehavior.CODEC,
                identity=identity,
                runtime=runtime,
                plugins=trace_plugins(),
            )
            await _probe(client, config)
    except TimeoutError as error:
        raise _unreachable(config, f"no answer within {connect_time.total_seconds():g} s") from error
    except RuntimeError as error:
        raise _failed_connect(config, str(error)) from error
    return client


_runtime: tuple[str | None, Runtime] | None = None


def engine_runtime(metrics_address: str | None = None) -> Runtime:
    """Return this process's one SDK runtime, with `/metrics` at the given `host:port`."""
    global _runtime  # noqa: PLW0603  # a second runtime would be a second thread pool and lose metrics
    if _runtime is None:
        _runtime = (metrics_address, _new_runtime(metrics_address))
    elif metrics_address not in {None, _runtime[0]}:
        raise ConnectionConfigError(
            f"metrics address {metrics_address}: this process already has its SDK runtime, with metrics at"
            f" {_runtime[0] or 'no address'}; give the address to the first connect()"
        )
    return _runtime[1]


def _new_runtime(metrics_address: str | None) -> Runtime:
    metrics = metrics_address and PrometheusConfig(
        bind_address=metrics_address,
        durations_as_seconds=True,
        counters_total_suffix=True,
        unit_suffix=True,
    )
    core_logs = LoggingConfig(
        filter=TelemetryFilter(core_level="WARN", other_level="ERROR"),
        # By itself it would print to stdout, where a command's answer goes.
        forwarding=LogForwardingConfig(logger=logging.getLogger("temporalio.core")),
    )
    try:
        return Runtime(telemetry=TelemetryConfig(metrics=metrics or None, logging=core_logs))
    except (RuntimeError, ValueError) as error:
        raise ConnectionConfigError(
            f"metrics address {metrics_address}: {error}; expected a free `host:port`"
        ) from error


async def _probe(client: Client, config: ClientConnectConfig) -> None:
    """Ask for the namespace: connecting alone succeeds for one that does not exist."""
    try:
        await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace=client.namespace))
    except RPCError as error:
        raise _refusal(config, error) from error


def _failed_connect(config: ClientConnectConfig, got: str) -> EngineError:
    """Tell a refusal from no answer: the SDK's first call may be where a credential is refused."""
    if "PermissionDenied" in got or "Unauthenticated" in got:
        return _not_authorized(config, got)
    return _unreachable(config, got)


def _refusal(config: ClientConnectConfig, error: RPCError) -> EngineError:
    where, namespace = config["target_host"], config["namespace"]
    if error.status == RPCStatusCode.NOT_FOUND:
        return NamespaceMissingError(
            f"namespace {namespace!r} does not exist at {where}: create it"
            f" (`temporal operator namespace create -n {namespace}`) or set TEMPORAL_NAMESPACE"
        )
    if error.status in {RPCStatusCode.PERMISSION_DENIED, RPCStatusCode.UNAUTHENTICATED}:
        return _not_authorized(config, error.message)
    return _unreachable(config, f"{error.status.name}: {error.message}")


def _not_authorized(config: ClientConnectConfig, got: str) -> NotAuthorizedError:
    return NotAuthorizedError(
        f"{config['target_host']} refuses {_credential(config)} for namespace {config['namespace']!r} ({got})"
        ": check that the credential is current and may use this namespace, and that the namespace's name is"
        " right (Temporal Cloud: `<name>.<account>`)"
    )


def _unreachable(config: ClientConnectConfig, got: str) -> EngineUnreachableError:
    return EngineUnreachableError(
        f"no engine at {config['target_host']} ({_transport(config)}, {_credential(config)}): {got}."
        f" {_advice(config, got)}"
    )


# What the transport's error says, and what to do about it. First match counts.
_ADVICE = (
    ("InvalidContentType", "The server speaks plain text: set TEMPORAL_TLS=false, or its TLS address"),
    (
        "CertificateRequired",
        "The server demands a client certificate: TEMPORAL_TLS_CLIENT_CERT_PATH, _KEY_PATH",
    ),
    ("UnknownIssuer", "Its certificate is not signed by a known authority: TEMPORAL_TLS_SERVER_CA_CERT_PATH"),
    ("NotValidForName", "Its certificate is for another name: set TEMPORAL_TLS_SERVER_NAME"),
    ("Expired", "A certificate has expired"),
    ("PrivateKeyParseError", "TEMPORAL_TLS_CLIENT_KEY_PATH is not a PEM private key"),
    ("CertificateParseError", "A certificate given is not PEM"),
    ("KeyMismatch", "The client certificate and the client key are not a pair"),
    ("dns error", "The name does not resolve: check TEMPORAL_ADDRESS"),
    ("ConnectionRefused", "Start the engine, or set TEMPORAL_ADDRESS"),
)
# What is heard when plain text is spoken to TLS: the server hangs up without a word.
_CLOSED = ("operation was canceled", "connection closed", "broken pipe", "ConnectionReset")


def _advice(config: ClientConnectConfig, got: str) -> str:
    for symptom, advice in _ADVICE:
        if symptom in got:
            return advice
    tls = config.get("tls")
    if not tls and any(symptom in got for symptom in _CLOSED):
        return "The server speaks TLS only: set TEMPORAL_TLS=true, and the TEMPORAL_TLS_* that it asks for"
    if not tls:
        return "Check TEMPORAL_ADDRESS; if the server expects TLS, set TEMPORAL_TLS=true"
    if isinstance(tls, TLSConfig) and tls.client_cert:
        return "Check that the server accepts this client certificate, and the address"
    return (
        "The server may demand a client certificate (TEMPORAL_TLS_CLIENT_CERT_PATH, _KEY_PATH), or the"
        " address is wrong"
    )


def _transport(config: ClientConnectConfig) -> str:
    return "TLS" if config.get("tls") else "plain text"


def _credential(config: ClientConnectConfig) -> str:
    tls = config.get("tls")
    if isinstance(tls, TLSConfig) and tls.client_cert:
        return "a client certificate"
    return "an API key" if config.get("api_key") else "no credential"
