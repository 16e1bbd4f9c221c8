"""Whatever happens at whatever step of a build: it is published once, or nothing of it is left."""

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from chaos.images.building import Building
from chaos.images.orphans import PROGRAM
from chaos.images.stage import AWAY, HOME, STATEMENTS, Stage, staged
from chaos.moments import Moment, Stop
from chaos.stage import ready
from temporalio.client import WorkflowUpdateFailedError

from fakes.residue import STORED, residue
from steadfleet_core.image.report import ImageState

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.docker,
    pytest.mark.timeout(600),
]
slow = pytest.mark.slow

STEPS = {
    "launch": Moment("packer", "RunInstances"),
    "capture": Moment("packer", "CreateImage"),
    "examine": Moment("builder", "RunInstances"),
    "judge": Moment("builder", "GetObject", "Key=sboms/"),
    "publish home": Moment("builder", "DescribeImages", "ImageId.1=", number=2),
    "sign home": Moment("signer", "PutObject"),
    "publish away": Moment("builder", "CopyImage"),
    "sign away": Moment("signer", "PutObject", number=STATEMENTS + 1),
    "release": Moment("builder", "CreateTags", "=steadfleet:family", when="before"),
}
"""Where a build is stopped: inside of each of its steps."""

SPECS: dict[str, dict[str, Any]] = {
    "judge": {"gate": "none"},
    "sign home": {"signed": True},
    "sign away": {"signed": True},
}


def victim_of(step: str) -> str:
    return "signer" if step.startswith("sign") else "builder"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage() -> AsyncIterator[Stage]:
    """Give one for all tests here. At the end there is what they published, and nothing else."""
    async with staged() as stage:
        before = await stage.grounds.holdings()
        yield stage
        assert residue(before, await stage.grounds.holdings(), [*STORED, *stage.published]) == ()


def at_every_step(quick: str = "") -> pytest.MarkDecorator:
    """Run the test at each step; one of them with every run of the tests, the others with the slow ones."""
    steps = [pytest.param(step, marks=() if step == quick else slow) for step in STEPS]
    return pytest.mark.parametrize("step", steps)


async def at(stage: Stage, step: str) -> tuple[Building, Stop]:
    return await stage.stopped(STEPS[step], **SPECS.get(step, {}))


async def undone(stage: Stage, building: Building) -> None:
    """Nothing is left, and the build saw to it by itself: its lease found nothing to take away."""
    lease = await stage.lease_of(building)
    assert await stage.residue() == ()
    assert lease.removed == ()


async def undone_by_lease(stage: Stage, building: Building) -> None:
    """Nothing is left but what was released: that is never taken back."""
    lease = await stage.lease_of(building)
    assert lease.left == ()
    assert await stage.residue(stage.keep(building)) == ()


async def published(stage: Stage, building: Building) -> None:
    """There is one image in each region and nothing else; its lease found nothing to take away."""
    lease = await stage.lease_of(building)
    released = stage.released(building)
    assert {region: len(ids) for region, ids in released.items()} == {HOME: 1, AWAY: 1}
    signed = {stage.statements_of(image) for ids in released.values() for image in ids}
    assert signed in ({0}, {STATEMENTS}), "once each, where it is signed at all"
    assert await stage.residue(stage.keep(building)) == ()
    assert lease.removed == ()


@at_every_step(quick="examine")
async def test_abort(stage: Stage, step: str) -> None:
    building, stop = await at(stage, step)
    try:
        if step == "release":
            with pytest.raises(WorkflowUpdateFailedError):
                await building.abort()
        else:
            await building.abort()
    finally:
        stop.let_go()
    if step == "release":
        assert await building.ended() is ImageState.PUBLISHED
        await published(stage, building)
    else:
        assert await building.ended() is ImageState.ABORTED
        await undone(stage, building)


@at_every_step()
async def test_cancel(stage: Stage, step: str) -> None:
    building, stop = await at(stage, step)
    await building.handle.cancel()
    stop.let_go()
    assert await building.ended() == "CancelledError"
    await (published if step == "release" else undone)(stage, building)


@at_every_step(quick="launch")
async def test_worker_killed(stage: Stage, step: str) -> None:
    building, stop = await at(stage, step)
    stage.workers[victim_of(step)].kill()
    stop.let_go("drop")
    assert await building.ended() is ImageState.PUBLISHED
    await published(stage, building)


@at_every_step(quick="capture")
async def test_terminated(stage: Stage, step: str) -> None:
    building, stop = await at(stage, step)
    await building.handle.terminate()
    stop.let_go()
    assert await building.ended() == "TerminatedError"
    await undone_by_lease(stage, building)
    # A release that is under way comes to its end; at other places it never begins.
    assert set(stage.released(building)) <= ({HOME} if step == "release" else set())


@at_every_step()
async def test_killed_and_terminated(stage: Stage, step: str) -> None:
    building, stop = await at(stage, step)
    worker = stage.workers[victim_of(step)]
    worker.stop()
    try:
        stop.let_go("drop")
        await building.handle.terminate()
        lease = await stage.lease_of(building)
    finally:
        worker.start()  # the next one, long after: what lies on the machine's own disk goes with it
        await ready(worker)
    assert lease.left == ()
    assert stage.released(building) == {}
    assert await stage.residue() == ()


@slow
@pytest.mark.parametrize("step", ["launch", "capture"])
async def test_packer_killed(stage: Stage, step: str) -> None:
    building, stop = await at(stage, step)
    stage.kill_packer()
    stop.let_go("drop")
    assert await building.ended() is ImageState.PUBLISHED
    await published(stage, building)


async def test_template_that_fails(stage: Stage) -> None:
    building = await stage.start(variables={"behaviour": "fails"})
    assert await building.ended() == "ApplicationError"
    await undone(stage, building)


@slow
async def test_image_that_fails_its_tests(stage: Stage) -> None:
    check = {"type": "file", "name": "it is there", "path": "/no/such/file"}
    building = await stage.start(tests={"checks": [check]})
    assert await building.ended() == "ApplicationError"
    await undone(stage, building)


@slow
async def test_gate_that_blocks(stage: Stage) -> None:
    building = await stage.start(gate="ours")
    assert await building.ended() == "ApplicationError"
    assert (await building.status()).reason.startswith("1 vulnerabilities")
    await undone(stage, building)


async def halted_and_aborted(stage: Stage, building: Building, why: str) -> None:
    assert re.search(why, (await building.reaches(ImageState.HALTED)).reason)
    await building.abort()
    assert await building.ended() is ImageState.ABORTED
    await undone(stage, building)


@slow
async def test_image_that_somebody_deregistered(stage: Stage) -> None:
    building, stop = await at(stage, "examine")
    (image,) = stage.made(building, "images")
    stage.ec2().deregister_image(ImageId=image)
    stop.let_go()
    await halted_and_aborted(stage, building, f"{image} in {HOME} is gone")


@slow
async def test_signer_that_refuses(stage: Stage) -> None:
    building, stop = await stage.stopped(STEPS["publish home"], signed=True)
    (image,) = stage.made(building, "images")
    stage.ec2().delete_tags(Resources=[image], Tags=[{"Key": "steadfleet:key"}])
    stop.let_go()
    await halted_and_aborted(stage, building, "is not tagged as this run's")


@slow
@pytest.mark.parametrize("kind", ["error", "throttle"])
async def test_platform_that_does_not_copy(stage: Stage, kind: str) -> None:
    fault = stage.cloud.add_fault(kind, action="CopyImage")
    try:
        building = await stage.start()
        await halted_and_aborted(stage, building, AWAY)
    finally:
        stage.cloud.clear_faults(fault)


@slow
async def test_copy_that_was_tampered_with(stage: Stage) -> None:
    fault = stage.cloud.add_fault("tampered-copy", region=AWAY)
    try:
        building = await stage.start(signed=True)
        await halted_and_aborted(stage, building, "it was altered on the way, and is not signed")
    finally:
        stage.cloud.clear_faults(fault)


@slow
async def test_version_that_somebody_released_meanwhile(stage: Stage) -> None:
    """Too late to undo: what is released stays, and the rest follows when the place is free."""
    building, stop = await at(stage, "release")
    tags = {"steadfleet:family": building.family, "steadfleet:version": "1.0.0"}
    other = stage.cloud.register_image("other", PROGRAM, tags, AWAY)
    stop.let_go()
    assert other in (await building.reaches(ImageState.HALTED)).reason
    with pytest.raises(WorkflowUpdateFailedError):
        await building.abort()
    stage.forget(other, AWAY)
    await building.retry()
    assert await building.ended() is ImageState.PUBLISHED
    await published(stage, building)
