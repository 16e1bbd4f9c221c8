"""Workflows replay what earlier versions of them recorded: a campaign under way survives an upgrade."""

import json
import re
import socket
from pathlib import Path
from typing import Any

import pytest
from replay.mutants import EarlyCampaign, UnheldCampaign
from replay.record import HISTORIES, SCENARIOS
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer
from temporalio.workflow import NondeterminismError

from fakes.worker import WORKFLOWS
from steadfleet_durable import data_converter, workflow_runner
from steadfleet_workflows.campaign import PatchCampaign
from steadfleet_workflows.lease import Lease


def replayer(*workflows: type) -> Replayer:
    return Replayer(workflows=workflows, data_converter=data_converter(), workflow_runner=workflow_runner())


def histories(name: str) -> dict[str, Any]:
    recorded: dict[str, Any] = json.loads((HISTORIES / f"{name}.json").read_text())
    return recorded


def test_every_scenario_is_recorded() -> None:
    assert {path.stem for path in HISTORIES.glob("*.json")} == set(SCENARIOS)


@pytest.mark.parametrize("name", SCENARIOS)
async def test_every_workflow_of_a_recorded_campaign_replays(name: str) -> None:
    recorded = histories(name)
    assert {"campaign/web", "campaign/web/1", "campaign/web/1/0"} <= set(recorded)

    for workflow, history in recorded.items():
        await replayer(*WORKFLOWS, Lease).replay_workflow(WorkflowHistory.from_json(workflow, history))


async def test_a_campaign_under_a_lease_renews_and_closes_it_in_its_history() -> None:
    recorded = histories("succeeded-under-a-lease")
    events = json.dumps(recorded["campaign/web"])

    assert any(name.startswith("lease/") for name in recorded)
    assert events.index('"open_lease"') < events.index('"hold_groups"') < events.index('"close_lease"')
    assert '"signalName": "renew"' in events


@pytest.mark.parametrize("mutant", [UnheldCampaign, EarlyCampaign])
async def test_a_campaign_whose_commands_were_changed_does_not_replay(mutant: type) -> None:
    history = WorkflowHistory.from_json("campaign/web", histories("approved")["campaign/web"])
    others = [workflow for workflow in WORKFLOWS if workflow is not PatchCampaign]

    with pytest.raises(NondeterminismError):
        await replayer(mutant, *others).replay_workflow(history)


@pytest.mark.parametrize("path", sorted(HISTORIES.glob("*.json")), ids=lambda path: path.stem)
def test_a_recorded_history_names_nothing_of_the_machine_that_recorded_it(path: Path) -> None:
    text = path.read_text()

    assert set(re.findall(r'"identity":"([^"]*)"', text)) == {"test"}
    assert socket.gethostname() not in text
    assert "stackTrace" not in text
    assert str(Path(__file__).parents[2]) not in text
