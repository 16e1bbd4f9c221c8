"""When each scheduled plan was last proven: Temporal forgets old drills, their reports do not go."""

from datetime import datetime, timedelta

from pydantic import ValidationError
from temporalio.client import Client, ScheduleDescription
from temporalio.common import MetricMeter

from steadfleet_activities.drill.drills import PlatformDrills
from steadfleet_core.drill.order import schedule_id
from steadfleet_core.drill.report import DrillReport, DrillState
from steadfleet_core.drill.verdict import Verdict
from steadfleet_durable import CurrentClient, engine_runtime
from steadfleet_durable.metrics import Gauge, labelled, watch
from steadfleet_ports.drill import PastReports
from steadfleet_workflows.visibility import PLAN, STATE

UNPROVEN_SINCE = "steadfleet_drill_unproven_since_timestamp_seconds"
INTERVAL = "steadfleet_drill_interval_seconds"

_PREFIX = schedule_id("")


async def watch_drills(drills: PlatformDrills, client: CurrentClient, every: timedelta) -> None:
    """Look at every schedule of drills until cancelled."""
    meter = engine_runtime().metric_meter
    gauges = DrillGauges(drills, meter)
    await watch("drills", lambda: gauges.look(client()), every=every, meter=meter)


class DrillGauges:
    """Reports are read once a plan and process: what ends later, visibility knows."""

    def __init__(self, drills: PlatformDrills, meter: MetricMeter) -> None:
        self._drills = drills
        self._proven: dict[str, datetime | None] = {}
        self._since = Gauge(
            meter, UNPROVEN_SINCE, "End of the last drill that passed, or since it is planned."
        )
        self._interval = Gauge(meter, INTERVAL, "Time between two drills of the schedule.")

    async def look(self, client: Client) -> None:
        since, intervals = {}, {}
        async for schedule in await client.list_schedules():
            if not schedule.id.startswith(_PREFIX):
                continue
            plan = schedule.id.removeprefix(_PREFIX)
            planned = await client.get_schedule_handle(schedule.id).describe()
            proven = await self._last_passed(client, plan)
            since[labelled(plan=plan)] = (proven or planned.info.created_at).timestamp()
            intervals[labelled(plan=plan)] = interval(planned).total_seconds()
        self._since.show(since)
        self._interval.show(intervals)

    async def _last_passed(self, client: Client, plan: str) -> datetime | None:
        if plan not in self._proven:
            reports = await self._drills.past_reports(PastReports(plan=plan))
            self._proven[plan] = newest_passed(reports.contents)
        query = (
            f"WorkflowType = 'DrDrill' AND {PLAN.name} = '{plan}' AND {STATE.name} = '{DrillState.PASSED}'"
        )
        async for drill in client.list_workflows(query, limit=1):
            if drill.close_time:
                self._proven[plan] = max(drill.close_time, self._proven[plan] or drill.close_time)
        return self._proven[plan]


def interval(schedule: ScheduleDescription) -> timedelta:
    """Return the time between the next two drills; nothing where no second one will come."""
    times = schedule.info.next_action_times
    return times[1] - times[0] if len(times) > 1 else timedelta(0)


def newest_passed(contents: tuple[str, ...]) -> datetime | None:
    """Return when the newest report that passed ended; one that cannot be read proves nothing."""
    return max(
        (
            report.ended_at
            for report in map(_read, contents)
            if report and report.status.overall is Verdict.PASSED
        ),
        default=None,
    )


def _read(content: str) -> DrillReport | None:
    try:
        return DrillReport.model_validate_json(content)
    except ValidationError:
        return None
