"""The profiles that we hand out load, each with what it is for."""

from pathlib import Path

import pytest
from temporalio.envconfig import ClientConnectConfig
from temporalio.service import TLSConfig

from steadfleet_durable import connection_config

EXAMPLE = Path(__file__).parents[3] / "deploy" / "temporal-cloud" / "temporal.toml"


@pytest.fixture
def toml(tmp_path: Path) -> Path:
    for name in ("client.pem", "client.key", "authority.pem"):
        (tmp_path / name).write_text(f"-----BEGIN {name}-----")
    path = tmp_path / "temporal.toml"
    path.write_text(EXAMPLE.read_text().replace("/etc/steadfleet/tls", str(tmp_path)))
    return path


def _load(toml: Path, profile: str, **env: str) -> ClientConnectConfig:
    said = {"TEMPORAL_CONFIG_FILE": str(toml), "TEMPORAL_PROFILE": profile, **env}
    return connection_config(env={"STEADFLEET_PAYLOAD_KEYS": "/etc/steadfleet/payload-keys", **said})


def test_default_is_this_machine(toml: Path) -> None:
    assert _load(toml, "default") == {"target_host": "localhost:7233", "namespace": "default"}


def test_cloud_takes_its_key_from_the_environment(toml: Path) -> None:
    config = _load(toml, "cloud", TEMPORAL_API_KEY="k")
    assert (config["api_key"], config["tls"]) == ("k", True)


@pytest.mark.parametrize("profile", ["cloud-mtls", "self-host"])
def test_mutual_tls(toml: Path, profile: str) -> None:
    tls = _load(toml, profile)["tls"]
    assert isinstance(tls, TLSConfig)
    assert tls.client_cert == b"-----BEGIN client.pem-----"
    assert tls.client_private_key == b"-----BEGIN client.key-----"
    assert (tls.server_root_ca_cert is not None) is (profile == "self-host")
