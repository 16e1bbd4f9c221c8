"""What Temporal Cloud would bill: actions, counted from real histories.

`python benchmarks/actions.py` prints the table of README.md. Campaigns run now, on the embedded
engine, whose own counter stands beside the count; builds and drills are those that tests/replay
has recorded. What leaves no event is not in a history: heartbeats, queries and refused updates.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from bench import HEAD, HERE, Bench, Row, engine_and_worker, machine, show
from bench_worker import TASK_QUEUE
from campaign import run
from raw import Beating
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import WorkflowHistory

from steadfleet_durable import exit_now

RECORDED = HERE.parent / "tests" / "replay" / "histories"
PATCH_MARKER = "core_patch"
BEATING, HOSTS_AT_ONCE = 60.0, 10
_BILLED = {
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED: "workflow started",
    EventType.EVENT_TYPE_TIMER_STARTED: "timer started",
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED: "signal",
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED: "update",
    EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES: "search attributes upserted",
}
"""An event, and the action that it stands for, as docs.temporal.io/cloud/actions lists them."""


def actions_of(events: Iterable[HistoryEvent]) -> Counter[str]:
    """Count what is billed of one execution; an activity once for each attempt."""
    counted: Counter[str] = Counter()
    for event in events:
        if event.event_type in _BILLED:
            counted[_BILLED[event.event_type]] += 1
        elif event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED:
            counted["activity attempt"] += event.activity_task_started_event_attributes.attempt
        elif event.event_type == EventType.EVENT_TYPE_MARKER_RECORDED:
            counted["marker"] += event.marker_recorded_event_attributes.marker_name != PATCH_MARKER
    return +counted


def recorded(file: Path) -> Counter[str]:
    """Sum over the workflows of one recording."""
    histories = json.loads(file.read_text(encoding="utf-8"))
    counted: Counter[str] = Counter()
    for name, history in histories.items():
        counted += actions_of(WorkflowHistory.from_json(name, history).events)
    return counted


async def of_campaign(bench: Bench, hosts: int) -> Row:
    """Count a campaign and all under it, and say what the server's counter says beside."""
    name = f"actions-{hosts}"
    before = await bench.settled_actions()
    await run(bench, name, hosts)
    server = await bench.settled_actions() - before
    counted: Counter[str] = Counter()
    async for execution in bench.client.list_workflows():
        if execution.id == f"campaign/{name}" or execution.id.startswith(f"campaign/{name}/"):
            handle = bench.client.get_workflow_handle(execution.id, run_id=execution.run_id)
            counted += actions_of((await handle.fetch_history()).events)
    return Row(
        "actions of a campaign",
        f"{hosts:,} hosts in memory",
        f"{told(counted)}; the server counts {server:.0f}",
    )


async def of_heartbeats(bench: Bench) -> Row:
    """Count by the server's counter alone: a beat leaves no event. Start and attempt are taken off."""
    before = await bench.settled_actions()
    runs = [
        bench.client.execute_workflow(Beating.run, BEATING, id=f"beating/{n}", task_queue=TASK_QUEUE)
        for n in range(HOSTS_AT_ONCE)
    ]
    await asyncio.gather(*runs)
    beats = await bench.settled_actions() - before - 2 * HOSTS_AT_ONCE
    a_minute = beats / HOSTS_AT_ONCE / BEATING * 60
    fleet = f"{HOSTS_AT_ONCE} at once, {BEATING:g} s each, throttled to 5 s"
    return Row("heartbeats a minute of a host in flight", fleet, f"{a_minute:.1f}, by the server's counter")


def told(counted: Counter[str]) -> str:
    parts = ", ".join(f"{name} {count}" for name, count in counted.most_common())
    return f"{counted.total()}: {parts}"


async def main() -> None:
    print(f"{machine()}\n\n{HEAD}", flush=True)
    async with engine_and_worker() as bench:
        for hosts in (10, 100, 1000):
            show([await of_campaign(bench, hosts)])
        show([await of_heartbeats(bench)])
    kinds = {
        "a golden image, built and published": "images/published.json",
        "a drill, passed": "drills/passed.json",
        "a drill with a pilot light": "drills/pilot-light.json",
    }
    show(
        [
            Row(f"actions of {what}", "recorded", told(recorded(RECORDED / file)))
            for what, file in kinds.items()
        ]
    )


if __name__ == "__main__":
    asyncio.run(main())
    exit_now(0)
