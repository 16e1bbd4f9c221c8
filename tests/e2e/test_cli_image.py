"""The image commands as processes, against a real engine and workers with fake images."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from conftest import StartEngine
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from fakes.images import AWAY, HOME, WHEN, FakeLeases, World, image_workers
from steadfleet_cli.image.launch import start
from steadfleet_cli.image.orders import read_order
from steadfleet_core.image.report import ImageState
from steadfleet_durable import register
from steadfleet_ports.image import ListedImage
from steadfleet_workflows.image_inspection import ImageCheck, ImageDocument, ImageInspection
from steadfleet_workflows.image_trial import ImageSigning, ImageTrial
from steadfleet_workflows.visibility import KEYS

STEADFLEET = Path(sys.executable).with_name("steadfleet")
OTHERS = (ImageInspection, ImageCheck, ImageDocument, ImageTrial, ImageSigning)
CONTRACT = """\
apiVersion: steadfleet.dev/v1
kind: GoldenImage
metadata: {name: web, labels: {ticket: OPS-7}}
spec:
  version: 1.4.2
  build:
    template: web.pkr.hcl
    files: [files]
    base: {name: debian-12-base}
  tests:
    checks:
      - {type: command, name: boots, run: "true"}
  publish:
    regions: [{name: eu-west-1}, {name: eu-central-1}]
"""


@dataclass
class Answer:
    """What a command printed, and how it ended."""

    code: int | None
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


@dataclass
class Shell:
    """A folder with a contract and its sources, and the engine that the commands talk to."""

    environment: WorkflowEnvironment
    folder: Path

    async def image(self, *argv: str, by: str = "ann") -> Answer:
        address = self.environment.client.service_client.config.target_host
        process = await asyncio.create_subprocess_exec(
            STEADFLEET,
            "image",
            *argv,
            cwd=self.folder,
            env={**os.environ, "TEMPORAL_ADDRESS": address, "USER": by, "LOGNAME": by},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        return Answer(process.returncode, out.decode(), err.decode())

    def write(self, text: str = CONTRACT) -> None:
        (self.folder / "image.yaml").write_text(text)
        (self.folder / "web.pkr.hcl").write_text("# a template\n")
        (self.folder / "files").mkdir(exist_ok=True)
        (self.folder / "files/nginx.conf").write_text("worker_processes auto;\n")

    async def reaches(self, state: ImageState, version: str = "1.4.2") -> Any:
        for _ in range(100):
            document = (await self.image("show", "web", version, "--output", "json")).document
            if document["status"]["state"] == state:
                return document
        raise AssertionError(f"the build is {document['status']['state']}, not {state}")

    @asynccontextmanager
    async def services(self, world: World) -> AsyncIterator[None]:
        """Run the image builder and the signer with fakes, and somebody who polls as the janitor does."""
        client = self.environment.client
        janitor = Worker(client, task_queue="janitor", activities=register(FakeLeases(world)))
        async with image_workers(self.environment, world, *OTHERS), janitor:
            yield


@pytest.fixture
async def shell(start_engine: StartEngine, tmp_path: Path) -> AsyncIterator[Shell]:
    async with start_engine(search_attributes=KEYS) as environment:
        shell = Shell(environment, tmp_path)
        shell.write()
        yield shell


async def test_an_image_is_built_watched_shown_and_listed(shell: Shell) -> None:
    released = ListedImage(
        family="web", version="1.4.2", place=HOME, id="ami-1", created_at=WHEN, attestations=3
    )
    async with shell.services(World(listed=[released])):
        built = await shell.image("build", "--watch")
        shown = await shell.image("show", "web", "1.4.2")
        listed = await shell.image("list", "web", "--output", "json")
        sbom = await shell.image("sbom", "web", "1.4.2")
        log = await shell.image("show", "web", "1.4.2", "--log")

    assert built.code == 0, built
    assert "image web 1.4.2: web.pkr.hcl on debian-12-base" in built.out
    assert f"place {AWAY} ami of {AWAY} released" in built.out
    assert shown.code == 0
    assert "image web 1.4.2: published" in shown.out
    assert "ticket: OPS-7" in shown.out
    assert [(row["version"], row["state"]) for row in listed.document["builds"]] == [("1.4.2", "published")]
    assert listed.document["images"][0]["attestations"] == 3
    assert sbom.out == '{"bomFormat": "CycloneDX"}\n'
    assert log.out == "packer's log\n"


async def test_the_same_order_attaches_and_then_exists_and_another_is_refused(shell: Shell) -> None:
    world = World(hanging={"build"})
    async with shell.services(world):
        started = await shell.image("build", "--output", "json")
        attached = await shell.image("build", by="bob")
        (shell.folder / "files/nginx.conf").write_text("changed\n")
        other = await shell.image("build")
        shell.write()
        world.hanging.clear()
        waited = await shell.image("build", "--wait")
        exists = await shell.image("build", "--output", "json")
        shell.write(CONTRACT.replace("debian-12-base", "debian-13-base"))
        later = await shell.image("build")
        next_one = await shell.image("build", "--version", "1.4.3", "--wait")

    assert (started.code, started.document["outcome"]) == (0, "started")
    assert (attached.code, "attached, nothing was started" in attached.out) == (0, True)
    assert (other.code, "the content of files/nginx.conf differs" in other.err) == (4, True)
    assert waited.code == 0
    assert (exists.code, exists.document["outcome"]) == (0, "exists")
    assert later.code == 4
    assert "spec.build.base.name is debian-12-base there and debian-13-base here" in later.err
    assert "versions never change: choose the next one, such as --version 1.4.3" in later.err
    assert next_one.code == 0, next_one


async def test_who_asks_for_the_same_at_the_same_moment_shares_it(shell: Shell) -> None:
    async with shell.services(World(hanging={"build"})):
        both = await asyncio.gather(
            *(shell.image("build", "--output", "json", "--as", name) for name in ("ann", "bob"))
        )
        await shell.image("abort", "web", "1.4.2", "--reason", "over")
        await shell.image("watch", "web", "1.4.2")

    assert sorted(answer.document["outcome"] for answer in both) == ["attached", "started"]


async def test_the_engine_refuses_a_version_that_was_published_since_it_was_looked_up(shell: Shell) -> None:
    order = read_order(shell.folder / "image.yaml", None, "ann")
    client = shell.environment.client
    async with shell.services(World()):
        await shell.image("build", "--wait")
        with pytest.raises(WorkflowAlreadyStartedError):
            await start(client, order, before=None)


async def test_a_build_tells_what_packer_says_just_now(shell: Shell) -> None:
    world = World(hanging={"build"}, said="packer: Waiting for SSH to become available...")
    async with shell.services(world):
        await shell.image("build")
        document = await shell.reaches(ImageState.BUILDING)
        while not document["steps"][0]["said"]:
            document = await shell.reaches(ImageState.BUILDING)
        shown = await shell.image("show", "web", "1.4.2")
        aborted = await shell.image("abort", "web", "1.4.2", "--reason", "wrong base")
        ended = await shell.image("watch", "web", "1.4.2")
        senseless = await shell.image("retry", "web", "1.4.2", "--output", "json")
        again = await shell.image("build", "--output", "json")
        await shell.image("abort", "web", "1.4.2", "--reason", "over")

    assert "now: build_image, " in shown.out
    assert "packer: Waiting for SSH to become available..." in shown.out
    assert (aborted.code, "by: ann: wrong base" in aborted.out) == (0, True)
    assert (ended.code, "aborted by ann: wrong base" in ended.out) == (6, True)
    assert (senseless.code, "a closed build takes no verbs" in json.loads(senseless.err)["error"]) == (
        3,
        True,
    )
    assert again.document["outcome"] == "started", "an aborted version may be built anew"


async def test_a_halted_build_is_retried(shell: Shell) -> None:
    world = World(failing={f"publish {AWAY}": "no capacity"})
    async with shell.services(world):
        await shell.image("build")
        await shell.reaches(ImageState.HALTED)
        shown = await shell.image("show", "web", "1.4.2")
        world.failing.clear()
        retried = await shell.image("retry", "web", "1.4.2", "--as", "bob")
        ended = await shell.image("watch", "web", "1.4.2", "--output", "json")

    assert "next: steadfleet image retry web 1.4.2, or abort" in shown.out
    assert (retried.code, f"{AWAY} is tried again; nothing is rebuilt" in retried.out) == (0, True)
    assert (ended.code, ended.document["status"]["state"]) == (0, "published")


async def test_a_build_that_failed_says_why_and_may_be_started_again(shell: Shell) -> None:
    world = World(failed_checks=("nginx answers",))
    async with shell.services(world):
        failed = await shell.image("build", "--wait")
        tried = await shell.image("test", "web", "1.4.2")
        world.failed_checks = ()
        again = await shell.image("build", "--wait")

    assert failed.code == 6
    assert "failed — 1 of 2 tests failed: nginx answers: broken" in failed.out
    assert (tried.code, "what was built is taken away again" in tried.err) == (3, True)
    assert again.code == 0, again


async def test_an_image_is_tried_and_signed_again(shell: Shell) -> None:
    world = World()
    async with shell.services(world):
        await shell.image("build", "--wait")
        good = await shell.image("test", "web", "1.4.2")
        world.failed_checks = ("disk is not full",)
        bad = await shell.image("test", "web", "1.4.2", "--output", "json")
        signed = await shell.image("sign", "web", "1.4.2")

    assert good.code == 0
    assert "tests: 1 passed, 0 did not" in good.out
    assert "trial/web/1.4.2/" in good.err
    assert (bad.code, bad.document["results"][0]["verdict"]) == (6, "failed")
    assert signed.code == 0, signed
    assert signed.out.count("signed by key:1") == 2


async def test_a_channel_moves_waits_for_another_person_and_goes_back(shell: Shell) -> None:
    world = World()
    async with shell.services(world):
        for version in ("1.4.2", "1.4.3"):
            await shell.image("build", "--version", version, "--wait")
        first = await shell.image("promote", "web", "1.4.2", "--channel", "staging", "--expect", "none")
        stale = await shell.image("promote", "web", "1.4.3", "--channel", "staging", "--expect", "none")
        moved = await shell.image("promote", "web", "1.4.3", "--channel", "staging", "--expect", "1.4.2")
        asked = await shell.image("promote", "web", "1.4.3", "--channel", "prod")
        approved = await shell.image("promote", "web", "1.4.3", "--channel", "prod", by="bob")
        back = await shell.image("rollback", "web", "--channel", "staging", "--reason", "slow")
        world.refused = ["no signature by a trusted key"]
        refused = await shell.image("promote", "web", "1.4.3", "--channel", "staging", "--output", "json")
        listed = await shell.image("list", "web")

    assert first.out == "channel staging of web moved from nothing to 1.4.2\n"
    assert (stale.code, "somebody moved it" in stale.out) == (3, True)
    assert moved.code == 0
    assert (asked.code, "by somebody other than ann" in asked.out) == (0, True)
    assert approved.out == "channel prod of web moved from nothing to 1.4.3\n"
    assert back.out == "channel staging of web moved from 1.4.3 to 1.4.2\n"
    assert refused.code == 3
    assert refused.document["reasons"] == [
        f"{where}: no signature by a trusted key" for where in (HOME, AWAY)
    ]
    assert "web     prod     1.4.3" in listed.out


async def test_a_worker_decides_whether_an_image_may_be_used(shell: Shell) -> None:
    world = World()
    async with shell.services(world):
        allowed = await shell.image("verify", "web", "1.4.2", "--place", HOME)
        world.refused = ["no attestation by a trusted signer"]
        denied = await shell.image("verify", "--id", "ami-0123456789abcdef0", "--demand", "sbom")

    assert (allowed.code, "web@1.4.2 may be used" in allowed.out) == (0, True)
    assert denied.code == 6
    assert "may NOT be used" in denied.out
    assert "no attestation by a trusted signer" in denied.out


async def test_what_would_wait_is_said_before_it_is_started(shell: Shell) -> None:
    refused = await shell.image("build")
    unknown = await shell.image("show", "web", "1.4.2")
    listed = await shell.image("list")
    insisted = await shell.image("build", "--yes", "--output", "json")
    shown = await shell.image("show", "web", "1.4.2")
    promoted = await shell.image("promote", "web", "1.4.2", "--channel", "dev")

    assert refused.code == 5
    for queue in ("image-build", "signer", "janitor"):
        assert f"no worker polls task queue {queue}" in refused.err
    assert (unknown.code, "Temporal knows of no build of web 1.4.2" in unknown.err) == (3, True)
    assert (listed.code, "note: no worker polls task queue image-build" in listed.out) == (0, True)
    assert insisted.code == 0
    assert len(insisted.document["notes"]) == 3
    assert shown.code == 5
    assert "this is what Temporal itself knows" in shown.out
    assert "requested by ann" in shown.out
    assert promoted.code == 5


async def test_what_is_missing_is_named_before_anything_is_asked(shell: Shell) -> None:
    (shell.folder / "files/nginx.conf").unlink()
    shell.write(CONTRACT.replace("files: [files]", "files: [files, missing.sh]"))
    missing = await shell.image("build")
    nowhere = await shell.image("build", "-f", "no.yaml")
    wrong = await shell.image("build", "--version", "one")

    assert (missing.code, "missing.sh: there is no such file in" in missing.err) == (3, True)
    assert (nowhere.code, "image no.yaml: there is no such file" in nowhere.err) == (2, True)
    assert (wrong.code, "image.yaml:5: spec.version: one" in wrong.err) == (3, True)


async def test_a_killed_build_has_failed_and_says_so(shell: Shell) -> None:
    async with shell.services(World(hanging={"build"})):
        await shell.image("build")
        await shell.reaches(ImageState.BUILDING)
        await shell.environment.client.get_workflow_handle("image/web/1.4.2").terminate("by hand")
        shown = await shell.image("show", "web", "1.4.2")

    assert "failed — terminated in Temporal while building" in shown.out
    assert shown.code == 0
