"""Schedules of drills and of preflights: made from a plan, and kept by Temporal."""

import asyncio
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import islice
from typing import NoReturn

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleBackfill,
    ScheduleCalendarSpec,
    ScheduleDescription,
    ScheduleHandle,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleRange,
    ScheduleSpec,
    ScheduleUpdate,
    ScheduleUpdateInput,
)
from temporalio.service import RPCError, RPCStatusCode

from steadfleet_cli.drill.cron import times
from steadfleet_cli.drill.launch import attributes, summary
from steadfleet_cli.engine import DRILLS
from steadfleet_cli.executions import attributes_registered
from steadfleet_cli.exits import CommandError, ExitCode
from steadfleet_core.drill.order import DrillOrder, preflight_schedule_id, schedule_id
from steadfleet_core.drill.plan import Schedule as Times
from steadfleet_workflows.drill import DrDrill
from steadfleet_workflows.drill_inspection import DrillPreflight

_APPEARS_WITHIN = timedelta(seconds=10)
_LOOK_EVERY = timedelta(seconds=0.2)
_MOST_BACKFILLED = 20
"""Drills that one backfill may start: each recovers a whole copy."""


class Kind(StrEnum):
    DRILL = "drill"
    PREFLIGHT = "preflight"


@dataclass(frozen=True)
class Scheduled:
    """Which schedule: a plan's drills, or its preflights."""

    plan: str
    kind: Kind = Kind.DRILL

    @property
    def identity(self) -> str:
        """The schedule's id; the runs' ids are this and their time."""
        return schedule_id(self.plan) if self.kind is Kind.DRILL else preflight_schedule_id(self.plan)

    @property
    def option(self) -> str:
        return " --preflight" if self.kind is Kind.PREFLIGHT else ""

    def __str__(self) -> str:
        return f"schedule of {self.kind}s of {self.plan}"

    def handle(self, client: Client) -> ScheduleHandle:
        return client.get_schedule_handle(self.identity)


def scheduled_of(identity: str) -> Scheduled | None:
    """Return what a schedule of that id is for; None if it is none of ours."""
    prefix, _, plan = identity.partition("/")
    kinds = {schedule_id("").rstrip("/"): Kind.DRILL, preflight_schedule_id("").rstrip("/"): Kind.PREFLIGHT}
    return Scheduled(plan, kinds[prefix]) if plan and prefix in kinds else None


def schedule_of(order: DrillOrder, kind: Kind) -> Schedule:
    """Compose what Temporal keeps. A drill that still runs skips the next one."""
    what, when = Scheduled(order.plan.name, kind), times_of(order)
    action = ScheduleActionStartWorkflow(
        DrDrill.run if kind is Kind.DRILL else DrillPreflight.run,
        order,
        id=what.identity,
        task_queue=DRILLS.task_queue,
        typed_search_attributes=attributes(order),
        static_summary=summary(order) if kind is Kind.DRILL else f"preflight of {order.plan.name}",
    )
    spec = ScheduleSpec(
        cron_expressions=[when.cron],
        skip=[_whole_day(day.year, day.month, day.day) for day in when.blocked_dates],
        time_zone_name=when.timezone,
    )
    policy = SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=when.catch_up)
    return Schedule(action=action, spec=spec, policy=policy)


def _whole_day(year: int, month: int, day: int) -> ScheduleCalendarSpec:
    """Match every second of a day, in the schedule's own zone."""
    return ScheduleCalendarSpec(
        second=(ScheduleRange(0, 59),),
        minute=(ScheduleRange(0, 59),),
        hour=(ScheduleRange(0, 23),),
        day_of_month=(ScheduleRange(day),),
        month=(ScheduleRange(month),),
        year=(ScheduleRange(year),),
    )


def times_of(order: DrillOrder) -> Times:
    when = order.plan.spec.schedule
    if when is None:
        raise CommandError(
            f"drill plan {order.plan.name} has no spec.schedule, so there is no telling when",
            ExitCode.REFUSED,
            'write one, such as schedule: {cron: "30 2 * * 6", timezone: Europe/Berlin}',
        )
    return when


async def create(client: Client, order: DrillOrder, kind: Kind) -> ScheduleDescription:
    what = Scheduled(order.plan.name, kind)
    order = await _registered(client, order)
    try:
        handle = await client.create_schedule(
            what.identity,
            schedule_of(order, kind),
            memo={"plan": order.plan.name, "order": order.digest},
            search_attributes=attributes(order),
        )
    except ScheduleAlreadyRunningError as error:
        raise CommandError(
            f"there is a {what} already",
            ExitCode.NAME_TAKEN,
            f"`steadfleet drill schedule update{what.option} -f FILE` changes it",
        ) from error
    return await handle.describe()


async def update(client: Client, order: DrillOrder, kind: Kind) -> ScheduleDescription:
    """Replace all but whether it is paused, and why."""
    what = Scheduled(order.plan.name, kind)
    new = schedule_of(await _registered(client, order), kind)

    def replaced(current: ScheduleUpdateInput) -> ScheduleUpdate:
        new.state = current.description.schedule.state
        return ScheduleUpdate(schedule=new)

    with _known(what):
        await what.handle(client).update(replaced)
        return await what.handle(client).describe()


async def _registered(client: Client, order: DrillOrder) -> DrillOrder:
    return order.model_copy(update={"search_attributes": await attributes_registered(client)})


async def describe(client: Client, what: Scheduled) -> ScheduleDescription:
    with _known(what):
        return await what.handle(client).describe()


async def pause(client: Client, what: Scheduled, note: str) -> None:
    await _done(what, what.handle(client).pause(note=note))


async def resume(client: Client, what: Scheduled, note: str) -> None:
    await _done(what, what.handle(client).unpause(note=note))


async def delete(client: Client, what: Scheduled) -> None:
    await _done(what, what.handle(client).delete())


async def trigger(client: Client, what: Scheduled) -> str:
    """Start one now, and return its id; also while the schedule is paused."""
    before = await describe(client, what)
    _none_running(before, what)
    await _done(what, what.handle(client).trigger())
    known = before.info.num_actions
    for _ in range(_APPEARS_WITHIN // _LOOK_EVERY):
        info = (await describe(client, what)).info
        if info.num_actions > known and info.recent_actions:
            return str(getattr(info.recent_actions[-1].action, "workflow_id", ""))
        await asyncio.sleep(_LOOK_EVERY.total_seconds())
    return ""


def _none_running(before: ScheduleDescription, what: Scheduled) -> None:
    running = [str(getattr(one, "workflow_id", one)) for one in before.info.running_actions]
    if running:
        raise CommandError(
            f"{', '.join(running)} of this schedule still runs, so another would be skipped",
            ExitCode.REFUSED,
            f"wait for its end; `steadfleet drill schedule show {what.plan}{what.option}`",
        )


async def due_between(client: Client, what: Scheduled, start: datetime, end: datetime) -> list[datetime]:
    """Return what a backfill would start; raise where that is nothing, too much, or not past yet."""
    order = await order_of(client, await describe(client, what))
    if not start < end <= datetime.now(UTC):
        raise CommandError(
            f"from {start.isoformat()} to {end.isoformat()}: expected a time, and a later one that is past",
            ExitCode.USAGE,
            f"`steadfleet drill schedule show {what.plan}{what.option}`",
        )
    due = list(islice(times(times_of(order), start, end), _MOST_BACKFILLED + 1))
    if not 1 <= len(due) <= _MOST_BACKFILLED:
        found = f"more than {_MOST_BACKFILLED} runs were" if due else "no run was"
        raise CommandError(
            f"{found} due from {start.isoformat()} to {end.isoformat()}",
            ExitCode.REFUSED,
            "choose another period" if due else "`steadfleet drill run` starts one now",
        )
    return due


async def backfill(client: Client, what: Scheduled, start: datetime, end: datetime) -> None:
    """Start what would have been started between two moments, both included, one after another."""
    # The policy of the schedule would skip all but the first. The SDK says that the start is left out,
    # server 1.32 counts it in: half a second before it, where nothing is ever due, both are the same.
    period = ScheduleBackfill(
        start_at=start - timedelta(seconds=0.5), end_at=end, overlap=ScheduleOverlapPolicy.BUFFER_ALL
    )
    await _done(what, what.handle(client).backfill(period))


async def order_of(client: Client, description: ScheduleDescription) -> DrillOrder:
    """Return what the schedule starts a drill with."""
    action = description.schedule.action
    if not isinstance(action, ScheduleActionStartWorkflow):
        raise TypeError(f"{description.id} starts no workflow")
    (order,) = await client.data_converter.decode(list(action.args), [DrillOrder])
    if not isinstance(order, DrillOrder):
        raise TypeError(f"{description.id} starts something else than a drill")
    return order


async def all_schedules(client: Client) -> list[tuple[Scheduled, ScheduleDescription]]:
    """Return every schedule of ours, with all that Temporal says of it."""
    found = []
    async for entry in await client.list_schedules():
        what = scheduled_of(entry.id)
        if what is not None:
            try:
                found.append((what, await what.handle(client).describe()))
            except RPCError as error:
                if error.status != RPCStatusCode.NOT_FOUND:  # deleted since it was listed
                    raise
    return sorted(found, key=lambda one: (one[0].plan, one[0].kind))


async def _done(what: Scheduled, request: Awaitable[None]) -> None:
    with _known(what):
        await request


@contextmanager
def _known(what: Scheduled) -> Iterator[None]:
    try:
        yield
    except RPCError as error:
        if error.status == RPCStatusCode.NOT_FOUND:
            _refuse_unknown(what, error)
        raise


def _refuse_unknown(what: Scheduled, error: RPCError) -> NoReturn:
    raise CommandError(
        f"there is no {what}",
        ExitCode.REFUSED,
        f"`steadfleet drill schedule list`, or `steadfleet drill schedule create{what.option} -f FILE`",
    ) from error
