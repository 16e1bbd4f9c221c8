"""What the configuration comes to, and what is refused before anything is touched."""

from pathlib import Path

import pytest
from temporalio.service import TLSConfig

from steadfleet_durable import ConnectionConfigError, connection_config

PEM = "-----BEGIN CERTIFICATE-----\n"
FILE = """
[profile.default]
address = "file.example:7233"
namespace = "from-file"
[profile.cloud]
address = "cloud.example:7233"
namespace = "fleet.a1b2"
api_key = "file-key"
"""


@pytest.fixture
def toml(tmp_path: Path) -> Path:
    path = tmp_path / "temporal.toml"
    path.write_text(FILE)
    return path


def test_nothing_said_is_the_local_engine(tmp_path: Path) -> None:
    assert connection_config(env={"HOME": str(tmp_path)}) == {
        "target_host": "localhost:7233",
        "namespace": "default",
    }


def test_empty_variables_are_not_set(tmp_path: Path) -> None:
    env = {"HOME": str(tmp_path), "TEMPORAL_ADDRESS": "", "TEMPORAL_API_KEY": "", "TEMPORAL_CONFIG_FILE": ""}
    assert connection_config(env=env)["target_host"] == "localhost:7233"
    assert "tls" not in connection_config(env=env)


def test_address_and_namespace_from_variables() -> None:
    config = connection_config(env={"TEMPORAL_ADDRESS": "h.example:7233", "TEMPORAL_NAMESPACE": "prod"})
    assert (config["target_host"], config["namespace"]) == ("h.example:7233", "prod")


def test_an_api_key_turns_tls_on() -> None:
    config = connection_config(env={"TEMPORAL_ADDRESS": "h.example:7233", "TEMPORAL_API_KEY": "k"})
    assert (config["api_key"], config["tls"]) == ("k", True)


def test_tls_files_data_and_server_name(tmp_path: Path) -> None:
    (tmp_path / "cert.pem").write_text(PEM)
    (tmp_path / "key.pem").write_text(PEM)
    env = {
        "TEMPORAL_TLS_SERVER_CA_CERT_DATA": PEM,
        "TEMPORAL_TLS_CLIENT_CERT_PATH": str(tmp_path / "cert.pem"),
        "TEMPORAL_TLS_CLIENT_KEY_PATH": str(tmp_path / "key.pem"),
        "TEMPORAL_TLS_SERVER_NAME": "engine.internal",
    }
    assert connection_config(env=env)["tls"] == TLSConfig(
        server_root_ca_cert=PEM.encode(),
        domain="engine.internal",
        client_cert=PEM.encode(),
        client_private_key=PEM.encode(),
    )


def test_variables_win_over_the_file_field_by_field(toml: Path) -> None:
    env = {"TEMPORAL_CONFIG_FILE": str(toml), "TEMPORAL_NAMESPACE": "from-env"}
    config = connection_config(env=env)
    assert (config["target_host"], config["namespace"]) == ("file.example:7233", "from-env")


def test_profiles_by_variable_and_by_argument(toml: Path) -> None:
    by_variable = connection_config(env={"TEMPORAL_CONFIG_FILE": str(toml), "TEMPORAL_PROFILE": "cloud"})
    assert by_variable == connection_config(profile="cloud", config_file=str(toml), env={})
    assert (by_variable["namespace"], by_variable["api_key"]) == ("fleet.a1b2", "file-key")


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({"TEMPORAL_CONFIG_FILE": "/no/such.toml"}, "/no/such.toml: there is no such file"),
        ({"TEMPORAL_PROFILE": "staging"}, "Profile 'staging' not found"),
        ({"TEMPORAL_TLS_SERVER_CA_CERT_PATH": "/no/ca.pem"}, "/no/ca.pem: there is no such file"),
        ({"TEMPORAL_TLS": "maybe"}, "TEMPORAL_TLS=maybe: expected true or false"),
        ({"TEMPORAL_TLS_DISABLE_HOST_VERIFICATION": "true"}, "not supported by the Python SDK"),
        ({"TEMPORAL_ADDRESS": "https://h.example:7233"}, "expected `host:port` without a scheme"),
        ({"TEMPORAL_ADDRESS": "h.example"}, "expected `host:port`"),
        ({"TEMPORAL_TLS_CLIENT_CERT_DATA": PEM}, "TEMPORAL_TLS_CLIENT_KEY_PATH is missing"),
        ({"TEMPORAL_TLS_CLIENT_KEY_DATA": PEM}, "TEMPORAL_TLS_CLIENT_CERT_PATH is missing"),
        ({"TEMPORAL_TLS_SERVER_CA_CERT_DATA": "not pem"}, "expected PEM"),
        (
            {"TEMPORAL_TLS_SERVER_CA_CERT_DATA": PEM, "TEMPORAL_TLS_SERVER_CA_CERT_PATH": "x"},
            "Cannot specify both",
        ),
    ],
)
def test_what_cannot_be_right_is_refused(tmp_path: Path, env: dict[str, str], said: str) -> None:
    with pytest.raises(ConnectionConfigError) as refused:
        connection_config(env={"HOME": str(tmp_path), **env})
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ('[profile.default]\nadress = "h.example:7233"', "unknown field `adress`"),
        ("[profile.default", "unclosed table"),
        ("[profile.default.tls]\ndisable_host_verification = true", "not supported by the Python SDK"),
        (
            '[profile.default.tls]\nclient_cert_path = "/no/client.pem"',
            "/no/client.pem: there is no such file",
        ),
        (
            '[profile.default]\naddress = "h.example:7233"\napi_key = "k"\ntls = { disabled = true }',
            "in clear text to h.example:7233",
        ),
    ],
)
def test_a_file_that_cannot_be_right_is_refused(tmp_path: Path, written: str, said: str) -> None:
    (tmp_path / "temporal.toml").write_text(written)
    with pytest.raises(ConnectionConfigError) as refused:
        connection_config(config_file=str(tmp_path / "temporal.toml"), env={})
    assert said in str(refused.value)


@pytest.mark.parametrize(
    "secret", [{"TEMPORAL_API_KEY": "k"}, {"TEMPORAL_GRPC_META_AUTHORIZATION": "Bearer k"}]
)
@pytest.mark.parametrize(
    ("address", "refused"),
    [
        ("10.0.0.1:7233", True),
        ("127.example:7233", True),
        ("localhost.example:7233", True),
        ("localhost:7233", False),
        ("127.0.0.2:7233", False),
        ("[::1]:7233", False),
    ],
)
def test_a_secret_in_clear_text_stays_on_this_machine(
    secret: dict[str, str], address: str, *, refused: bool
) -> None:
    env = {"TEMPORAL_ADDRESS": address, "TEMPORAL_TLS": "false", **secret}
    if refused:
        with pytest.raises(ConnectionConfigError, match="in clear text"):
            connection_config(env=env)
    else:
        assert connection_config(env=env)["target_host"] == address


def test_an_error_does_not_show_the_key() -> None:
    env = {"TEMPORAL_ADDRESS": "h.example:7233", "TEMPORAL_TLS": "false", "TEMPORAL_API_KEY": "s3cret"}
    with pytest.raises(ConnectionConfigError) as refused:
        connection_config(env=env)
    assert "s3cret" not in str(refused.value)


CLOUD = ("fleet-prod.a1b2c.tmprl.cloud:7233", "eu-central-1.aws.api.temporal.io:7233", "X.TMPRL.CLOUD.:7233")


@pytest.mark.parametrize("address", CLOUD)
def test_temporal_cloud_without_payload_keys_is_refused(address: str) -> None:
    with pytest.raises(ConnectionConfigError) as refused:
        connection_config(env={"TEMPORAL_ADDRESS": address, "TEMPORAL_API_KEY": "k"})

    assert "payloads would lie there in clear text" in str(refused.value)
    assert "STEADFLEET_PAYLOAD_KEYS" in str(refused.value)


@pytest.mark.parametrize("address", CLOUD)
@pytest.mark.parametrize(
    "said", [{"STEADFLEET_PAYLOAD_KEYS": "/keys"}, {"STEADFLEET_PAYLOADS": "unencrypted"}]
)
def test_temporal_cloud_with_keys_or_asked_for_in_words_is_not_refused(
    address: str, said: dict[str, str]
) -> None:
    assert connection_config(env={"TEMPORAL_ADDRESS": address, **said})["target_host"] == address


@pytest.mark.parametrize(
    "address", ["localhost:7233", "temporal.internal:7233", "tmprl.cloud.example:7233", "nottmprl.cloud:7233"]
)
def test_an_engine_of_ones_own_needs_no_payload_keys(address: str) -> None:
    assert connection_config(env={"TEMPORAL_ADDRESS": address})["target_host"] == address


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({"STEADFLEET_PAYLOADS": "plain"}, "STEADFLEET_PAYLOADS=plain: expected unencrypted"),
        (
            {"STEADFLEET_PAYLOADS": "unencrypted", "STEADFLEET_PAYLOAD_KEYS": "/keys"},
            "STEADFLEET_PAYLOAD_KEYS names keys to encrypt with: remove one of them",
        ),
    ],
)
def test_what_is_said_of_payloads_is_one_thing(env: dict[str, str], said: str) -> None:
    with pytest.raises(ConnectionConfigError, match=said):
        connection_config(env=env)
