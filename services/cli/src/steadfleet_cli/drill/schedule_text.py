"""Schedules as text and as JSON values: when it runs next, and how the last ones ended."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from temporalio.client import Client, ScheduleActionExecutionStartWorkflow, ScheduleDescription

from steadfleet_cli.drill.reading import told_state
from steadfleet_cli.drill.schedules import Scheduled, order_of
from steadfleet_cli.drill.status_text import reason_of
from steadfleet_cli.executions import describe
from steadfleet_cli.output import clock, section, table
from steadfleet_core.drill.order import DrillOrder
from steadfleet_core.model import format_duration

_NEXT_SHOWN = 5


@dataclass(frozen=True)
class Run:
    """One run of a schedule: when it was due, and its state, which at its end is the verdict."""

    workflow_id: str
    due_at: datetime
    state: str
    reason: str = ""


@dataclass(frozen=True)
class Timetable:
    """All that is shown of a schedule."""

    what: Scheduled
    order: DrillOrder
    description: ScheduleDescription
    runs: tuple[Run, ...]

    @property
    def paused(self) -> str:
        """Why it is paused; empty if it is not."""
        state = self.description.schedule.state
        return (state.note or "no reason was given") if state.paused else ""

    @property
    def coming(self) -> Sequence[datetime]:
        return self.description.info.next_action_times[:_NEXT_SHOWN]


async def read_timetable(client: Client, what: Scheduled, description: ScheduleDescription) -> Timetable:
    recent = description.info.recent_actions
    runs = [
        await _run(client, one.action, one.scheduled_at)
        for one in recent
        if isinstance(one.action, ScheduleActionExecutionStartWorkflow)
    ]
    return Timetable(what, await order_of(client, description), description, tuple(runs[::-1]))


async def _run(client: Client, action: ScheduleActionExecutionStartWorkflow, due: datetime) -> Run:
    execution = await describe(client, action.workflow_id)
    if execution is None:
        return Run(action.workflow_id, due, "forgotten", "Temporal's retention is over")
    return Run(action.workflow_id, due, told_state(execution), reason_of(execution))


def timetable_text(timetable: Timetable) -> str:
    return "\n".join(_lines(timetable))


def _lines(timetable: Timetable) -> Iterator[str]:
    what, order, info = timetable.what, timetable.order, timetable.description.info
    spec = timetable.description.schedule.spec
    policy = timetable.description.schedule.policy
    yield f"{what}: {f'paused: {timetable.paused}' if timetable.paused else 'active'}"
    yield f"id {what.identity}, order {order.digest}, by {order.requested_by}"
    yield f"in {spec.time_zone_name or 'UTC'}; {_when(order)}"
    if policy.catchup_window:
        yield f"what was missed is caught up within {format_duration(policy.catchup_window)}"
    if spec.skip:
        yield f"never on {', '.join(map(str, _blocked(order)))}"
    skipped, missed = info.num_actions_skipped_overlap, info.num_actions_missed_catchup_window
    yield f"{info.num_actions} started, {skipped} skipped because one still ran, {missed} missed"
    coming = [clock(moment) for moment in timetable.coming]
    yield from section("next" + (", once it is resumed" if timetable.paused else ""), coming or ["never"])
    if timetable.runs:
        rows = [(clock(run.due_at), run.state, run.workflow_id, run.reason) for run in timetable.runs]
        yield ""
        yield table([("due", "state", "run", "reason"), *rows])


def _when(order: DrillOrder) -> str:
    schedule = order.plan.spec.schedule
    return f"cron {schedule.cron}" if schedule else "its plan has no schedule of its own"


def _blocked(order: DrillOrder) -> list[date]:
    schedule = order.plan.spec.schedule
    return sorted(schedule.blocked_dates) if schedule else []


def timetables_text(timetables: Sequence[Timetable]) -> str:
    if not timetables:
        return "no schedules"
    return table([("plan", "of", "state", "next", "last", ""), *map(_row, timetables)])


def _row(timetable: Timetable) -> tuple[str, ...]:
    last = next(iter(timetable.runs), None)
    return (
        timetable.what.plan,
        timetable.what.kind,
        f"paused: {timetable.paused}" if timetable.paused else "active",
        clock(timetable.coming[0]) if timetable.coming else "never",
        clock(last.due_at) if last else "none yet",
        last.state if last else "",
    )


def timetable_document(timetable: Timetable) -> dict[str, object]:
    info, spec = timetable.description.info, timetable.description.schedule.spec
    schedule = timetable.order.plan.spec.schedule
    return {
        "plan": timetable.what.plan,
        "kind": timetable.what.kind.value,
        "id": timetable.what.identity,
        "order": timetable.order.digest,
        "by": timetable.order.requested_by,
        "cron": schedule.cron if schedule else None,
        "timezone": spec.time_zone_name,
        "paused": timetable.paused,
        "started": info.num_actions,
        "skipped": info.num_actions_skipped_overlap,
        "missed": info.num_actions_missed_catchup_window,
        "next": [moment.isoformat() for moment in timetable.coming],
        "runs": [
            {
                "id": run.workflow_id,
                "dueAt": run.due_at.isoformat(),
                "state": run.state,
                "reason": run.reason,
            }
            for run in timetable.runs
        ],
    }


def told(what: Scheduled, done: str) -> str:
    return f"{what} {done}\nnext: steadfleet drill schedule show {what.plan}{what.option}"
