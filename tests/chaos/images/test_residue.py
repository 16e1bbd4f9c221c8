"""The check that all drills of builds rely on can fail: whatever is left, it names."""

import asyncio
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from chaos.images.machine import require
from chaos.images.orphans import PLANTS, PROGRAM, Planter
from temporalio import workflow
from temporalio.testing import WorkflowEnvironment

from fakes.residue import STORED, Grounds, Holdings, Kept, residue
from fakes.worker import until
from steadfleet_local_cloud import LocalCloud

THINGS: Holdings = {"volumes": {"vol-1": {"size": 1}, "vol-2": {"size": 2, "region": "eu-west-1"}}}


def test_what_is_new_gone_or_changed_is_named() -> None:
    after: Holdings = {
        "volumes": {"vol-2": {"size": 3, "region": "eu-west-1"}},
        "key_pairs": {"key-1": {"name": "web"}},
    }

    assert residue(THINGS, after) == (
        "key_pairs key-1 (web) is new",
        "volumes vol-2 in eu-west-1 changed: size was 2, is 3",
        "volumes vol-1 is gone",
    )
    assert residue(after, after) == ()


def test_what_may_stay_is_named_beforehand_and_may_only_be_new() -> None:
    digest = "0" * 64
    stored: Holdings = {"objects": {f"plans/logs/{digest}.log": {"etag": "a"}}}
    altered: Holdings = {"objects": {f"plans/logs/{digest}.log": {"etag": "b"}}}

    assert residue({}, stored) == ()
    assert residue(stored, altered) == (f"objects plans/logs/{digest}.log changed: etag was a, is b",)
    assert residue(stored, {}) == (f"objects plans/logs/{digest}.log is gone",)
    assert residue({}, {"objects": {"plans/logs/latest.log": {}}}) == (
        "objects plans/logs/latest.log is new",
    )
    assert residue({}, {"volumes": {"vol-1": {}}}, [*STORED, Kept("volumes", "vol-1", "asked for")]) == ()


@pytest.fixture
def cloud() -> Iterator[LocalCloud]:
    with LocalCloud() as cloud:
        cloud.register_image("was there", PROGRAM)
        yield cloud


@pytest.mark.parametrize("orphan", PLANTS)
async def test_an_untagged_orphan_of_every_kind_is_found_by_name(cloud: LocalCloud, orphan: str) -> None:
    kind, plant = PLANTS[orphan]
    grounds = Grounds(cloud)
    before = await grounds.holdings()
    assert residue(before, await grounds.holdings()) == ()

    name = await asyncio.to_thread(plant, Planter(cloud))

    found = residue(before, await grounds.holdings())
    assert any(re.match(rf"{kind} {name}\b", sentence) for sentence in found), found


def test_no_kind_that_the_cloud_tells_of_is_without_an_orphan(cloud: LocalCloud) -> None:
    assert set(cloud.inventory()) <= {kind for kind, _ in PLANTS.values()}


async def test_files_and_programs_that_are_left_are_named(cloud: LocalCloud, tmp_path: Path) -> None:
    grounds = Grounds(cloud, folders=(tmp_path,))
    before = await grounds.holdings()
    (tmp_path / "run/home").mkdir(parents=True)
    (tmp_path / "run/key").write_text("secret")
    home = {**os.environ, "HOME": str(tmp_path / "run/home")}
    left = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "input()", env=home, stdin=asyncio.subprocess.PIPE
    )
    try:
        found = residue(before, await grounds.holdings())
    finally:
        await left.communicate(b"over\n")

    assert f"files {tmp_path}/run/key is new" in found
    assert any(sentence.startswith("processes python") for sentence in found), found


@workflow.defn(sandboxed=False)
class Forgotten:
    @workflow.run
    async def run(self) -> None: ...


async def test_a_workflow_that_is_still_open_is_named_until_it_is_closed(
    cloud: LocalCloud, dev_server: WorkflowEnvironment
) -> None:
    grounds = Grounds(cloud, dev_server.client)
    before = await grounds.holdings()
    handle = await dev_server.client.start_workflow(Forgotten.run, id="lease/forgotten", task_queue="nobody")

    async def seen() -> bool:
        return "lease/forgotten" in (await grounds.holdings())["workflows"]

    await until(seen, "the list of open ones, which lags behind, has it")
    found = residue(before, await grounds.holdings())
    assert found == ("workflows lease/forgotten is new",)
    await handle.terminate()
    assert residue(before, await grounds.holdings()) == ()


async def test_whatever_a_run_left_in_the_engine_is_named(cloud: LocalCloud) -> None:
    require("docker")
    run = f"residue-{os.getpid()}"
    grounds = Grounds(cloud, docker=True, runs=f"{run}*")
    before = await grounds.holdings()
    label = f"--label=steadfleet:run={run}-a"
    made = [
        ["network", "create", label, f"{run}-network"],
        ["volume", "create", label, f"{run}-volume"],
        ["build", "--quiet", label, f"--tag={run}:image", "-"],
        ["create", label, f"--name={run}-container", f"{run}:image", "nothing"],
    ]
    try:
        for words in made:
            docker(*words, given="FROM scratch\nLABEL x=y\n" if words[0] == "build" else "")
        found = residue(before, await grounds.holdings())
        others = residue(before, await Grounds(cloud, docker=True, runs="other-*").holdings())
    finally:
        docker("rm", "--force", f"{run}-container")
        docker("image", "rm", "--force", f"{run}:image")
        docker("volume", "rm", "--force", f"{run}-volume")
        docker("network", "rm", f"{run}-network")

    kinds = [sentence.partition(" ")[0] for sentence in found]
    assert kinds == ["containers", "docker_images", "docker_networks", "docker_volumes"], found
    assert f"docker_images {run}:image is new" in found
    assert others == (), "what others' runs left is theirs"
    assert residue(before, await grounds.holdings()) == ()


def docker(*words: str, given: str = "") -> None:
    program = shutil.which("docker") or "docker"
    subprocess.run([program, *words], input=given, text=True, capture_output=True, check=True)
