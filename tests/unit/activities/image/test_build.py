"""Around a run of packer: what it is given, what is told, and that nothing of it stays."""

import asyncio
import base64
import json
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from unit.activities.image.stand_ins import (
    PACKER,
    FakePacker,
    FakePlatform,
    FakeS3,
    build_of,
    contract,
    find_packer,
    packed,
)

from steadfleet_activities.image import build as building
from steadfleet_activities.image.build import Builds
from steadfleet_activities.image.packer.output import Kind, Ui
from steadfleet_activities.image.packer.process import End
from steadfleet_activities.image.packer.versions import Packer
from steadfleet_activities.image.store import ImageStore, Kept
from steadfleet_core.image.order import BuiltImage
from steadfleet_ports.image import ImageBuild


class Bench:
    def __init__(self, folder: Path) -> None:
        self.scratch = folder / "scratch"
        self.scratch.mkdir()
        self.s3 = FakeS3()
        self.store = ImageStore(self.s3)  # type: ignore[arg-type]  # a stand-in
        self.platform = FakePlatform()
        self.packer = FakePacker()
        self.said: list[str] = []
        self._folder = folder

    def order(self, template: str | None = None, **variables: str) -> ImageBuild:
        given = packed(self._folder / "sources", *([template] if template else []))
        sources = self.store.put(Kept.SOURCES, base64.b64decode(given))
        spec = contract(build={"variables": variables}).spec.build
        return ImageBuild(build=build_of(sources=sources), spec=spec)

    async def build(self, order: ImageBuild | None = None) -> BuiltImage:
        builds = Builds(self.store, find_packer, self.packer, self.scratch)
        return await builds.build(self.platform, order or self.order(), self.said.append)


@pytest.fixture
def bench() -> Iterator[Bench]:
    with TemporaryDirectory() as folder:
        yield Bench(Path(folder))


async def test_image_is_built_between_two_looks(bench: Bench) -> None:
    built = await bench.build()

    assert built.id == bench.packer.image
    assert bench.platform.done == ["discarded", "opened", f"kept {built.id}", "closed"]
    assert built.log is not None
    assert bench.store.get(Kept.LOG, built.log) == b"what packer said"
    assert built.started_at <= built.ended_at


async def test_image_that_is_there_is_not_built_again(bench: Bench) -> None:
    first = await bench.build()
    bench.platform.whole, bench.platform.done, bench.packer.argv = first, [], []

    assert await bench.build() == first
    assert (bench.platform.done, bench.packer.argv) == ([], [])


async def test_packer_is_started_in_the_sources_with_what_the_template_declares(bench: Bench) -> None:
    bench.platform.given = {"region": "eu-west-1", "expires_at": "2026"}
    bench.platform.environment = {"AWS_REGION": "eu-west-1"}

    await bench.build(bench.order(greeting="salve"))

    command = bench.packer.argv
    assert command[:5] == [PACKER.path, "build", "-color=false", "-machine-readable", "-on-error=cleanup"]
    assert command[-1] == "web.pkr.hcl"
    assert bench.packer.sources == ["web.pkr.hcl"]
    assert bench.packer.env == {"AWS_REGION": "eu-west-1"}
    assert json.loads(bench.packer.variables) == {
        "image_name": "web-1.4.2-00000000000a",
        "base_image": "sha256:base",
        "run": build_of().run,
        "greeting": "salve",
    }
    assert bench.packer.mode == 0o600, "variables may be secrets"


@pytest.mark.parametrize(
    ("change", "kind", "permanent", "words"),
    [
        (
            {"exit_status": 1, "errors": ("Script exited with 7", "x")},
            "BuildFailedError",
            True,
            "packer failed: Script exited with 7; x; the whole log is logs/",
        ),
        ({"exit_status": 1, "aside": "panic: 1"}, "BuildFailedError", True, "packer failed: panic: 1"),
        ({"exit_status": 3}, "BuildFailedError", True, "packer failed: no reason, exit status 3"),
        (
            {"exit_status": 1, "errors": ("Error launching: RequestLimitExceeded: Rate exceeded",)},
            "PlatformFailedError",
            False,
            "RequestLimitExceeded",
        ),
        (
            {"exit_status": 1, "errors": ("InsufficientInstanceCapacity: none",)},
            "PlatformFailedError",
            False,
            "InsufficientInstanceCapacity",
        ),
        ({"end": End.KILLED, "exit_status": -9}, "PackerKilledError", False, "from outside, by signal 9"),
        (
            {"end": End.TIMED_OUT, "exit_status": 1, "errors": ("interrupted",)},
            "BuildTimedOutError",
            True,
            r"had not ended after 2h \(spec.build.timeLimit\)",
        ),
        ({"image": ""}, "BuildFailedError", True, "packer ended well and made no image in docker"),
    ],
)
async def test_each_end_is_said_with_the_log(
    bench: Bench, change: dict[str, Any], kind: str, words: str, *, permanent: bool
) -> None:
    for name, value in change.items():
        setattr(bench.packer, name, value)

    with pytest.raises(ApplicationError, match=words) as failed:
        await bench.build()

    assert (failed.value.type, failed.value.non_retryable) == (kind, permanent)
    digest = str(failed.value).rpartition("logs/")[2]
    assert f"logs/{digest}" in bench.s3.objects
    assert bench.platform.done == ["discarded", "opened", "closed"], "what failed is not kept"


@pytest.mark.parametrize("end", ["well", "badly", "cancelled"])
async def test_folder_with_the_key_goes_however_it_ends(bench: Bench, end: str) -> None:
    inside: list[list[Path]] = []

    async def during() -> None:
        inside.append(list(bench.scratch.iterdir()))
        if end == "badly":
            raise ApplicationError("no")
        if end == "cancelled":
            raise asyncio.CancelledError

    bench.packer.during = during
    try:
        await bench.build()
    except (ApplicationError, asyncio.CancelledError):
        assert end != "well"

    assert len(inside[0]) == 1
    assert list(bench.scratch.iterdir()) == []
    assert bench.platform.done[-1] == "closed"


async def test_worker_with_another_packer_does_not_build(bench: Bench) -> None:
    async def other() -> Packer:
        return Packer(path="/opt/packer", version=(1, 11, 2))

    builds = Builds(bench.store, other, bench.packer, bench.scratch)

    with pytest.raises(
        ApplicationError, match=r"has packer 1\.11\.2, and the build was prepared with 1\.6\.6"
    ):
        await builds.build(bench.platform, bench.order(), bench.said.append)
    assert bench.packer.argv == []


async def test_last_line_is_told_though_packer_falls_silent(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(building, "_SAID_EVERY", 0.02)
    heard = asyncio.Event()

    def say(step: str) -> None:
        bench.said.append(step)
        if step == "packer: three":
            heard.set()

    async def during() -> None:
        await heard.wait()

    bench.packer.says = [Ui(kind=Kind.SAY, text=text) for text in ("one", "two", "\n", "three")]
    bench.packer.during = during

    await Builds(bench.store, find_packer, bench.packer, bench.scratch).build(
        bench.platform, bench.order(), say
    )

    told = [step for step in bench.said if step.startswith("packer: ")]
    assert told == ["packer: one", "packer: three"]
    assert bench.said[-1] == "looking at the image", "packer's words end with packer"
