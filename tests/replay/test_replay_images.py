"""Builds and channels replay what earlier versions of them recorded."""

import json
from typing import Any

import pytest
from replay.record_images import CHANNEL, IMAGES, SCENARIOS
from temporalio import workflow
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer
from temporalio.workflow import NondeterminismError

from steadfleet_core.image.order import Build, ImageOrder
from steadfleet_core.image.report import ImageReport
from steadfleet_durable import data_converter, workflow_runner
from steadfleet_workflows.channel import ImageChannel
from steadfleet_workflows.image import GoldenImage

BUILD = "image/web/1.4.2"


def replayer(*workflows: type) -> Replayer:
    return Replayer(workflows=workflows, data_converter=data_converter(), workflow_runner=workflow_runner())


def recorded(name: str, part: str) -> WorkflowHistory:
    histories: dict[str, Any] = json.loads((IMAGES / f"{name}.json").read_text())
    return WorkflowHistory.from_json(part, histories[part])


def test_every_scenario_is_recorded() -> None:
    assert {path.stem for path in IMAGES.glob("*.json")} == set(SCENARIOS)


@pytest.mark.parametrize("part", [BUILD, CHANNEL])
@pytest.mark.parametrize("name", SCENARIOS)
async def test_a_recorded_build_and_its_channel_replay(name: str, part: str) -> None:
    replayed = await replayer(GoldenImage, ImageChannel).replay_workflow(recorded(name, part))

    assert replayed.replay_failure is None


@workflow.defn(name="GoldenImage")
class UntriedImage(GoldenImage):
    """The mutant: it judges and signs what it never tried."""

    @workflow.init
    def __init__(self, order: ImageOrder) -> None:
        super().__init__(order)

    @workflow.run
    async def run(self, order: ImageOrder) -> ImageReport:
        return await super().run(order)

    async def _examine(self, *_step: object) -> None: ...

    async def _judge(self, build: Build) -> None: ...


async def test_a_build_whose_commands_were_changed_does_not_replay() -> None:
    with pytest.raises(NondeterminismError):
        await replayer(UntriedImage).replay_workflow(recorded("published", BUILD))


@pytest.mark.parametrize("path", sorted(IMAGES.glob("*.json")), ids=lambda path: path.stem)
def test_a_recorded_history_names_nothing_of_the_machine_that_recorded_it(path: Any) -> None:
    text = path.read_text()

    assert '"identity":"test"' in text
    assert "stackTrace" not in text
