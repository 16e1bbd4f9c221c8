"""Images tried in containers of the engine, which are gone afterwards."""

import asyncio
import json
import subprocess
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from python_on_whales import DockerClient
from unit.activities.image.examining.workbench import MemoryStore, order, packed

from steadfleet_activities.image.examining.containers import Containers
from steadfleet_activities.image.examining.examination import Examining
from steadfleet_activities.image.store import Kept
from steadfleet_core.errors import RefusedError
from steadfleet_core.image.golden import Gates, Waiver
from steadfleet_core.image.order import Platform
from steadfleet_local_cloud.base_image import BaseImage
from steadfleet_ports.image import ImageExamination, ImageJudgement

pytestmark = pytest.mark.docker

_ADVISORY = {
    "id": "DSA-1",
    "aliases": ["CVE-2026-1"],
    "affected": [
        {
            "package": {"ecosystem": "Debian", "name": "openssl"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "99"}]}],
        }
    ],
    "database_specific": {"severity": "HIGH"},
}


class ContainerBench:
    def __init__(self, engine: DockerClient, store: MemoryStore, folder: Path) -> None:
        self.engine = engine
        self.store = store
        self.examining = Examining(store, {Platform.DOCKER: Containers(engine)})
        self.run = f"image-test-1.0.0-{uuid4().hex[:12]}"
        self._folder = folder

    def order(self, image: str, *checks: dict[str, Any], **other: Any) -> ImageExamination:
        sources = self.store.put(Kept.SOURCES, packed(self._folder, **other.pop("files", {})))
        return order(sources, *checks, image=image, platform=Platform.DOCKER, run=self.run, **other)

    def containers(self) -> list[str]:
        found = self.engine.container.list(all=True, filters=[("label", f"steadfleet:run={self.run}")])
        return [container.name for container in found]


@pytest.fixture
def bench(engine: DockerClient, store: MemoryStore, tmp_path: Path) -> Iterator[ContainerBench]:
    folder = tmp_path / "sources"
    folder.mkdir()
    bench = ContainerBench(engine, store, folder)
    yield bench
    for name in bench.containers():
        engine.container.remove(name, force=True)
    for image in engine.image.list(f"{bench.run}"):
        engine.image.remove(image, force=True)


def verdicts(report: Any) -> list[str]:
    return [result.verdict.value for result in report.results]


async def test_an_image_is_tried_listed_and_judged(bench: ContainerBench, debian: BaseImage) -> None:
    suite = """\
def test_dpkg(host):
    assert host.package("dpkg").is_installed

def test_nginx(host):
    assert host.package("nginx").is_installed, "no nginx here"
"""
    examination = bench.order(
        debian.tag,
        {"type": "command", "run": "id -un", "stdout": "^root$"},
        {"type": "file", "path": "/etc/os-release", "contains": "ID=debian", "mode": "0644"},
        {"type": "testinfra", "file": "tests/test_packages.py"},
        sbom=True,
        files={"tests__test_packages_py": suite, "osv_json": json.dumps([_ADVISORY])},
    )

    report = await bench.examining.examine(examination)

    assert verdicts(report) == ["passed", "passed", "passed", "failed"], report.results
    assert "1 of 2 failed" in report.results[3].reason
    assert "no nginx here" in report.results[3].reason
    assert report.sbom
    assert report.components > 100
    assert bench.containers() == []

    gates = Gates.model_validate({"vulnerabilities": {"advisories": "osv.json"}})
    at = datetime(2026, 11, 21, tzinfo=UTC)
    judgement = ImageJudgement(build=examination.build, gates=gates, sbom=report.sbom, at=at)
    gate = await bench.examining.judge(judgement)
    assert (gate.found, gate.blocking) == (1, 1), gate
    assert gate.findings[0].package == "openssl"
    assert gate.looked_up > 50
    assert gates.vulnerabilities
    waiver = Waiver(id="CVE-2026-1", reason="not reachable", expires=date(2026, 11, 22))
    waived = gates.vulnerabilities.model_copy(update={"waivers": (waiver,)})
    accepted = judgement.model_copy(update={"gates": gates.model_copy(update={"vulnerabilities": waived})})
    assert (await bench.examining.judge(accepted)).blocking == 0


async def test_two_tries_of_one_run_list_the_same_bytes(bench: ContainerBench, debian: BaseImage) -> None:
    examination = bench.order(debian.tag, sbom=True)

    first = await bench.examining.examine(examination)
    second = await bench.examining.examine(examination)

    assert first.sbom == second.sbom


async def test_a_command_ends_at_its_limit_with_all_that_it_started(
    bench: ContainerBench, debian: BaseImage
) -> None:
    report = await bench.examining.examine(
        bench.order(
            debian.tag,
            {"type": "command", "run": "sleep 4321 & sleep 4321", "timeLimit": "1s"},
            {"type": "command", "run": "cat /proc/[0-9]*/cmdline | tr '\\0' ' '", "stdout": "sleep 4321"},
        )
    )

    assert verdicts(report) == ["passed", "failed", "failed"], report.results
    assert report.results[1].reason == "did not end within 1s"


async def test_what_cannot_be_asked_is_an_error(bench: ContainerBench, debian: BaseImage) -> None:
    report = await bench.examining.examine(
        bench.order(debian.tag, {"type": "command", "run": "true"}, user="nobody-here")
    )

    assert verdicts(report) == ["passed", "error"]
    assert "nobody-here" in report.results[1].reason


def changed(bench: ContainerBench, image: str, command: str, then: str) -> str:
    """Make another image: run a command in one, and let what comes of it run another."""
    tag = f"{bench.run}:changed"
    with bench.engine.container.run(
        image, ["sh", "-c", command], detach=True, labels={"steadfleet:run": bench.run}
    ) as container:
        bench.engine.container.wait(container)
        changes = [f"CMD {json.dumps(then.split())}", f"LABEL steadfleet:run={bench.run}"]
        options = [part for change in changes for part in ("--change", change)]
        subprocess.run(["docker", "commit", *options, container.id, tag], check=True, capture_output=True)
    return tag


async def test_an_image_whose_command_ends_did_not_boot(bench: ContainerBench, debian: BaseImage) -> None:
    tag = changed(bench, debian.tag, "true", "ls /etc/hostname")

    report = await bench.examining.examine(bench.order(tag, {"type": "command", "run": "true"}))

    assert verdicts(report) == ["failed", "error"]
    assert "the container ended at once (exit status 0): /etc/hostname" in report.results[0].reason
    assert bench.containers() == []


async def test_an_image_without_its_command_did_not_boot(bench: ContainerBench, debian: BaseImage) -> None:
    tag = changed(bench, debian.tag, "true", "/no/such/program")

    report = await bench.examining.examine(bench.order(tag))

    assert verdicts(report) == ["failed"]
    assert "No such file" in report.results[0].reason
    assert bench.containers() == []


async def test_an_image_that_is_not_there_is_refused(bench: ContainerBench) -> None:
    with pytest.raises(RefusedError, match="expected the one that was built"):
        await bench.examining.examine(bench.order(f"sha256:{'0' * 64}"))


async def test_a_machine_without_dpkg_is_refused_when_its_list_is_demanded(
    bench: ContainerBench, debian: BaseImage
) -> None:
    tag = changed(bench, debian.tag, "rm -r /var/lib/dpkg", "sh")

    with pytest.raises(RefusedError, match="no package database of a kind that is read: dpkg"):
        await bench.examining.examine(bench.order(tag, sbom=True))

    assert bench.containers() == []


async def test_a_cancelled_try_removes_its_container(bench: ContainerBench, debian: BaseImage) -> None:
    begun = asyncio.Event()

    def say(step: str) -> None:
        if step.startswith("check 1"):
            begun.set()

    order = bench.order(debian.tag, {"type": "command", "run": "sleep 600", "timeLimit": "20m"})
    trying = asyncio.create_task(bench.examining.examine(order, say))
    await begun.wait()
    trying.cancel()

    with pytest.raises(asyncio.CancelledError):
        await trying
    assert bench.containers() == []


async def test_discarding_may_find_nothing(bench: ContainerBench, debian: BaseImage) -> None:
    order = bench.order(debian.tag)
    await bench.examining.discard(order)
    left = Containers(bench.engine).booted(order, lambda _step: None)
    await left.__aenter__()
    assert len(bench.containers()) == 1

    await bench.examining.discard(order)

    assert bench.containers() == []
    await left.__aexit__(None, None, None)
