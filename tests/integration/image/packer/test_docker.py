"""Debian's packer and a real engine: what was built is known, and what was left is found."""

import asyncio
import json
import os
import shlex
import shutil
import signal
import sys
from asyncio.subprocess import PIPE
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest
from integration.image.packer.conftest import docker
from integration.image.packer.runs import Stage, until
from integration.local_cloud.aws import ask
from integration.local_cloud.waiting import until as seen

from steadfleet_activities.image.packer.process import End, Result, run_packer
from steadfleet_activities.image.packer.template import inspect_template
from steadfleet_core.image.order import Platform

pytestmark = pytest.mark.docker

EXAMPLES = Path(__file__).parents[4] / "examples"
EXAMPLE = "image/web-docker.pkr.hcl"
_USES = {name: f"{{{{user `{name}`}}}}" for name in ("image_name", "base_image", "run")}


class Build:
    """One build of the busybox image, and what the engine has of it."""

    def __init__(self, stage: Stage, packer: str, base: str) -> None:
        self.run = f"test-{uuid4().hex}"
        self.stage = stage
        self._packer = packer
        self._base = base

    async def start(self, *commands: str) -> Result:
        return await self._start(self.command(*commands))

    async def _start(self, argv: list[str]) -> Result:
        return await run_packer(
            argv,
            self.stage.outside,
            self.environment,
            self.stage.hear,
            timedelta(minutes=2),
            timedelta(minutes=1),
            folder=self.stage.folder,
        )

    async def start_example(self) -> Result:
        """Build the example that serves, of a base image that has Python."""
        outside = self.stage.outside
        shutil.copytree(EXAMPLES / "image", outside / "image")
        shutil.copytree(EXAMPLES / "web" / "good-2.0", outside / "web" / "good-2.0")
        return await self._start(self._command(EXAMPLE))

    @property
    def environment(self) -> dict[str, str]:
        given = {name: value for name, value in os.environ.items() if name.startswith("DOCKER_")}
        return {"TEST_MARK": self.stage.mark, **given}

    def command(self, *commands: str) -> list[str]:
        """Write the template that runs these commands in the container; it is one that may be run."""
        label = f"steadfleet:run={_USES['run']}"
        builder = {
            "type": "docker",
            "image": _USES["base_image"],
            "pull": False,
            "commit": True,
            "run_command": ["-d", "-i", "-t", "--label", label, "--entrypoint=/bin/sh", "--", "{{.Image}}"],
        }
        template = {
            "variables": dict.fromkeys(_USES),
            "builders": [builder],
            "provisioners": [{"type": "shell", "inline": commands}],
        }
        (self.stage.outside / "web.json").write_text(json.dumps(template))
        return self._command("web.json")

    def _command(self, template: str) -> list[str]:
        assert inspect_template(self.stage.outside / template).platform is Platform.DOCKER
        variables = {"image_name": "test", "base_image": self._base, "run": self.run}
        (self.stage.outside / "given.json").write_text(json.dumps(variables))
        return [self._packer, "build", "-machine-readable", "-var-file=given.json", template]

    def containers(self) -> list[str]:
        return docker("ps", "--all", "--quiet", "--filter", f"label=steadfleet:run={self.run}").split()

    def images(self) -> list[str]:
        found = docker("images", "--quiet", "--no-trunc", "--filter", f"label=steadfleet:run={self.run}")
        return sorted(set(found.split()))

    def remove(self) -> None:
        for container in self.containers():
            docker("rm", "--force", container)
        for image in self.images():
            docker("rmi", "--force", image)


@pytest.fixture
def build(run: Stage, packer: str, busybox: str) -> Iterator[Build]:
    made = Build(run, packer, busybox)
    yield made
    made.remove()


async def test_an_image_is_built_and_known_by_its_id(build: Build) -> None:
    result = await build.start("echo 'hello, world'", "echo made > /made")

    assert (result.end, result.exit_status, result.outcome.errors) == (End.ENDED, 0, ())
    assert build.images() == [result.outcome.image_id]
    assert docker("run", "--rm", "--entrypoint=cat", str(result.outcome.image_id), "/made") == "made"
    assert build.containers() == []
    assert "    docker: hello, world" in build.stage.said
    assert [path.name for path in build.stage.folder.iterdir()] == ["packer.log"]


async def test_the_example_becomes_an_image_that_serves(run: Stage, packer: str, base_container: str) -> None:
    build = Build(run, packer, base_container)
    try:
        result = await build.start_example()
        assert (result.end, result.exit_status, result.outcome.errors) == (End.ENDED, 0, ())
        served = docker(
            *("run", "--rm", "--detach", "--label", f"steadfleet:run={build.run}"),
            *("--env=ADDRESS=0.0.0.0", "--env=PORT=8080", str(result.outcome.image_id)),
        )
        address = docker("inspect", "--format", "{{.NetworkSettings.IPAddress}}", served)
        answer = seen(partial(ask, address))
    finally:
        build.remove()

    assert answer is not None
    assert answer["version"] == "2.0"


async def test_a_script_that_fails_leaves_nothing(build: Build) -> None:
    result = await build.start("exit 7")

    assert (result.end, result.exit_status) == (End.ENDED, 1)
    assert result.outcome.errors == (
        "Script exited with non-zero exit status: 7.Allowed exit codes are: [0]",
    )
    assert (build.containers(), build.images()) == ([], [])


async def test_a_cancelled_build_cleans_up_before_the_cancellation_is_raised(build: Build) -> None:
    running = asyncio.create_task(build.start("echo begun", "sleep 600"))
    await build.stage.until_said("    docker: begun")
    assert build.containers()

    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    assert (build.containers(), build.images(), build.stage.living()) == ([], [], [])
    assert "Cleanly cancelled builds after being interrupted." in build.stage.said


async def test_what_a_killed_packer_leaves_is_found_by_its_run(build: Build) -> None:
    running = asyncio.create_task(build.start("echo begun", "sleep 600"))
    await build.stage.until_said("    docker: begun")

    build.stage.kill_group()
    result = await running

    assert (result.end, result.exit_status) == (End.KILLED, -signal.SIGKILL)
    assert build.stage.living() == []
    [left] = build.containers()
    assert docker("inspect", "--format", "{{.State.Running}}", left) == "true"


async def test_a_killed_worker_leaves_nothing_at_all(build: Build) -> None:
    argv = build.command("echo begun", "sleep 600")
    script = f"cd {build.stage.outside} && exec {shlex.join(argv)}"
    worker = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "integration.image.packer.worker"),
        *(str(build.stage.folder), build.stage.mark, script, "60"),
        cwd=Path(__file__).parents[3],
        stdout=PIPE,
    )
    assert worker.stdout is not None
    while b"docker: begun" not in await worker.stdout.readline():
        assert not worker.stdout.at_eof()
    assert build.containers()

    worker.kill()
    await worker.wait()
    await build.stage.until_gone()
    await until(lambda: not build.stage.folder.exists())

    assert (build.containers(), build.images()) == ([], [])
