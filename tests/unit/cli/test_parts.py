"""Where the stack listens, and what its programs are told."""

import socket
from dataclasses import replace
from pathlib import Path

import pytest

from steadfleet_cli.parts import Addresses, Part, make_ledgers_file, own_environment, port_taken, stack
from steadfleet_cli.trust import key_file, make_trust, policy_file
from steadfleet_core.contract import read_contract
from steadfleet_signing import TrustPolicy
from steadfleet_signing.signers import LocalKeySigner


def test_free_ports_are_all_different_and_bindable() -> None:
    free = Addresses.free()
    ports = {free.engine, free.ui, free.cloud, free.health, free.metrics}

    assert len(ports) == 5
    assert not any(port_taken(port) for port in ports)
    assert free.network == "auto"


def test_free_ports_are_none_that_an_outgoing_connection_could_take_meanwhile() -> None:
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    free = Addresses.free()

    assert max(free.engine, free.ui, free.cloud, free.health, free.metrics) < first


def test_a_port_with_a_listener_is_taken_also_when_it_listens_everywhere() -> None:
    for host in ("127.0.0.1", ""):
        with socket.create_server((host, 0)) as server:
            port = server.getsockname()[1]
            assert port_taken(port)
        assert not port_taken(port)


def test_addresses_are_read_as_they_were_written(tmp_path: Path) -> None:
    addresses = replace(Addresses(), engine=1234, network="auto")
    addresses.write(tmp_path / "stack.json")

    assert Addresses.read(tmp_path / "stack.json") == addresses


@pytest.mark.parametrize("content", [None, "", "[]", '{"engine": 1, "unknown": 2}'])
def test_a_file_that_is_none_of_ours_says_nothing(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "stack.json").write_text(content)

    assert Addresses.read(tmp_path / "stack.json") is None


def test_a_part_is_told_of_this_stack_only(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    foreign = ("AWS_PROFILE", "TEMPORAL_API_KEY", "https_proxy", "HTTP_PROXY")
    for name in foreign:
        monkeypatch.setenv(name, "of another")
    monkeypatch.setenv("LANG", "C.UTF-8")

    assert own_environment()["LANG"] == "C.UTF-8"
    for part in stack(Addresses(), tmp_path):
        assert "of another" not in part.env.values(), part.name


def test_a_worker_is_told_what_a_person_set_for_it_but_for_the_stacks_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("STEADFLEET_HEARTBEAT_TIMEOUT", "15s")
    monkeypatch.setenv("STEADFLEET_BUCKET", "of-another")
    for worker in stack(Addresses(), tmp_path)[2:]:
        assert worker.env["STEADFLEET_HEARTBEAT_TIMEOUT"] == "15s"
        assert worker.env["STEADFLEET_BUCKET"] == "steadfleet-plans"


def test_the_signer_alone_is_told_where_the_key_is(tmp_path: Path) -> None:
    told = {
        part.name for part in stack(Addresses(), tmp_path) if str(key_file(tmp_path)) in part.env.values()
    }

    assert told == {"signer"}


def test_a_key_and_a_policy_that_trusts_it_are_made_once(tmp_path: Path) -> None:
    make_trust(tmp_path)
    key, policy = key_file(tmp_path).read_bytes(), policy_file(tmp_path).read_text()
    make_trust(tmp_path)

    assert (key_file(tmp_path).read_bytes(), policy_file(tmp_path).read_text()) == (key, policy)
    assert key_file(tmp_path).stat().st_mode & 0o777 == 0o600
    trusted = read_contract(policy, "trust.yaml", TrustPolicy)
    assert trusted.spec.environment == "dev"
    assert LocalKeySigner.from_pem(key).identity in [one.identity for one in trusted.spec.keys]


def test_everything_listens_on_loopback_only(tmp_path: Path) -> None:
    engine, cloud, worker, *others = stack(Addresses(), tmp_path)

    assert engine.argv[engine.argv.index("--ip") + 1] == "127.0.0.1"
    assert "127.77.0.0/16" in cloud.argv
    assert worker.env["STEADFLEET_HEALTH_ADDRESS"] == "127.0.0.1:8081"
    assert worker.env["STEADFLEET_METRICS_ADDRESS"] == "127.0.0.1:9464"
    assert [other.ports["health"] for other in others] == [8082, 8083, 8084, 8085, 8086]


def test_the_witness_follows_a_file_of_the_run_folder_unless_a_person_names_another(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("STEADFLEET_LEDGERS", raising=False)
    make_ledgers_file(tmp_path)
    (tmp_path / "ledgers.yaml").write_text("ledgers: [] # mine\n")
    make_ledgers_file(tmp_path)

    assert _witness(tmp_path).env["STEADFLEET_LEDGERS"] == str(tmp_path / "ledgers.yaml")
    assert (tmp_path / "ledgers.yaml").read_text() == "ledgers: [] # mine\n"
    monkeypatch.setenv("STEADFLEET_LEDGERS", "/etc/ledgers.yaml")
    assert _witness(tmp_path).env["STEADFLEET_LEDGERS"] == "/etc/ledgers.yaml"


def _witness(folder: Path) -> Part:
    return next(part for part in stack(Addresses(), folder) if part.name == "witness")
