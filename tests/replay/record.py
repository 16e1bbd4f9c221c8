"""Record histories that every later version must replay: `PYTHONPATH=tests python -m replay.record NAME…`.

Record anew only when a workflow's commands were meant to change and no released version is in use;
otherwise keep the old histories and branch by `workflow.patched`.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment

from fakes.fleet import FakeFleet, hosts_over_zones
from fakes.lease import FakeJanitor, janitor_worker
from fakes.worker import Campaign, campaign_worker, start_campaign, until
from steadfleet_activities.janitor.leases import TemporalLeases
from steadfleet_core.campaign.lifecycle import State
from steadfleet_durable import data_converter
from steadfleet_ports.lease import lease_id

HISTORIES = Path(__file__).parent / "histories"
SHORT_TERM = timedelta(minutes=1)
"""Of a lease: it is renewed within a bake."""

PARTS = ("", *(f"/{wave}{part}" for wave in (1, 2, "1/rollback") for part in ("", "/0")))
"""The workflows of a campaign of six hosts in two waves: campaign, waves, shards, and a restore."""


def fleet(**parts: Any) -> FakeFleet:
    return FakeFleet(hosts=hosts_over_zones(6), **parts)


async def _untouched(campaign: Campaign, fleet: FakeFleet) -> None: ...


async def _approve(campaign: Campaign, fleet: FakeFleet) -> None:
    await campaign.reaches(State.AWAITING_APPROVAL)
    await campaign.approve()


async def _abort_in_flight(campaign: Campaign, fleet: FakeFleet) -> None:
    await until(lambda: fleet.busy > 0)
    await campaign.abort()


async def _roll_back(campaign: Campaign, fleet: FakeFleet) -> None:
    await campaign.reaches(State.BAKING)
    await campaign.rollback()


async def _pause_resume_advance(campaign: Campaign, fleet: FakeFleet) -> None:
    await campaign.reaches(State.BAKING)
    await campaign.pause()
    await campaign.reaches(State.PAUSED)
    await campaign.resume()
    await campaign.reaches(State.BAKING)
    await campaign.advance()


@dataclass
class Scenario:
    """A campaign, and what people do to it."""

    fleet: Callable[[], FakeFleet] = fleet
    spec: dict[str, Any] = field(default_factory=dict)
    leased: bool = False
    play: Callable[[Campaign, FakeFleet], Awaitable[None]] = _untouched


SCENARIOS = {
    "succeeded": Scenario(),
    "failed-and-rolled-back": Scenario(lambda: fleet(bad={"i-00000"})),
    "rolled-back-by-hand": Scenario(play=_roll_back),
    "aborted-in-flight": Scenario(lambda: fleet(gate=asyncio.Event()), play=_abort_in_flight),
    "paused-resumed-advanced": Scenario(play=_pause_resume_advance),
    "approved": Scenario(spec={"approval": {"required": True}}, play=_approve),
    # Those above were recorded before there were leases.
    "succeeded-under-a-lease": Scenario(leased=True),
    "aborted-under-a-lease": Scenario(
        lambda: fleet(gate=asyncio.Event()), leased=True, play=_abort_in_flight
    ),
    # Those above were recorded before reports were kept.
    "its-report-is-kept": Scenario(leased=True),
}


async def record(scenario: Scenario) -> dict[str, Any]:
    """Play a scenario on a server of its own; return the history of each of its workflows."""
    server = Path(sys.executable).with_name("temporal-test-server")
    async with await WorkflowEnvironment.start_time_skipping(
        test_server_existing_path=str(server), data_converter=data_converter(), identity="test"
    ) as env:
        world = scenario.fleet()
        spec = {"strategy": {"type": "canary", "canary": {"steps": [2, "100%"]}}, "bake": {"time": "1m"}}
        async with AsyncExitStack() as workers:
            leases = TemporalLeases(region="eu-west-1", term=SHORT_TERM) if scenario.leased else None
            await workers.enter_async_context(janitor_worker(env, FakeJanitor(), identity="test"))
            await workers.enter_async_context(campaign_worker(env, world, leases=leases, identity="test"))
            campaign = await start_campaign(env, **{**spec, **scenario.spec})
            await scenario.play(campaign, world)
            await campaign.report()
            return {part: history async for part, history in _histories(env, campaign)}


async def _histories(env: WorkflowEnvironment, campaign: Campaign) -> AsyncIterator[tuple[str, Any]]:
    lease = lease_id(campaign.handle.first_execution_run_id or "")
    for name in (*(campaign.handle.id + part for part in PARTS), lease):
        workflow = env.client.get_workflow_handle(name)
        with suppress(RPCError):  # this scenario has no such workflow
            history = await workflow.fetch_history()
            yield workflow.id, scrubbed(json.loads(history.to_json()))


def scrubbed(value: Any) -> Any:
    """Leave out stack traces: they name files of the machine that recorded."""
    if isinstance(value, dict):
        return {key: scrubbed(part) for key, part in value.items() if key != "stackTrace"}
    return [scrubbed(part) for part in value] if isinstance(value, list) else value


async def main(names: list[str]) -> None:
    """Write the histories of these scenarios."""
    for name in names:
        text = json.dumps(await record(SCENARIOS[name]), separators=(",", ":"))
        (HISTORIES / f"{name}.json").write_text(text + "\n")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
