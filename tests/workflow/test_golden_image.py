"""An image is published whole, or nothing of it is left: whatever fails, hangs or is aborted."""

from typing import Any

import pytest
from temporalio import workflow
from temporalio.client import WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment

from fakes.images import AWAY, HOME, World, image_workers, start_build
from fakes.worker import until
from steadfleet_core.campaign.lifecycle import Request
from steadfleet_core.image.order import Build, BuiltImage, ImageOrder
from steadfleet_core.image.report import ImageReport, ImageState, ImageStatus, PlaceState
from steadfleet_durable.options import LONG
from steadfleet_durable.saga import Saga
from steadfleet_ports.image import ImageBuild, Images
from steadfleet_workflows.image import GoldenImage

GATED = {"gates": {"vulnerabilities": {"advisories": "osv.json"}}}
STEPS = (
    "build",
    "examine",
    "judge",
    f"publish {HOME}",
    f"attest {HOME}",
    f"publish {AWAY}",
    f"attest {AWAY}",
)
CHANNEL = {"publish": {"regions": [{"name": HOME}], "channel": "dev"}}


async def status_of(build: WorkflowHandle[GoldenImage, ImageReport]) -> ImageStatus:
    return await build.query(GoldenImage.status)


async def reaches(build: WorkflowHandle[GoldenImage, ImageReport], state: ImageState) -> ImageStatus:
    async def reached() -> bool:
        return (await status_of(build)).state is state

    await until(reached, f"the build is {state}")
    return await status_of(build)


async def test_an_image_is_published_signed_and_released_everywhere(
    time_skipping: WorkflowEnvironment,
) -> None:
    world = World()
    async with image_workers(time_skipping, world):
        report = await (await start_build(time_skipping)).result()

    status = report.status
    assert status.state is ImageState.PUBLISHED
    assert {place.name: place.state for place in status.places} == dict.fromkeys(
        (HOME, AWAY), PlaceState.RELEASED
    )
    assert world.things == {
        "sources",
        *(f"{what} {where}" for what in ("image", "attestation", "released") for where in (HOME, AWAY)),
    }
    assert world.calls.index("open lease") < world.calls.index("build")
    assert world.calls[-1] == "close lease"


async def test_the_channel_moves_last_and_a_refusal_leaves_the_image_published(
    time_skipping: WorkflowEnvironment,
) -> None:
    world = World()
    async with image_workers(time_skipping, world):
        moved = (await (await start_build(time_skipping, **CHANNEL)).result()).status
        world.refused = ["no approval"]
        refused = (await (await start_build(time_skipping, version="1.4.3", **CHANNEL)).result()).status

    assert world.calls.index("promote") > world.calls.index(f"release {HOME}")
    assert (moved.state, moved.channel, moved.warnings) == (ImageState.PUBLISHED, "dev", ())
    assert (refused.state, refused.channel) == (ImageState.PUBLISHED, "")
    assert refused.warnings == ("channel dev was not moved: no approval",)


@pytest.mark.parametrize("step", STEPS)
async def test_a_step_that_fails_for_good_leaves_nothing(
    time_skipping: WorkflowEnvironment, step: str
) -> None:
    world = World(failing={step: "planted"})
    required = step.endswith((HOME, AWAY))
    async with image_workers(time_skipping, world):
        build = await start_build(time_skipping, **GATED)
        if required:
            await reaches(build, ImageState.HALTED)
            await build.execute_update(GoldenImage.abort, Request(by="bob"))
            status = (await build.result()).status
        else:
            with pytest.raises(WorkflowFailureError) as failed:
                await build.result()
            status = await status_of(build)
            assert isinstance(failed.value.cause, ApplicationError)
            assert failed.value.cause.type == "PlantedError"

    assert status.state is (ImageState.ABORTED if required else ImageState.FAILED)
    assert not world.temporary
    assert not status.obligations


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("how", ["abort", "cancel"])
async def test_an_abort_in_any_step_leaves_nothing(
    time_skipping: WorkflowEnvironment, step: str, how: str
) -> None:
    world = World(hanging={step})
    async with image_workers(time_skipping, world):
        build = await start_build(time_skipping, **GATED)
        await until(lambda: step in world.reached, step)
        if how == "abort":
            receipt = await build.execute_update(GoldenImage.abort, Request(by="bob", reason="wrong base"))
            status = (await build.result()).status
            assert receipt.effect == "everything that was made for this version is taken away again"
            assert status.reason == "aborted by bob: wrong base"
        else:
            await build.cancel()
            with pytest.raises(WorkflowFailureError):
                await build.result()
            status = await status_of(build)

    assert status.state is ImageState.ABORTED
    assert not world.temporary


async def test_a_failed_region_is_retried_without_a_rebuild(time_skipping: WorkflowEnvironment) -> None:
    world = World(failing={f"publish {AWAY}": "no capacity"})
    async with image_workers(time_skipping, world):
        build = await start_build(
            time_skipping, **CHANNEL | {"publish": {"regions": [{"name": AWAY}], "channel": "dev"}}
        )
        halted = await reaches(build, ImageState.HALTED)
        assert halted.reason == f"{AWAY}: no capacity"
        assert "promote" not in world.calls
        assert f"release {HOME}" not in world.calls
        world.failing.clear()
        await build.execute_update(GoldenImage.retry, Request(by="bob"))
        status = (await build.result()).status

    assert status.state is ImageState.PUBLISHED
    assert world.calls.count("build") == world.calls.count(f"publish {HOME}") == 1
    assert world.calls.count(f"publish {AWAY}") == 2


async def test_a_copy_whose_content_differs_is_withdrawn_and_halts(
    time_skipping: WorkflowEnvironment,
) -> None:
    world = World(content={AWAY: "other"})
    async with image_workers(time_skipping, world):
        build = await start_build(time_skipping)
        halted = await reaches(build, ImageState.HALTED)
        assert "measured" in halted.reason
        assert f"image {AWAY}" not in world.things
        assert f"attestation {AWAY}" not in world.things
        await build.execute_update(GoldenImage.abort, Request(by="bob"))
        await build.result()

    assert not world.temporary


async def test_a_best_effort_region_that_fails_is_told_and_withdrawn(
    time_skipping: WorkflowEnvironment,
) -> None:
    world = World(failing={f"publish {AWAY}": "no capacity"})
    regions = [{"name": HOME}, {"name": AWAY, "required": False}]
    async with image_workers(time_skipping, world):
        status = (await (await start_build(time_skipping, publish={"regions": regions})).result()).status

    assert status.state is ImageState.PUBLISHED
    assert [(place.name, place.state) for place in status.places] == [
        (HOME, PlaceState.RELEASED),
        (AWAY, PlaceState.FAILED),
    ]
    assert f"image {AWAY}" not in world.things


async def test_a_halted_build_that_nobody_decides_is_undone_after_a_day(
    time_skipping: WorkflowEnvironment,
) -> None:
    world = World(failing={f"publish {AWAY}": "no capacity"})
    async with image_workers(time_skipping, world):
        status = (await (await start_build(time_skipping)).result()).status

    assert status.state is ImageState.ABORTED
    assert status.reason.startswith("nobody decided within a day")
    assert not world.temporary


@pytest.mark.parametrize(
    ("world", "reason"),
    [
        (World(failed_checks=("nginx answers",)), "1 of 2 tests failed: nginx answers: broken"),
        (World(blocking=2), "2 vulnerabilities of at least high are not waived"),
    ],
)
async def test_a_bad_image_is_undone_before_it_is_signed(
    time_skipping: WorkflowEnvironment, world: World, reason: str
) -> None:
    async with image_workers(time_skipping, world):
        build = await start_build(time_skipping, **GATED)
        with pytest.raises(WorkflowFailureError):
            await build.result()
        status = await status_of(build)

    assert reason in status.reason
    assert not world.temporary
    assert not [call for call in world.calls if call.startswith("attest")]


async def test_nothing_is_made_where_no_lease_is_granted(time_skipping: WorkflowEnvironment) -> None:
    world = World(failing={"open lease": "no janitor answers"})
    async with image_workers(time_skipping, world):
        build = await start_build(time_skipping)
        with pytest.raises(WorkflowFailureError):
            await build.result()

    assert "build" not in world.calls


async def test_verbs_that_make_no_sense_are_refused(time_skipping: WorkflowEnvironment) -> None:
    world = World(hanging={f"release {HOME}"})
    async with image_workers(time_skipping, world):
        build = await start_build(time_skipping)
        await until(lambda: f"release {HOME}" in world.reached)
        for verb in (GoldenImage.abort, GoldenImage.retry):
            with pytest.raises(Exception, match="update") as refused:
                await build.execute_update(verb, Request(by="bob"))
            assert "while releasing" in str(refused.value.__cause__)
        await build.cancel()
        world.hanging.clear()
        with pytest.raises(WorkflowFailureError):
            await build.result()

    assert f"released {AWAY}" in world.things, "a release that has begun is carried to its end"


@workflow.defn(name="LateUndo")
class LateUndo(GoldenImage):
    """The mutant: its undo is registered after the step."""

    @workflow.init
    def __init__(self, order: ImageOrder) -> None:
        super().__init__(order)

    @workflow.run
    async def run(self, order: ImageOrder) -> ImageReport:
        return await super().run(order)

    async def _build(self, saga: Saga, build: Build) -> BuiltImage:
        request = ImageBuild(build=build, spec=self.spec.build)
        built = await workflow.execute_activity_method(Images.build_image, request, **LONG)
        saga.compensate_with(Images.discard_build, request)
        return built


async def test_the_mutant_that_registers_its_undo_late_leaves_something(
    time_skipping: WorkflowEnvironment,
) -> None:
    left: dict[str, Any] = {}
    for kind in (GoldenImage, LateUndo):
        world = World(failing={"build": "planted"})
        async with image_workers(time_skipping, world, LateUndo):
            build = await start_build(time_skipping, kind.run)
            with pytest.raises(WorkflowFailureError):
                await build.result()
        left[kind.__name__] = world.temporary

    assert left == {"GoldenImage": set(), "LateUndo": {f"image {HOME}"}}
