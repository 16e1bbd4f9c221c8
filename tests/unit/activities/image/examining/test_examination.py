"""The story of an examination: what is done in which order, and what is stored."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment
from unit.activities.image.examining.workbench import (
    FakeMachine,
    FakeMachines,
    MemoryStore,
    build,
    debian,
    order,
    packed,
    ran,
)

from steadfleet_activities.image.examining.examination import Examining
from steadfleet_activities.image.examining.examiner import MachineExaminer
from steadfleet_activities.image.examining.machine import UnreachableError
from steadfleet_activities.image.examining.teardown import always
from steadfleet_activities.image.store import Kept
from steadfleet_core.errors import RefusedError
from steadfleet_core.image.golden import Gates
from steadfleet_core.image.order import Platform
from steadfleet_ports.image import ImageExamination, ImageJudgement

COMMAND: dict[str, Any] = {"type": "command", "run": "check it"}
OSV = json.dumps(
    {
        "id": "DSA-1",
        "affected": [
            {
                "package": {"ecosystem": "Debian:12", "name": "openssl"},
                "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "3.0.15-1"}]}],
            }
        ],
    }
)


class Room:
    """An examiner with a machine that is not there."""

    def __init__(self, folder: Path, machine: FakeMachine | None) -> None:
        self.store = MemoryStore()
        self.machines = FakeMachines(machine)
        self.examining = Examining(self.store, {Platform.AWS: self.machines})
        self.folder = folder

    def order(self, *checks: dict[str, Any], **other: Any) -> ImageExamination:
        files = other.pop("files", {})
        return order(self.store.put(Kept.SOURCES, packed(self.folder, **files)), *checks, **other)


async def test_results_and_sbom_are_stored_by_digest(tmp_path: Path) -> None:
    room = Room(tmp_path, debian())
    said: list[str] = []

    report = await room.examining.examine(room.order(COMMAND, sbom=True), said.append)

    assert [(result.name, result.verdict.value) for result in report.results] == [
        ("the machine boots", "passed"),
        ("check 0", "passed"),
    ]
    record = json.loads(room.store.get(Kept.TESTS, report.tests))
    assert (record["image"], record["machine"], len(record["checks"])) == ("ami-1", "i-fake", 2)
    assert report.sbom
    assert json.loads(room.store.get(Kept.SBOM, report.sbom))["bomFormat"] == "CycloneDX"
    assert report.components == 6
    assert room.machines.done == ["boot", "end"]
    assert said == ["listing the packages", "check 1 of 1: check 0", "storing the results"]


async def test_packages_are_listed_before_checks_can_change_the_machine(tmp_path: Path) -> None:
    machine = debian()
    room = Room(tmp_path, machine)

    await room.examining.examine(room.order(COMMAND, sbom=True))

    assert machine.asked[-1] == "check it"


async def test_without_a_demand_nothing_is_listed(tmp_path: Path) -> None:
    room = Room(tmp_path, FakeMachine())

    report = await room.examining.examine(room.order(COMMAND))

    assert (report.sbom, report.components) == (None, 0)


async def test_an_image_that_does_not_boot_has_failed_and_its_checks_are_errors(tmp_path: Path) -> None:
    room = Room(tmp_path, None)

    report = await room.examining.examine(room.order(COMMAND, sbom=True))

    assert [result.verdict.value for result in report.results] == ["failed", "error"]
    assert report.results[0].reason.startswith("i-fake did not let root in by SSH")
    assert (report.sbom, report.machine) == (None, "")
    assert room.machines.done == ["boot", "end"]


async def test_a_machine_without_dpkg_is_refused_and_taken_down(tmp_path: Path) -> None:
    room = Room(tmp_path, FakeMachine(answers={"/var/lib/dpkg": ran(status=44)}))

    with pytest.raises(RefusedError, match="no package database"):
        await room.examining.examine(room.order(COMMAND, sbom=True))

    assert room.machines.done == ["boot", "end"]


async def test_a_list_that_could_not_be_fetched_may_be_the_next_time(tmp_path: Path) -> None:
    room = Room(tmp_path, FakeMachine(answers={"/var/lib/dpkg": UnreachableError("cut")}))

    with pytest.raises(ApplicationError) as caught:
        await room.examining.examine(room.order(sbom=True))

    assert not caught.value.non_retryable
    assert room.machines.done == ["boot", "end"]


async def test_an_image_of_another_platform_is_refused(tmp_path: Path) -> None:
    room = Room(tmp_path, None)

    with pytest.raises(RefusedError, match="boots no machines of platform docker"):
        await room.examining.discard(room.order(platform=Platform.DOCKER))


async def test_discarding_is_left_to_the_platform(tmp_path: Path) -> None:
    room = Room(tmp_path, None)

    await room.examining.discard(room.order())

    assert room.machines.done == ["discard"]


def judgement(room: Room, report: Any, gates: dict[str, Any], **files: str) -> ImageJudgement:
    sources = room.store.put(Kept.SOURCES, packed(room.folder, **files))
    return ImageJudgement(
        build=build(sources),
        gates=Gates.model_validate(gates),
        sbom=report.sbom,
        at=datetime(2026, 11, 21, tzinfo=UTC),
    )


async def test_the_stored_list_is_held_against_the_orders_advisories(tmp_path: Path) -> None:
    room = Room(tmp_path, debian())
    report = await room.examining.examine(room.order(sbom=True))
    gates = {"vulnerabilities": {"advisories": "osv.json"}}

    gate = await room.examining.judge(judgement(room, report, gates, osv_json=OSV))

    assert (gate.looked_up, gate.found, gate.blocking) == (3, 1, 1)
    assert gate.advisories
    assert gate.findings[0].fixed_in == "3.0.15-1"


async def test_without_a_gate_nothing_is_found(tmp_path: Path) -> None:
    room = Room(tmp_path, debian())
    report = await room.examining.examine(room.order(sbom=True))

    assert (await room.examining.judge(judgement(room, report, {}))).found == 0


async def test_a_list_that_is_demanded_and_missing_is_refused(tmp_path: Path) -> None:
    room = Room(tmp_path, FakeMachine())
    report = await room.examining.examine(room.order())

    with pytest.raises(RefusedError, match=r"spec\.gates\.sbom demands an SBOM"):
        await room.examining.judge(judgement(room, report, {}))


async def test_advisories_that_are_not_there_or_not_osv_are_refused(tmp_path: Path) -> None:
    room = Room(tmp_path, debian())
    report = await room.examining.examine(room.order(sbom=True))
    gates = {"vulnerabilities": {"advisories": "osv.json"}}

    with pytest.raises(RefusedError, match=r"osv\.json: is not among the sources"):
        await room.examining.judge(judgement(room, report, gates))
    with pytest.raises(RefusedError, match=r"osv\.json: is not JSON"):
        await room.examining.judge(judgement(room, report, gates, osv_json="{"))


async def test_within_an_activity_a_person_sees_the_step(tmp_path: Path) -> None:
    room = Room(tmp_path, debian())
    examiner, seen = MachineExaminer(room.examining), []
    activity = ActivityEnvironment()
    activity.on_heartbeat = lambda *details: seen.append(details)
    examination = room.order(COMMAND, sbom=True)

    report = await activity.run(examiner.examine_image, examination)
    gate = await activity.run(examiner.judge_image, judgement(room, report, {}))
    await activity.run(examiner.discard_machine, examination)

    assert ("check 1 of 1: check 0",) in seen
    assert gate.found == 0
    assert room.machines.done == ["boot", "end", "discard"]


async def test_an_undo_is_done_to_its_end_however_often_it_is_cancelled() -> None:
    begun, ending, done = asyncio.Event(), asyncio.Event(), []

    async def undo() -> None:
        begun.set()
        await ending.wait()
        done.append("undone")

    async def work() -> None:
        async with always(undo, "it"):
            await asyncio.Event().wait()

    working = asyncio.create_task(work())
    await asyncio.sleep(0)
    working.cancel()
    await begun.wait()
    working.cancel()
    await asyncio.sleep(0)
    working.cancel()
    ending.set()

    with pytest.raises(asyncio.CancelledError):
        await working
    assert done == ["undone"]


async def test_an_undo_that_fails_does_not_hide_why_it_was_undone() -> None:
    async def undo() -> None:
        raise OSError("not undone")

    with pytest.raises(ValueError, match="the reason"):
        async with always(undo, "it"):
            raise ValueError("the reason")
    with pytest.raises(OSError, match="not undone"):
        async with always(undo, "it"):
            pass
