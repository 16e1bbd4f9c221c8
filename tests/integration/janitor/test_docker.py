"""What a run left in a Docker engine is found by label, and taken away."""

import json
import os
import socket
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from temporalio.testing import ActivityEnvironment

from steadfleet_activities.janitor.aws import AwsJanitor
from steadfleet_activities.janitor.docker import DockerEngine
from steadfleet_core.errors import RefusedError
from steadfleet_ports.lease import Residue, Sweep

pytestmark = pytest.mark.docker

SOCKET = "/var/run/docker.sock"


def _no_engine() -> str | None:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(SOCKET)
        except OSError as error:
            return f"no Docker engine at {SOCKET}: {error.strerror}"
    return None


@pytest.fixture
def engine() -> Iterator[httpx.Client]:
    if problem := _no_engine():
        pytest.fail(problem) if os.environ.get("CI") else pytest.skip(problem)
    with httpx.Client(
        transport=httpx.HTTPTransport(uds=SOCKET), base_url="http://docker", timeout=60
    ) as client:
        yield client


@pytest.fixture
def run() -> str:
    return f"test-janitor-{uuid.uuid4().hex[:12]}"


def _ask(engine: httpx.Client, method: str, path: str, **said: Any) -> Any:
    answer = engine.request(method, path, **said)
    assert answer.is_success, answer.text
    return answer.json() if answer.content else None


def _plant(engine: httpx.Client, run: str, tmp_path: Path) -> dict[str, str]:
    """Make one of everything, from an empty image: nothing is pulled."""
    labels = {"steadfleet:run": run, "steadfleet:expires-at": "2020-01-01T00:00:00+00:00"}
    changes = [f"LABEL {json.dumps(key)}={json.dumps(value)}" for key, value in labels.items()]
    changes.append('CMD ["/nothing"]')
    params = {"fromSrc": "-", "repo": run, "changes": changes}
    empty_tar = b"\0" * 10240
    engine.post("/images/create", params=params, content=empty_tar).raise_for_status()
    network = _ask(engine, "POST", "/networks/create", json={"Name": run, "Labels": labels})
    volume = _ask(engine, "POST", "/volumes/create", json={"Name": run, "Labels": labels})
    container = _ask(engine, "POST", "/containers/create", json={"Image": run, "Labels": labels})
    image = _ask(engine, "GET", f"/images/{run}/json")
    return {
        "network": network["Id"],
        "volume": volume["Name"],
        "container": container["Id"],
        "image": image["Id"],
    }


async def _sweep(run: str) -> Residue:
    janitor = AwsJanitor(lambda region: pytest.fail("no region was asked for"))
    residue: Residue = await ActivityEnvironment().run(janitor.sweep_run, Sweep(run=run, docker=True))
    return residue


async def test_everything_of_the_run_goes_and_nothing_else(
    engine: httpx.Client, run: str, tmp_path: Path
) -> None:
    other = f"{run}-other"
    planted, kept = _plant(engine, run, tmp_path), _plant(engine, other, tmp_path)
    try:
        janitor = AwsJanitor(lambda region: pytest.fail("no region was asked for"))
        found: Residue = await ActivityEnvironment().run(janitor.find_residue, Sweep(run=run, docker=True))
        assert {one.type: one.id for one in found.left} == planted

        swept = await _sweep(run)

        assert swept.left == ()
        assert {one.type: one.id for one in swept.removed} == planted
        assert await _sweep(run) == Residue()
    finally:
        rest = await _sweep(other)
    assert {one.type: one.id for one in rest.removed} == kept


async def test_an_engine_that_does_not_answer_counts_as_left() -> None:
    janitor = AwsJanitor(
        lambda region: pytest.fail("no region was asked for"), docker_host="tcp://127.0.0.1:9"
    )

    found: Residue = await ActivityEnvironment().run(janitor.find_residue, Sweep(run="r", docker=True))

    assert [(one.region, one.type) for one in found.left] == [("docker", "engine")]


@pytest.mark.parametrize("host", ["ssh://host", "unix://", "docker.sock"])
def test_a_host_that_cannot_be_spoken_to_is_refused(host: str) -> None:
    with pytest.raises(RefusedError, match="expected unix:///path"):
        DockerEngine(host)


async def test_an_image_that_was_released_is_no_residue_and_its_containers_are_somebodys_own(
    engine: httpx.Client, run: str, tmp_path: Path
) -> None:
    planted = _plant(engine, run, tmp_path)
    try:
        for tag in ("1.4.2", "built-1-2-3-none"):
            _ask(engine, "POST", f"/images/{run}/tag", params={"repo": f"steadfleet/{run}", "tag": tag})

        swept = await _sweep(run)

        assert {one.type for one in swept.removed} == {"network", "volume"}
        assert swept.left == ()
    finally:
        _ask(engine, "DELETE", f"/images/steadfleet/{run}:1.4.2")
        rest = await _sweep(run)
    assert {one.type: one.id for one in rest.removed} == {
        kind: planted[kind] for kind in ("container", "image")
    }
