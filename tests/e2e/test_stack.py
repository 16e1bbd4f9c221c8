"""`steadfleet up`, `down` and `doctor`, as a person runs them: real processes on free ports."""

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest

from steadfleet_cli.exits import ExitCode
from steadfleet_cli.parts import Addresses, ask_problem
from steadfleet_cli.processes import Process, Processes
from steadfleet_cli.stack import NAMES

COMMANDS = Path(sys.executable).parent
SOON = timedelta(seconds=30)


class Stack:
    """The commands, on one folder of their own."""

    def __init__(self, folder: Path, env: dict[str, str]) -> None:
        self.folder = folder
        self.env = env
        self.processes = Processes(folder)

    def command(self, *words: str) -> list[str]:
        return [str(COMMANDS / "steadfleet"), *words, "--run-dir", str(self.folder)]

    def run(self, *words: str, **env: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            self.command(*words), env=self.env | env, capture_output=True, text=True, check=False, timeout=120
        )

    def up(self, *words: str, **env: str) -> dict[str, Any]:
        ran = self.run("up", "--output", "json", *words, **env)
        assert ran.returncode == ExitCode.OK, ran.stderr
        told: dict[str, Any] = json.loads(ran.stdout)
        return told

    def doctor(self, **env: str) -> tuple[int, dict[str, dict[str, str]]]:
        ran = self.run("doctor", "--output", "json", **env)
        return ran.returncode, {finding["name"]: finding for finding in json.loads(ran.stdout)}

    def running(self) -> set[str]:
        return {name for name in NAMES if self.processes.find(name)}

    def process(self, name: str) -> Process:
        process = self.processes.find(name)
        assert process is not None, f"{name} does not run"
        return process


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    foreign = ("TEMPORAL_", "AWS_", "STEADFLEET_")
    env = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    stack = Stack(tmp_path / "run", env)
    yield stack
    stack.run("down")


@contextmanager
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_the_whole_stack_comes_up_is_found_well_and_goes_down(stack: Stack) -> None:
    told = stack.up("--free-ports")
    assert {name for name, part in told["parts"].items() if part["started"]} == set(NAMES)

    code, findings = stack.doctor()
    assert code == ExitCode.OK, findings
    assert {finding["standing"] for finding in findings.values()} <= {"ok", "optional"}
    workers = ("worker", "builder", "signer", "driller", "witness", "janitor")
    rights = ("cloud rights", "build rights", "drill rights", "janitor's rights")
    asked = ("namespace", "clock", "object store", *rights)
    assert {findings[name]["standing"] for name in (*workers, *asked)} == {"ok"}
    assert told["environment"]["TEMPORAL_ADDRESS"] in findings["engine"]["found"]

    ran = stack.run("down")
    assert ran.stdout.split("\n") == [*(f"{name} stopped" for name in reversed(NAMES)), ""]
    assert stack.running() == set()


def test_the_shell_that_sources_env_finds_the_stack(stack: Stack) -> None:
    told = stack.up("--free-ports", "--only", "cloud")

    shell = "source run/env && local-cloud inventory && echo $TEMPORAL_UI_URL $TEMPORAL_ADDRESS"
    ran = subprocess.run(
        ["bash", "-ec", shell],
        cwd=stack.folder.parent,
        env=stack.env,
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.endswith(f"{told['ui']} {told['environment']['TEMPORAL_ADDRESS']}\n")


def test_up_twice_says_what_runs_and_starts_nothing(stack: Stack) -> None:
    first = stack.up("--free-ports", "--only", "engine", "--only", "cloud")
    second = stack.up("--only", "engine", "--only", "cloud")

    assert [part["pid"] for part in second["parts"].values()] == [
        part["pid"] for part in first["parts"].values()
    ]
    assert not any(part["started"] for part in second["parts"].values())
    assert second["environment"] == first["environment"]
    assert "already ran" in stack.run("up", "--only", "engine").stdout


def test_up_starts_again_what_died_where_it_was(stack: Stack) -> None:
    first = stack.up("--free-ports", "--only", "engine", "--only", "cloud")
    stack.process("cloud").kill()

    second = stack.up("--only", "engine", "--only", "cloud")

    assert [name for name, part in second["parts"].items() if part["started"]] == ["cloud"]
    assert second["environment"] == first["environment"]


def test_other_ports_than_those_that_run_are_refused(stack: Stack) -> None:
    stack.up("--free-ports", "--only", "cloud")
    ran = stack.run("up", "--cloud-port", "1")

    assert ran.returncode == ExitCode.REFUSED
    assert "`steadfleet down` first" in ran.stderr
    assert stack.running() == {"cloud"}


@pytest.mark.parametrize("part", ["engine", "ui", "cloud", "health", "metrics"])
def test_a_taken_port_is_named_with_what_wanted_it_and_starts_nothing(stack: Stack, part: str) -> None:
    with taken_port() as port:
        ran = stack.run("up", "--free-ports", f"--{part}-port", str(port))

    assert ran.returncode == ExitCode.REFUSED
    assert f"error: port {port} is taken, and the " in ran.stderr
    assert f"--{part}-port N, STEADFLEET_{part.upper()}_PORT=N" in ran.stderr
    assert stack.running() == set()


def test_a_port_can_be_chosen_by_the_environment(stack: Stack) -> None:
    with taken_port() as port:
        ran = stack.run("up", "--free-ports", STEADFLEET_ENGINE_PORT=str(port))

    assert ran.returncode == ExitCode.REFUSED
    assert f"port {port} is taken, and the engine wanted it" in ran.stderr


def test_a_part_that_dies_while_starting_shows_its_last_words_and_nothing_stays(stack: Stack) -> None:
    ran = stack.run("up", "--free-ports", "--network", "10.0.0.0/16")

    assert ran.returncode == ExitCode.UNREACHABLE
    assert "the cloud ended while starting (exit status 1)" in ran.stderr
    assert "network '10.0.0.0/16' is not a /16 of 127.0.0.0/8" in ran.stderr
    assert stack.running() == set()


def test_up_that_is_told_to_end_stops_what_it_had_started(stack: Stack) -> None:
    up = subprocess.Popen(stack.command("up", "--free-ports"), env=stack.env, stdout=subprocess.DEVNULL)
    engine = _await_process(stack, "engine", up)
    up.send_signal(signal.SIGTERM)

    assert up.wait(SOON.total_seconds()) == 128 + signal.SIGTERM
    assert not engine.alive
    assert stack.running() == set()


def _await_process(stack: Stack, name: str, up: "subprocess.Popen[bytes]") -> Process:
    deadline = time.monotonic() + SOON.total_seconds()
    while time.monotonic() < deadline:
        if process := stack.processes.find(name):
            return process
        try:
            up.wait(0.02)
        except subprocess.TimeoutExpired:
            continue
        pytest.fail(f"`up` ended before it started {name}")
    pytest.fail(f"no {name} within {SOON}")


def test_down_does_not_touch_a_recycled_process_number(stack: Stack) -> None:
    stack.up("--free-ports", "--only", "cloud")
    pid_file = stack.folder / "cloud.pid"
    written = pid_file.read_text()
    cloud = stack.process("cloud")
    pid_file.write_text(json.dumps({"pid": cloud.pid, "birth": "of the process that had the number before"}))

    assert stack.run("down").stdout == "nothing runs\n"
    assert cloud.alive

    pid_file.write_text(written)
    assert stack.run("down").stdout == "cloud stopped\n"


def test_down_where_nothing_was_ever_started_is_fine(stack: Stack) -> None:
    ran = stack.run("down")

    assert (ran.returncode, ran.stdout) == (ExitCode.OK, f"nothing runs: there is no {stack.folder}\n")


def test_two_at_once_do_not_mix(stack: Stack) -> None:
    stack.folder.mkdir()
    with (stack.folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ran = stack.run("up", "--free-ports")

    assert ran.returncode == ExitCode.REFUSED
    assert "another `steadfleet up` or `down` is at work" in ran.stderr
    assert stack.running() == set()


def test_a_database_of_an_earlier_release_learns_the_search_attributes(stack: Stack) -> None:
    stack.folder.mkdir()
    command = [str(COMMANDS / "temporal"), "server", "start-dev", "--headless", "--log-level", "never"]
    command += ["--port", str(Addresses.free().engine), "--db-filename", str(stack.folder / "engine.db")]
    _start_and_end(command)

    stack.up("--free-ports", "--only", "engine")

    assert stack.doctor()[1]["search attributes"]["standing"] == "ok"


def _start_and_end(command: list[str]) -> None:
    """Run the engine until it says that it is up."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as engine:
        assert engine.stdout is not None
        assert any("Metrics:" in line for line in engine.stdout)
        engine.terminate()


def test_what_the_shell_says_of_other_engines_and_clouds_is_not_for_the_stack(stack: Stack) -> None:
    foreign = {"TEMPORAL_ADDRESS": "elsewhere:1", "TEMPORAL_TLS": "true", "AWS_PROFILE": "production"}
    told = stack.up("--free-ports", **foreign, HTTP_PROXY="http://127.0.0.1:1")

    worker = Path(f"/proc/{told['parts']['worker']['pid']}/environ").read_text().split("\0")
    assert f"TEMPORAL_ADDRESS={told['environment']['TEMPORAL_ADDRESS']}" in worker
    assert "AWS_ENDPOINT_URL=" + told["environment"]["AWS_ENDPOINT_URL"] in worker
    assert not any(entry.startswith(("AWS_PROFILE=", "HTTP_PROXY=")) for entry in worker)


def test_doctor_says_what_is_missing_and_what_to_do(stack: Stack) -> None:
    code, findings = stack.doctor(TEMPORAL_ADDRESS="127.0.0.1:1", HOME=str(stack.folder))

    missing = {name for name, finding in findings.items() if finding["standing"] == "missing"}
    assert code == ExitCode.UNREACHABLE
    assert missing == {"engine", "cloud", "cloud credentials"}
    assert {findings[name]["standing"] for name in ("worker", "namespace", "clock", "object store")} == {
        "unknown"
    }
    assert "steadfleet up" in findings["engine"]["advice"]
    assert "AWS_REGION" in findings["cloud"]["advice"]
    assert not stack.folder.exists()


def test_doctor_misses_the_worker_alone(stack: Stack) -> None:
    stack.up("--free-ports", "--only", "engine", "--only", "cloud")
    code, findings = stack.doctor()

    assert code == ExitCode.UNREACHABLE
    assert [name for name, finding in findings.items() if finding["standing"] == "missing"] == [
        "worker",
        "janitor",
    ]
    assert "nobody polls task queue patch-campaign" in findings["worker"]["found"]
    assert findings["cloud rights"]["standing"] == "unknown"


def test_doctor_sees_that_the_namespace_is_gone(stack: Stack) -> None:
    stack.up("--free-ports", "--only", "engine")

    code, findings = stack.doctor(TEMPORAL_NAMESPACE="gone")

    assert code == ExitCode.UNREACHABLE
    assert "namespace 'gone' does not exist" in findings["engine"]["found"]
    assert findings["namespace"]["standing"] == "unknown"


def test_doctor_sees_that_the_workers_bucket_is_gone_and_can_have_one_written(stack: Stack) -> None:
    told = stack.up("--free-ports", "--only", "engine", "--only", "cloud", "--only", "worker")
    s3 = boto3.client(
        "s3",
        endpoint_url=told["environment"]["AWS_ENDPOINT_URL"],
        region_name="eu-west-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
    )

    ran = stack.run("doctor", "--write", "--output", "json")
    written = {finding["name"]: finding for finding in json.loads(ran.stdout)}
    assert written["object store"]["standing"] == "ok"
    (stored,) = s3.list_objects_v2(Bucket="steadfleet-plans")["Contents"]
    assert stored["Key"] == "probes/doctor.txt"
    s3.delete_object(Bucket="steadfleet-plans", Key="probes/doctor.txt")
    s3.delete_bucket(Bucket="steadfleet-plans")

    code, findings = stack.doctor()

    assert code == ExitCode.UNREACHABLE
    assert findings["object store"]["found"] == "s3://steadfleet-plans answers NoSuchBucket"
    for name in ("build rights", "drill rights", "janitor's rights"):
        assert findings[name]["standing"] == "unknown"


def test_doctor_sees_a_versioned_worker_that_is_given_no_work(stack: Stack) -> None:
    told = stack.up("--free-ports", "--only", "engine", "--only", "cloud")
    health = f"127.0.0.1:{Addresses.free().health}"
    version = {"TEMPORAL_DEPLOYMENT_NAME": "patch-campaign", "TEMPORAL_WORKER_BUILD_ID": "v1"}
    version |= {"STEADFLEET_ENVIRONMENT": "dev"}
    env = stack.env | told["environment"] | version | {"STEADFLEET_HEALTH_ADDRESS": health}
    worker = stack.processes.start("worker", [str(COMMANDS / "steadfleet-patch-campaign")], env)
    _await_ready(worker, f"http://{health}/readyz")

    code, findings = stack.doctor()

    assert code == ExitCode.UNREACHABLE
    assert findings["worker"]["standing"] == "missing"
    assert findings["worker"]["found"] == "polls, but is given no new work"
    assert "workers rollout --build-id v1 --deployment patch-campaign" in findings["worker"]["advice"]


def _await_ready(worker: Process, url: str) -> None:
    deadline = time.monotonic() + SOON.total_seconds()
    while (problem := ask_problem(url)) is not None:
        assert not worker.exited_within(timedelta(seconds=0.1)), "the worker ended"
        assert time.monotonic() < deadline, problem
