import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from click.testing import CliRunner
from integration.local_cloud.aws import RELEASES, Aws, ask
from integration.local_cloud.waiting import until

from steadfleet_local_cloud import LocalCloud
from steadfleet_local_cloud.cli import _KINDS, main
from steadfleet_local_cloud.faults import Kind

COMMAND = Path(sys.executable).with_name("local-cloud")


def run(*arguments: str, endpoint: str = "http://127.0.0.1:9", ok: bool = True) -> str:
    """Run the command; what it printed, or when it must fail its complaint."""
    done = CliRunner().invoke(main, arguments, env={"AWS_ENDPOINT_URL": endpoint})
    assert (done.exit_code == 0) is ok, done.output
    return done.stdout if ok else done.stderr


def refused(*arguments: str) -> str:
    """Run a server that must not come up, as a process of its own; its complaint."""
    done = subprocess.run(
        [COMMAND, "serve", *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    return done.stderr


@contextmanager
def serving(folder: Path, *more: str) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """Run a server process; it and its endpoint."""
    port = free_port()
    arguments = [
        "serve",
        "--port",
        str(port),
        "--state",
        str(folder),
        "--network",
        "auto",
        "--probe-scale",
        "0.05",
        *more,
    ]
    with (folder.parent / "server.log").open("w") as log:
        server = subprocess.Popen([COMMAND, *arguments], stderr=log, text=True)
    endpoint = f"http://127.0.0.1:{port}"
    try:
        until(lambda: _ready(endpoint), seconds=60)
        yield server, endpoint
    finally:
        server.terminate()
        server.wait(20)


def _ready(endpoint: str) -> bool:
    try:
        with urlopen(f"{endpoint}/_local/health") as answer:
            return bool(json.load(answer)["local"])
    except URLError:
        return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def fleet(endpoint: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Register an image, make a fleet of 3 and wait until it serves."""
    image = run(
        "image", "register", "web-1.0", "--from", str(RELEASES / "good-1.0"), endpoint=endpoint
    ).strip()
    arguments = ["fleet", "create", "web", "--image", image, "--size", "3", "--tag", "service=web"]
    made = json.loads(run(*arguments, "--output", "json", endpoint=endpoint))
    machines = [json.loads(line) for line in run("machines", endpoint=endpoint).splitlines()]
    for machine in machines:
        until(partial(ask, machine["address"]))
    return made, machines


def test_a_fleet_from_the_command_line_and_a_clean_end(tmp_path: Path) -> None:
    with serving(tmp_path / "state") as (server, endpoint):
        made, machines = fleet(endpoint)
        assert sorted(machine["id"] for machine in machines) == made["instances"]
        assert {machine["zone"] for machine in machines} == set(made["zones"])

        (group,) = json.loads(run("inventory", endpoint=endpoint))["auto_scaling_groups"]
        assert (group["max_size"], group["tags"]["service"]) == (3, "web")
        actions = [json.loads(line).get("action") for line in run("record", endpoint=endpoint).splitlines()]
        assert "CreateAutoScalingGroup" in actions

        server.send_signal(signal.SIGTERM)
        assert server.wait(20) == 0
        assert [machine["id"] for machine in machines if ask(machine["address"])] == []
        assert all(gone(machine["pid"]) for machine in machines)

    first, *_ = (tmp_path / "server.log").read_text().splitlines()
    assert "not AWS" in json.loads(first)["message"]


def test_a_second_region_from_the_command_line(tmp_path: Path) -> None:
    regions = ("--region", "eu-west-1", "--region", "eu-central-1")
    with serving(tmp_path / "state", *regions) as (_, endpoint):
        folder = str(RELEASES / "good-1.0")
        there = ("--region", "eu-central-1")
        image = run("image", "register", "web-1.0", "--from", folder, *there, endpoint=endpoint).strip()
        arguments = ("fleet", "create", "web", "--image", image, "--size", "3", *there)
        made = json.loads(run(*arguments, "--output", "json", endpoint=endpoint))

        assert made["zones"] == ["eu-central-1a", "eu-central-1b", "eu-central-1c"]
        machines = [json.loads(line) for line in run("machines", endpoint=endpoint).splitlines()]
        assert {machine["zone"] for machine in machines} == set(made["zones"])
        assert all(until(partial(ask, machine["address"])) for machine in machines)


def test_an_image_is_tampered_with_from_the_command_line(cloud: LocalCloud, aws: Aws, image: str) -> None:
    before = aws.stream(aws.snapshot_of(image))

    place = int(run("image", "tamper", image, endpoint=cloud.endpoint))

    after = aws.stream(aws.snapshot_of(image))
    assert [one for one, pair in enumerate(zip(before, after, strict=True)) if pair[0] != pair[1]] == [place]
    said = run("image", "tamper", "ami-12345678", endpoint=cloud.endpoint, ok=False)
    assert "no image 'ami-12345678' in any region" in said


@pytest.mark.parametrize("victim", ["server", "supervisor"])
def test_no_machine_outlives_a_killed_process(tmp_path: Path, victim: str) -> None:
    with serving(tmp_path / "state") as (server, endpoint):
        _, machines = fleet(endpoint)
        supervisor = parent(machines[0]["pid"])
        assert parent(supervisor) == server.pid

        os.kill(server.pid if victim == "server" else supervisor, signal.SIGKILL)

        until(
            lambda: [machine["pid"] for machine in machines if not gone(machine["pid"])],
            lambda left: left == [],
        )
        until(lambda: gone(supervisor))


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def gone(pid: int) -> bool:
    """Whether a process has ended; one that only awaits its parent's notice has."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_faults_from_the_command_line(cloud: LocalCloud) -> None:
    options = ("--action", "Run*", "--region", "eu-*", "--count", "1")
    added = run("fault", "add", "hold", *options, endpoint=cloud.endpoint).strip()
    (listed,) = [json.loads(line) for line in run("fault", "list", endpoint=cloud.endpoint).splitlines()]
    assert (listed["id"], listed["action"], listed["region"], listed["count"]) == (added, "Run*", "eu-*", 1)
    assert run("fault", "release", added, "--drop", endpoint=cloud.endpoint).strip() == "0"

    run("fault", "clear", endpoint=cloud.endpoint)

    assert run("fault", "list", endpoint=cloud.endpoint) == ""
    assert "no fault" in run("fault", "clear", "fault-9", endpoint=cloud.endpoint, ok=False)


def test_a_taken_port_is_one_clear_line(cloud: LocalCloud, tmp_path: Path) -> None:
    port = cloud.endpoint.rpartition(":")[2]

    said = refused("--port", port, "--state", str(tmp_path / "other"), "--network", "auto")

    assert said == (
        f"Error: port {port} is taken by another program: stop it, or choose another with --port N\n"
    )


def test_a_state_folder_or_network_in_use_is_refused(cloud: LocalCloud, tmp_path: Path) -> None:
    assert "--state DIR" in refused("--port", "0", "--state", str(tmp_path / "state"))

    network = json.loads(urlopen(f"{cloud.endpoint}/_local/health").read())["network"]
    said = refused("--port", "0", "--state", str(tmp_path / "other"), "--network", network)
    assert f"network {network} is in use" in said


def test_no_server_is_one_clear_line() -> None:
    said = run("machines", ok=False)

    assert len(said.splitlines()) == 1
    assert "local-cloud serve" in said


def test_a_folder_without_a_program_is_no_image(cloud: LocalCloud, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    said = run("image", "register", "x", "--from", str(tmp_path / "empty"), endpoint=cloud.endpoint, ok=False)

    assert "put an executable file `run`" in said


def test_every_kind_of_fault_can_be_begun() -> None:
    assert set(_KINDS) == set(Kind)


def test_help_loads_no_cloud_library() -> None:
    program = (
        "import sys; from steadfleet_local_cloud.cli import main; main(['--help'], standalone_mode=False); "
        "sys.exit(bool({'moto', 'boto3', 'httpx'} & set(sys.modules)))"
    )

    assert subprocess.run([sys.executable, "-c", program], check=False, capture_output=True).returncode == 0
