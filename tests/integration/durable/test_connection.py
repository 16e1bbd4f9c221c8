"""Every combination of the configuration against a real engine, with a real TLS front."""

import asyncio
import socket
from datetime import timedelta
from pathlib import Path

import pytest
from integration.durable.refusing_engine import refusing_engine
from integration.durable.service import work_for
from integration.durable.tls_front import Authority, as_http2_header, tls_front
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from steadfleet_durable import (
    ConnectionConfigError,
    EngineUnreachableError,
    NamespaceMissingError,
    NotAuthorizedError,
    build_worker,
    connect,
    engine_runtime,
)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def address(dev_server: WorkflowEnvironment) -> str:
    return dev_server.client.service_client.config.target_host


async def test_plain_text(address: str) -> None:
    client = await connect(env={"TEMPORAL_ADDRESS": address})
    assert client.namespace == "default"
    assert (await client.count_workflows()).count == 0


async def test_a_missing_namespace_is_named(address: str) -> None:
    with pytest.raises(NamespaceMissingError, match="namespace 'prod' does not exist at 127"):
        await connect(env={"TEMPORAL_ADDRESS": address, "TEMPORAL_NAMESPACE": "prod"})


async def test_another_namespace(dev_server: WorkflowEnvironment, address: str) -> None:
    # The engine's own, so that this test need not create one and wait for it.
    client = await connect(env={"TEMPORAL_ADDRESS": address, "TEMPORAL_NAMESPACE": "temporal-system"})
    assert client.namespace == "temporal-system"


async def test_the_file_and_a_variable_over_it(address: str, tmp_path: Path) -> None:
    toml = tmp_path / "temporal.toml"
    toml.write_text('[profile.here]\naddress = "127.0.0.1:1"\nnamespace = "default"\n')
    env = {"TEMPORAL_CONFIG_FILE": str(toml), "TEMPORAL_PROFILE": "here"}
    with pytest.raises(EngineUnreachableError, match=r"127\.0\.0\.1:1 "):
        await connect(env=env)
    await connect(env={**env, "TEMPORAL_ADDRESS": address})


async def test_nothing_listens() -> None:
    with pytest.raises(EngineUnreachableError, match=r"Start the engine, or set TEMPORAL_ADDRESS"):
        await connect(env={"TEMPORAL_ADDRESS": "127.0.0.1:1"})


async def test_a_server_that_never_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        where = f"127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(EngineUnreachableError, match=r"no answer within 0\.5 s"):
            await connect(env={"TEMPORAL_ADDRESS": where}, connect_time=timedelta(seconds=0.5))


async def test_tls_to_a_plain_text_server(address: str) -> None:
    with pytest.raises(EngineUnreachableError, match="speaks plain text"):
        await connect(env={"TEMPORAL_ADDRESS": address, "TEMPORAL_TLS": "true"})


async def test_plain_text_to_a_tls_server(address: str, authority: Authority) -> None:
    async with tls_front(address, authority.issue("127.0.0.1")) as front:
        with pytest.raises(EngineUnreachableError, match="speaks TLS only: set TEMPORAL_TLS=true"):
            await connect(env={"TEMPORAL_ADDRESS": front.address})


async def test_tls_by_file_and_by_data(address: str, authority: Authority) -> None:
    async with tls_front(address, authority.issue("127.0.0.1")) as front:
        env = {"TEMPORAL_ADDRESS": front.address}
        await connect(env={**env, "TEMPORAL_TLS_SERVER_CA_CERT_PATH": str(authority.path)})
        await connect(env={**env, "TEMPORAL_TLS_SERVER_CA_CERT_DATA": authority.path.read_text()})


async def test_tls_from_an_unknown_authority_is_refused(address: str, authority: Authority) -> None:
    async with tls_front(address, authority.issue("127.0.0.1")) as front:
        with pytest.raises(EngineUnreachableError, match="TEMPORAL_TLS_SERVER_CA_CERT_PATH"):
            await connect(env={"TEMPORAL_ADDRESS": front.address, "TEMPORAL_TLS": "true"})


async def test_tls_for_another_name_needs_the_server_name(address: str, authority: Authority) -> None:
    async with tls_front(address, authority.issue("engine.internal")) as front:
        env = {
            "TEMPORAL_ADDRESS": front.address,
            "TEMPORAL_TLS_SERVER_CA_CERT_PATH": str(authority.path),
        }
        with pytest.raises(EngineUnreachableError, match="set TEMPORAL_TLS_SERVER_NAME"):
            await connect(env=env)
        await connect(env={**env, "TEMPORAL_TLS_SERVER_NAME": "engine.internal"})


async def test_the_api_key_reaches_the_server(address: str, authority: Authority) -> None:
    async with tls_front(address, authority.issue("127.0.0.1")) as front:
        env = {
            "TEMPORAL_ADDRESS": front.address,
            "TEMPORAL_TLS_SERVER_CA_CERT_PATH": str(authority.path),
        }
        await connect(env=env)
        assert as_http2_header("Bearer test0ase1cea2") not in front.heard
        await connect(env={**env, "TEMPORAL_API_KEY": "test0ase1cea2"})
        assert as_http2_header("Bearer test0ase1cea2") in front.heard


async def test_mutual_tls(address: str, authority: Authority, tmp_path: Path) -> None:
    certificate, key = authority.issue("worker")
    async with tls_front(address, authority.issue("127.0.0.1"), authority.path) as front:
        toml = tmp_path / "temporal.toml"
        toml.write_text(
            f'[profile.default]\naddress = "{front.address}"\n[profile.default.tls]\n'
            f'server_ca_cert_path = "{authority.path}"\n'
            f'client_cert_path = "{certificate}"\nclient_key_path = "{key}"\n'
        )
        client = await connect(config_file=str(toml), env={})
        assert (await client.count_workflows()).count == 0


async def test_mutual_tls_without_a_client_certificate_is_refused(address: str, authority: Authority) -> None:
    async with tls_front(address, authority.issue("127.0.0.1"), authority.path) as front:
        env = {
            "TEMPORAL_ADDRESS": front.address,
            "TEMPORAL_TLS_SERVER_CA_CERT_PATH": str(authority.path),
        }
        with pytest.raises(EngineUnreachableError, match="TEMPORAL_TLS_CLIENT_CERT_PATH"):
            await connect(env=env)


async def test_mutual_tls_with_a_stranger_s_certificate_is_refused(
    address: str, authority: Authority, tmp_path: Path
) -> None:
    certificate, key = Authority(tmp_path, "stranger").issue("worker")
    async with tls_front(address, authority.issue("127.0.0.1"), authority.path) as front:
        env = {
            "TEMPORAL_ADDRESS": front.address,
            "TEMPORAL_TLS_SERVER_CA_CERT_PATH": str(authority.path),
            "TEMPORAL_TLS_CLIENT_CERT_PATH": str(certificate),
            "TEMPORAL_TLS_CLIENT_KEY_PATH": str(key),
        }
        with pytest.raises(EngineUnreachableError, match="accepts this client certificate"):
            await connect(env=env)


async def test_mutual_tls_with_a_key_of_another_certificate_is_refused(
    address: str, authority: Authority
) -> None:
    certificate, (_, other_key) = authority.issue("worker")[0], authority.issue("other")
    async with tls_front(address, authority.issue("127.0.0.1"), authority.path) as front:
        env = {
            "TEMPORAL_ADDRESS": front.address,
            "TEMPORAL_TLS_SERVER_CA_CERT_PATH": str(authority.path),
            "TEMPORAL_TLS_CLIENT_CERT_PATH": str(certificate),
            "TEMPORAL_TLS_CLIENT_KEY_PATH": str(other_key),
        }
        with pytest.raises(EngineUnreachableError, match="not a pair"):
            await connect(env=env)


@pytest.mark.parametrize("accepted_calls", [0, 1])
@pytest.mark.parametrize("status", [7, 16])
async def test_a_credential_that_is_refused(accepted_calls: int, status: int) -> None:
    """As Temporal Cloud and a server with an authorizer do: at the first call, or at the namespace."""
    async with refusing_engine(status, accepted_calls) as where:
        with pytest.raises(NotAuthorizedError, match="refuses an API key for namespace 'prod'"):
            await connect(
                env={
                    "TEMPORAL_ADDRESS": where,
                    "TEMPORAL_NAMESPACE": "prod",
                    "TEMPORAL_API_KEY": "k",
                    "TEMPORAL_TLS": "false",
                }
            )


async def test_the_sdk_s_own_lines_go_through_our_logs(
    time_skipping: WorkflowEnvironment, caplog: pytest.LogCaptureFixture
) -> None:
    """By itself it prints to stdout, where a command's answer goes."""
    client = await Client.connect(
        time_skipping.client.service_client.config.target_host, runtime=engine_runtime()
    )
    async with build_worker(client, task_queue="q", activities=[work_for]), asyncio.timeout(20):
        while not any(record.name.startswith("temporalio.core") for record in caplog.records):
            await client.service_client.check_health()


async def test_a_process_has_one_runtime() -> None:
    first = engine_runtime()
    assert engine_runtime() is first
    with pytest.raises(ConnectionConfigError, match="already has its SDK runtime"):
        engine_runtime("127.0.0.1:9464")
