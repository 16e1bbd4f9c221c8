"""`steadfleet drill schedule`: create, update, list, show, pause, resume, trigger, backfill, delete."""
# ruff: noqa: PLC0415  (imported when called: `--help` loads neither Temporal nor pydantic)

import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from steadfleet_cli.drill.arguments import cron_option, file_option, plan_argument, preflight_option
from steadfleet_cli.output import as_option, output_option, show

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from temporalio.client import Client, ScheduleDescription

    from steadfleet_cli.drill.schedule_text import Timetable
    from steadfleet_cli.drill.schedules import Kind, Scheduled
    from steadfleet_core.drill.order import DrillOrder

    Keep = Callable[[Client, DrillOrder, Kind], Awaitable[ScheduleDescription]]


@click.command()
@file_option
@preflight_option
@cron_option
@as_option
@output_option
def create(**said: Any) -> None:
    """Have a plan rehearsed by itself, as its spec.schedule says; its file is read now, not then.

    A drill of the schedule that still runs skips the next one, and no drill starts on a blocked date.
    """
    from steadfleet_cli.drill import schedules

    _keep(schedules.create, "is created", **said)


@click.command()
@file_option
@preflight_option
@cron_option
@as_option
@output_option
def update(**said: Any) -> None:
    """Replace the plan and the times of a schedule; one that is paused stays so."""
    from steadfleet_cli.drill import schedules

    _keep(schedules.update, "is updated", **said)


def _keep(
    keep: "Keep", done: str, *, file: Path, preflight: bool, cron: str | None, by: str, output: str
) -> None:
    from steadfleet_cli.drill.orders import read_order, with_cron
    from steadfleet_cli.drill.schedule_text import read_timetable, timetable_document, timetable_text, told
    from steadfleet_cli.drill.schedules import times_of
    from steadfleet_cli.engine import call

    if cron and not preflight:
        raise click.UsageError("--cron is for --preflight: write when drills happen in spec.schedule.cron")
    order = read_order(file, None, f"{by} (schedule)")
    times_of(order)
    order = with_cron(order, cron) if cron else order
    what = _meant(order.plan.name, preflight=preflight)

    async def kept(client: "Client") -> "Timetable":
        return await read_timetable(client, what, await keep(client, order, what.kind))

    timetable = call(kept, by, "drill")
    show(output, timetable_document(timetable), f"{timetable_text(timetable)}\n{told(what, done)}")


def _meant(plan: str, *, preflight: bool) -> "Scheduled":
    from steadfleet_cli.drill.schedules import Kind, Scheduled

    return Scheduled(plan, Kind.PREFLIGHT if preflight else Kind.DRILL)


@click.command("list")
@output_option
def list_schedules(output: str) -> None:
    """List the schedules of drills and of preflights: when each runs next, and how the last one ended."""
    from steadfleet_cli.drill.schedule_text import read_timetable, timetable_document, timetables_text
    from steadfleet_cli.drill.schedules import all_schedules
    from steadfleet_cli.engine import call

    async def look(client: "Client") -> "list[Timetable]":
        return [await read_timetable(client, what, found) for what, found in await all_schedules(client)]

    timetables = call(look, group="drill")
    show(output, [timetable_document(one) for one in timetables], timetables_text(timetables))


@click.command("show")
@plan_argument
@preflight_option
@output_option
def show_schedule(plan: str, *, preflight: bool, output: str) -> None:
    """Say when a plan is rehearsed next, and how its last drills ended."""
    from steadfleet_cli.drill.schedule_text import read_timetable, timetable_document, timetable_text
    from steadfleet_cli.drill.schedules import describe
    from steadfleet_cli.engine import call

    what = _meant(plan, preflight=preflight)

    async def look(client: "Client") -> "Timetable":
        return await read_timetable(client, what, await describe(client, what))

    timetable = call(look, group="drill")
    show(output, timetable_document(timetable), timetable_text(timetable))


@click.command()
@plan_argument
@preflight_option
@click.option("--reason", required=True, metavar="TEXT", help="Why; `show` tells it.")
@as_option
@output_option
def pause(plan: str, reason: str, by: str, output: str, *, preflight: bool) -> None:
    """Start nothing by itself until it is resumed; a drill that runs goes on."""
    from steadfleet_cli.drill import schedules

    what, note = _meant(plan, preflight=preflight), f"{by}: {reason}"
    _change(lambda client: schedules.pause(client, what, note), what, "is paused", by, output)


@click.command()
@plan_argument
@preflight_option
@click.option("--reason", default="", metavar="TEXT", help="Why.")
@as_option
@output_option
def resume(plan: str, reason: str, by: str, output: str, *, preflight: bool) -> None:
    """Let a paused schedule go on; what it missed meanwhile is not made up for."""
    from steadfleet_cli.drill import schedules

    what, note = _meant(plan, preflight=preflight), f"{by}: {reason or 'resumed'}"
    _change(lambda client: schedules.resume(client, what, note), what, "is resumed", by, output)


@click.command()
@plan_argument
@preflight_option
@as_option
@output_option
def trigger(plan: str, by: str, output: str, *, preflight: bool) -> None:
    """Start one now, also while the schedule is paused and on a blocked date.

    Refused while one of the schedule's still runs: Temporal would skip it without a word.
    """
    from steadfleet_cli.drill import schedules
    from steadfleet_cli.engine import call

    what = _meant(plan, preflight=preflight)
    started = call(lambda client: schedules.trigger(client, what), by, "drill")
    text = f"started {started}" if started else f"asked; see `steadfleet drill schedule show {plan}`"
    if started and not preflight:
        text += f"\nnext: steadfleet drill watch {started}"
    note = "note: a trigger starts one even where the schedule is paused"
    show(output, {"schedule": what.identity, "started": started}, f"{text}\n{note}")


@click.command()
@plan_argument
@preflight_option
@click.option("--from", "start", required=True, metavar="TIME", help="Such as 2027-01-30T00:00:00Z.")
@click.option("--to", "end", required=True, metavar="TIME", help="At most now.")
@click.option("--yes", is_flag=True, help="Ask no question.")
@as_option
@output_option
def backfill(plan: str, start: str, end: str, by: str, output: str, *, yes: bool, preflight: bool) -> None:
    """Start what would have been started between two times, both included, one after another.

    Also while the schedule is paused. Each recovers what can be recovered now: a backfill makes up for
    drills that were missed, and does not bring back the past.
    """
    from steadfleet_cli.drill import schedules
    from steadfleet_cli.engine import call

    what = _meant(plan, preflight=preflight)
    period = _moment(start, "--from"), _moment(end, "--to")
    due = call(lambda client: schedules.due_between(client, what, *period), by, "drill")
    question = f"{len(due)} of {plan} would start, one after another"
    if output == "text":
        click.echo(f"{question}, even where the schedule is paused")
    if not yes and sys.stdin.isatty() and sys.stdout.isatty():
        click.confirm("Start them?", abort=True)
    call(lambda client: schedules.backfill(client, what, *period), by, "drill")
    document = {"schedule": what.identity, "due": [moment.isoformat() for moment in due]}
    show(output, document, f"next: steadfleet drill schedule show {plan}{what.option}")


def _moment(text: str, option: str) -> datetime:
    wrong = f"{option} {text}: expected a time with its zone, such as 2027-01-30T00:00:00Z"
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise click.UsageError(wrong) from error
    if moment.tzinfo is None:
        raise click.UsageError(wrong)
    return moment.replace(microsecond=0)  # times of a schedule are whole


@click.command()
@plan_argument
@preflight_option
@click.option("--yes", is_flag=True, help="Ask no question.")
@as_option
@output_option
def delete(plan: str, by: str, output: str, *, yes: bool, preflight: bool) -> None:
    """Forget a schedule; drills that run go on, and those that ran are still listed."""
    from steadfleet_cli.drill import schedules
    from steadfleet_cli.engine import call

    what = _meant(plan, preflight=preflight)
    if not yes and sys.stdin.isatty() and sys.stdout.isatty():
        click.confirm(f"Delete the {what}?", abort=True)
    call(lambda client: schedules.delete(client, what), by, "drill")
    show(output, {"schedule": what.identity, "done": "is deleted"}, f"{what} is deleted")


def _change(
    change: "Callable[[Client], Awaitable[None]]", what: "Scheduled", done: str, by: str, output: str
) -> None:
    from steadfleet_cli.drill.schedule_text import told
    from steadfleet_cli.engine import call

    call(change, by, "drill")
    show(output, {"schedule": what.identity, "done": done}, told(what, done))
