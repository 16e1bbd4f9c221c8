"""The builder with every undo registered after its step, not before: a planted fault.

What a step had done when it was cut short is then left to the lease; a test shows that it is noticed.
"""

from typing import Any

from temporalio import workflow

from steadfleet_core.image.order import Build, BuiltImage, ImageOrder
from steadfleet_core.image.report import ImageReport
from steadfleet_durable.saga import Saga
from steadfleet_image_build import main as service
from steadfleet_workflows.image import GoldenImage
from steadfleet_workflows.image_shown import ImageShown


class Later:
    """Takes undos, and hands them on when the step is over."""

    def __init__(self) -> None:
        self._undos: list[tuple[Any, Any, Any]] = []

    def compensate_with(self, undo: Any, arg: Any, **options: Any) -> None:
        self._undos.append((undo, arg, options))

    def hand_on(self, saga: Saga) -> None:
        for undo, arg, options in self._undos:
            saga.compensate_with(undo, arg, **options)


@workflow.defn(name="GoldenImage", sandboxed=False)
class LateGoldenImage(GoldenImage):
    @workflow.init
    def __init__(self, order: ImageOrder) -> None:
        ImageShown.__init__(self, order)

    @workflow.run
    async def run(self, order: ImageOrder) -> ImageReport:
        return await GoldenImage.run(self, order)

    async def _build(self, saga: Any, build: Build) -> BuiltImage:
        built = await super()._build(later := Later(), build)  # type: ignore[arg-type]
        later.hand_on(saga)
        return built

    async def _examine(self, saga: Any, build: Build, built: BuiltImage) -> None:
        await super()._examine(later := Later(), build, built)  # type: ignore[arg-type]
        later.hand_on(saga)

    async def _publish(self, saga: Any, built: BuiltImage) -> None:
        await super()._publish(later := Later(), built)  # type: ignore[arg-type]
        later.hand_on(saga)


if __name__ == "__main__":
    service.WORKFLOWS = (LateGoldenImage, *(one for one in service.WORKFLOWS if one is not GoldenImage))  # type: ignore[assignment]
    service.main()
