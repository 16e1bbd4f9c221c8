"""What the compose file of a self-hosted engine promises, read from the file itself."""

import copy
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from steadfleet_cli.parts import WORKERS, search_attributes

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "self-host"
JOBS = {"schema", "namespace"}
GRACEFUL_SHUTDOWN = 30  # seconds: the default of STEADFLEET_GRACEFUL_SHUTDOWN_TIME

Compose = dict[str, Any]


def read_compose() -> Compose:
    read: Compose = yaml.safe_load((FOLDER / "compose.yaml").read_text())
    return read


def hardening_problems(compose: Compose) -> Iterator[str]:
    for name, service in compose["services"].items():
        if service.get("user", "0").split(":")[0] in {"0", "root"}:
            yield f"{name} runs as root"
        if not service.get("read_only"):
            yield f"{name} can write to its image"
        if "no-new-privileges:true" not in service.get("security_opt", []):
            yield f"{name} may gain privileges"
        if service.get("cap_drop") != ["ALL"] or service.get("cap_add") or service.get("privileged"):
            yield f"{name} has capabilities"
        if not service.get("mem_limit"):
            yield f"{name} has no memory limit"


def running_problems(compose: Compose) -> Iterator[str]:
    for name, service in compose["services"].items():
        if not re.search(r":v?\d+\.\d+(\.\d+)?$", service["image"]):
            yield f"{name} is not pinned: {service['image']}"
        if name in JOBS:
            if not service["restart"].startswith("on-failure"):
                yield f"{name} would run for ever"
            continue
        if service.get("restart") != "unless-stopped":
            yield f"{name} does not come back"
        if not service.get("healthcheck"):
            yield f"nobody knows whether {name} is healthy"


def network_problems(compose: Compose) -> Iterator[str]:
    for name, service in compose["services"].items():
        if any(not port.startswith("127.0.0.1:") for port in service.get("ports", [])):
            yield f"{name} is published beyond loopback"
    members = {
        network: {name for name, service in compose["services"].items() if network in service["networks"]}
        for network in compose["networks"]
    }
    if members["database"] != {"postgresql", "schema", "temporal"}:
        yield f"the database is in reach of {members['database']}"
    if members["edge"] != {"temporal", "proxy"}:
        yield f"the edge has {members['edge']}"
    if "ui" in members["edge"] or compose["services"]["ui"].get("ports"):
        yield "the UI is in reach without a password"
    for network in ("database", "engine", "web", "metrics"):
        if not (compose["networks"][network] or {}).get("internal"):
            yield f"network {network} has a way out"


def secret_problems(compose: Compose) -> Iterator[str]:
    holders = {
        secret: {
            name for name, service in compose["services"].items() if secret in service.get("secrets", [])
        }
        for secret in compose["secrets"]
    }
    if holders["signing_key"] != {"signer"}:
        yield f"the signing key is given to {holders['signing_key']}"
    if holders["postgresql_superuser_password"] != {"postgresql"}:
        yield f"the superuser's password is given to {holders['postgresql_superuser_password']}"
    for name, service in compose["services"].items():
        for variable, value in (service.get("environment") or {}).items():
            if re.search("PASSWORD|TOKEN|SECRET|API_KEY", variable) and not str(value).startswith("/run/"):
                yield f"{name} has {variable} in clear text"
        for volume in service.get("volumes", []):
            if "/authority" in volume or "/jwt" in volume:
                yield f"{name} could sign: {volume}"


def all_problems(compose: Compose) -> list[str]:
    rules = (hardening_problems, running_problems, network_problems, secret_problems)
    return [problem for rule in rules for problem in rule(compose)]


def test_the_compose_file_keeps_its_promises() -> None:
    assert all_problems(read_compose()) == []


FAULTS: dict[str, Callable[[Compose], Any]] = {
    "runs as root": lambda c: c["services"]["temporal"].update(user="0:0"),
    "can write to its image": lambda c: c["services"]["ui"].pop("read_only"),
    "may gain privileges": lambda c: c["services"]["proxy"].pop("security_opt"),
    "has capabilities": lambda c: c["services"]["janitor"].update(cap_add=["NET_ADMIN"]),
    "has no memory limit": lambda c: c["services"]["signer"].pop("mem_limit"),
    "is not pinned": lambda c: c["services"]["ui"].update(image="temporalio/ui:latest"),
    "would run for ever": lambda c: c["services"]["schema"].update(restart="always"),
    "does not come back": lambda c: c["services"]["witness"].pop("restart"),
    "nobody knows whether": lambda c: c["services"]["dr-drill"].pop("healthcheck"),
    "beyond loopback": lambda c: c["services"]["temporal"].update(ports=["7233:7233"]),
    "in reach of": lambda c: c["services"]["ui"]["networks"].append("database"),
    "without a password": lambda c: c["services"]["ui"].update(ports=["127.0.0.1:8080:8080"]),
    "has a way out": lambda c: c["networks"].update(database={}),
    "the signing key": lambda c: c["services"]["image-build"].update(secrets=["signing_key"]),
    "in clear text": lambda c: c["services"]["temporal"]["environment"].update(POSTGRES_PASSWORD="x"),
    "could sign": lambda c: c["services"]["ui"]["volumes"].append("./secrets/jwt:/jwt:ro"),
}


@pytest.mark.parametrize("said", FAULTS)
def test_a_compose_file_with_a_planted_fault_is_refused(said: str) -> None:
    compose = copy.deepcopy(read_compose())
    FAULTS[said](compose)
    assert any(said in problem for problem in all_problems(compose))


def test_each_worker_is_a_service_of_its_own_and_ready_only_while_it_polls() -> None:
    services = read_compose()["services"]
    commands = {name: service["command"] for name, service in services.items() if "command" in service}
    for command in WORKERS.values():
        (name,) = (name for name, said in commands.items() if said == [command])
        assert "/readyz" in str(services[name]["healthcheck"]["test"])
        assert services[name]["depends_on"] == {"namespace": {"condition": "service_completed_successfully"}}
        assert int(services[name]["stop_grace_period"].removesuffix("s")) > GRACEFUL_SHUTDOWN


def test_workers_that_share_a_network_stack_in_a_rehearsal_share_no_port() -> None:
    services = read_compose()["services"].values()
    for variable in ("STEADFLEET_HEALTH_ADDRESS", "STEADFLEET_METRICS_ADDRESS"):
        said = [s["environment"][variable] for s in services if variable in (s.get("environment") or {})]
        assert len(said) == len(set(said)) == len(WORKERS)


def test_prometheus_scrapes_every_worker_and_the_server() -> None:
    services = read_compose()["services"]
    scraped = yaml.safe_load((FOLDER / "prometheus" / "prometheus.yml").read_text())["scrape_configs"]
    targets = {target for job in scraped for group in job["static_configs"] for target in group["targets"]}
    exported = {
        f"{name}:{service['environment']['STEADFLEET_METRICS_ADDRESS'].rpartition(':')[2]}"
        for name, service in services.items()
        if "STEADFLEET_METRICS_ADDRESS" in (service.get("environment") or {})
    }
    assert targets == exported | {"temporal:9090"}


def test_the_namespace_job_registers_every_search_attribute() -> None:
    script = (FOLDER / "jobs" / "namespace.sh").read_text()
    assert dict(re.findall(r"\b(Sf\w+) (\w+)", script)) == dict(search_attributes())


def test_the_server_demands_certificates_tokens_and_an_audience() -> None:
    config = (FOLDER / "server" / "config.yaml").read_text()
    assert config.startswith("# enable-template\n")
    assert config.count("requireClientAuth: true") == 2
    assert "disableHostVerification" not in config
    for line in ("authorizer: default", "claimMapper: default", "audience: ", "internal-frontend:"):
        assert line in config
    services = read_compose()["services"]["temporal"]["environment"]["TEMPORAL_SERVICES"].split(",")
    assert "internal-frontend" in services


def test_the_number_of_shards_and_the_retention_are_said() -> None:
    assert '(default "512" (env "NUM_HISTORY_SHARDS"))' in _without_spaces("server/config.yaml")
    assert (
        read_compose()["services"]["namespace"]["environment"]["RETENTION"] == "${SELF_HOST_RETENTION:-30d}"
    )


def _without_spaces(path: str) -> str:
    text = (FOLDER / path).read_text()
    return re.sub(r"\{\{ default (.*?) \}\}", r"(default \1)", text)


def test_each_line_of_the_dynamic_configuration_has_its_reason() -> None:
    text = (FOLDER / "server" / "dynamic.yaml").read_text()
    for key in yaml.safe_load(text):
        assert re.search(rf"^# .*\n{re.escape(key)}:", text, re.MULTILINE), key


def test_stand_ins_have_the_names_and_tags_that_the_compose_file_pins() -> None:
    script = (ROOT / ".ci" / "self-host-images").read_text()
    versions = dict(re.findall(r"^(SERVER_VERSION|UI_VERSION)=(.*)$", script, re.MULTILINE))
    made = {
        re.sub(r"\$(\w+)", lambda found: versions[found[1]], name)
        for name in re.findall(r"^ {4}stand_in \S+ (\S+)$", script, re.MULTILINE)
    }
    pinned = {service["image"] for service in read_compose()["services"].values()}
    assert made == {image for image in pinned if not image.startswith("steadfleet/")}


def test_our_images_have_the_tag_that_they_are_built_with() -> None:
    build = (ROOT / "deploy" / "images" / "build").read_text()
    version = re.search(r"^VERSION=(.*)$", build, re.MULTILINE)
    ours = {s["image"] for s in read_compose()["services"].values() if s["image"].startswith("steadfleet/")}
    assert version is not None
    assert ours == {f"steadfleet/{name}:{version[1]}" for name in ("steadfleet", "image-build", "dr-drill")}
