"""Drills and preflights replay what earlier versions of them recorded."""

import json
from typing import Any

import pytest
from replay.record_drills import DRILL, DRILLS, PREFLIGHT, SCENARIOS
from temporalio import workflow
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer
from temporalio.workflow import NondeterminismError

from steadfleet_core.drill.order import Drill, DrillOrder
from steadfleet_core.drill.report import DrillReport
from steadfleet_durable import data_converter, workflow_runner
from steadfleet_workflows.drill import DrDrill
from steadfleet_workflows.drill_inspection import DrillPreflight


def replayer(*workflows: type) -> Replayer:
    return Replayer(workflows=workflows, data_converter=data_converter(), workflow_runner=workflow_runner())


def recorded(name: str, part: str) -> WorkflowHistory:
    histories: dict[str, Any] = json.loads((DRILLS / f"{name}.json").read_text())
    return WorkflowHistory.from_json(part, histories[part])


def test_every_scenario_is_recorded() -> None:
    assert {path.stem for path in DRILLS.glob("*.json")} == set(SCENARIOS)


@pytest.mark.parametrize("part", [DRILL, PREFLIGHT])
@pytest.mark.parametrize("name", SCENARIOS)
async def test_a_recorded_drill_and_its_preflight_replay(name: str, part: str) -> None:
    replayed = await replayer(DrDrill, DrillPreflight).replay_workflow(recorded(name, part))

    assert replayed.replay_failure is None


@workflow.defn(name="DrDrill")
class UntornDrill(DrDrill):
    """The mutant: it leaves what lies on its own host."""

    @workflow.init
    def __init__(self, order: DrillOrder) -> None:
        super().__init__(order)

    @workflow.run
    async def run(self, order: DrillOrder) -> DrillReport:
        return await super().run(order)

    async def _tear_down(self, drill: Drill) -> None: ...


async def test_a_drill_whose_commands_were_changed_does_not_replay() -> None:
    with pytest.raises(NondeterminismError):
        await replayer(UntornDrill).replay_workflow(recorded("passed", DRILL))


@pytest.mark.parametrize("path", sorted(DRILLS.glob("*.json")), ids=lambda path: path.stem)
def test_a_recorded_history_names_nothing_of_the_machine_that_recorded_it(path: Any) -> None:
    text = path.read_text()

    assert '"identity":"test"' in text
    assert "stackTrace" not in text
