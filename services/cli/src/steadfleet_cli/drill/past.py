"""The reports of a plan's earlier drills: those that are kept, and what Temporal still remembers."""

from datetime import UTC, datetime, timedelta

from temporalio.client import Client

from steadfleet_cli.drill.reading import MOST_LOOKED_AT, drills_of, result_of
from steadfleet_cli.engine import DRILLS, polled
from steadfleet_cli.engine import result_of as answer_of
from steadfleet_cli.executions import COMPLETED
from steadfleet_core.drill.report import DrillReport
from steadfleet_ports.drill import PastReports
from steadfleet_workflows.drill_inspection import DrillHistory

_MOST_OF_READING = timedelta(minutes=5)


async def past_reports(client: Client, report: DrillReport, most: int = 20) -> list[DrillReport]:
    """Return the reports of the same plan's drills before this one, the newest last.

    Without a worker only those that Temporal remembers: it forgets them with its retention.
    """
    found = await _remembered(client, report, most)
    if await polled(client, DRILLS):
        found = {**await _kept(client, report.status.plan, most), **found}
    before = [one for one in found.values() if one.status.started_at < report.status.started_at]
    return sorted(before, key=lambda one: one.status.started_at)[-most:]


async def _remembered(client: Client, report: DrillReport, most: int) -> dict[str, DrillReport]:
    found: dict[str, DrillReport] = {}
    async for execution in drills_of(client, report.status.plan, MOST_LOOKED_AT):
        if execution.status == COMPLETED and len(found) < most:
            one = await result_of(client, execution)
            found[one.status.run] = one
    return found


async def _kept(client: Client, plan: str, most: int) -> dict[str, DrillReport]:
    handle = await client.start_workflow(
        DrillHistory.run,
        PastReports(plan=plan, most=most),
        id=f"drill-history/{plan}/{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}",
        task_queue=DRILLS.task_queue,
        execution_timeout=_MOST_OF_READING,
    )
    kept = await answer_of(client, handle, DRILLS, "see the worker's log")
    reports = [DrillReport.model_validate_json(content) for content in kept.contents]
    return {one.status.run: one for one in reports}
