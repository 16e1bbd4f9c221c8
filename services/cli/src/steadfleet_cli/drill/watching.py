"""`steadfleet drill list`, `status`, `watch` and `report`."""
# ruff: noqa: PLC0415  (imported when called: `--help` loads neither Temporal nor pydantic)

from pathlib import Path
from typing import TYPE_CHECKING

import click

from steadfleet_cli.drill.arguments import drill_argument
from steadfleet_cli.exits import CommandError, ExitCode
from steadfleet_cli.output import output_option, show

if TYPE_CHECKING:
    from temporalio.client import Client

    from steadfleet_cli.drill.orders import Drilled
    from steadfleet_cli.executions import Execution
    from steadfleet_core.drill.report import DrillReport


@click.command("list")
@click.argument("plan", metavar="NAME", required=False)
@click.option("--running", is_flag=True, help="Only those that have not ended.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="At most so many.")
@output_option
def list_drills(plan: str | None, *, running: bool, limit: int, output: str) -> None:
    """List drills of a plan or of all, the newest first, also those of a schedule.

    What is listed was reported by the drills themselves, and needs no worker.
    """
    from steadfleet_cli.drill.orders import plan_of
    from steadfleet_cli.drill.reading import drills_of
    from steadfleet_cli.drill.status_text import list_text, listed
    from steadfleet_cli.engine import call

    async def look(client: "Client") -> "list[Execution]":
        return [one async for one in drills_of(client, plan, limit, running=running)]

    found = call(look, group="drill")
    show(output, [listed(one, plan_of(one.workflow_id)) for one in found], list_text(found))


@click.command()
@drill_argument
@output_option
def status(drill: str, output: str) -> int:
    """Say where a drill stands: the clock, the steps, what was seen, the verdicts, what can be done.

    Of a plan's name it is the newest drill. Without a worker it shows what Temporal itself knows, says
    so, and ends with 5.
    """
    from steadfleet_cli.drill.orders import meant
    from steadfleet_cli.drill.reading import read_standing
    from steadfleet_cli.drill.status_text import document_of, standing_text
    from steadfleet_cli.engine import call

    standing = call(lambda client: read_standing(client, meant(drill)), group="drill")
    show(output, document_of(standing), standing_text(standing))
    return ExitCode.UNREACHABLE if standing.silent else ExitCode.OK


@click.command()
@drill_argument
@output_option
def watch(drill: str, output: str) -> int:
    """Follow a drill until it ends; the exit code is that of `run --watch`.

    On a terminal: the clock, the steps, what the witness saw, and the keys r (retry the step that
    waits) and q (leave; the drill goes on). Elsewhere: one line for each change. With --output json:
    where it stands, at the end.
    """
    from steadfleet_cli.drill.following import follow
    from steadfleet_cli.drill.orders import meant
    from steadfleet_cli.drill.reading import find
    from steadfleet_cli.engine import call

    found = call(lambda client: find(client, meant(drill)), group="drill")
    return follow(found.workflow_id, output)


@click.command()
@drill_argument
@click.option("--json", "as_json", is_flag=True, help="The whole report; --output json is the same.")
@click.option(
    "--html", type=click.Path(path_type=Path, dir_okay=False), help="Write a page that needs no other file."
)
@output_option
def report(drill: str, html: Path | None, output: str, *, as_json: bool) -> None:
    """Write what a drill proved: text, the whole report as JSON, or a page with a timeline and a trend.

    Of a plan's name it is the newest drill; one that has not ended has no report. The page compares it
    with earlier drills of the plan, as far back as Temporal remembers them.
    """
    from steadfleet_cli.drill.orders import meant
    from steadfleet_cli.drill.report_text import report_text
    from steadfleet_cli.engine import call
    from steadfleet_cli.output import dump

    if as_json and html:
        raise click.UsageError("--json and --html are two forms of one report: give one of them")
    found, past = call(lambda client: _reports(client, meant(drill), with_past=bool(html)), group="drill")
    written = _write(found, past, html) if html else ""
    show("json" if as_json else output, dump(found), written or report_text(found))


async def _reports(
    client: "Client", drill: "Drilled", *, with_past: bool
) -> "tuple[DrillReport, list[DrillReport]]":
    from steadfleet_cli.drill.past import past_reports
    from steadfleet_cli.drill.reading import read_report

    found = await read_report(client, drill)
    return found, await past_reports(client, found) if with_past else []


def _write(report: "DrillReport", past: "list[DrillReport]", file: Path) -> str:
    from steadfleet_cli.drill.report_page import write_page

    try:
        file.write_text(write_page(report, past), encoding="utf-8")
    except OSError as error:
        raise CommandError(f"report {file}: {error.strerror}", ExitCode.USAGE, "name another file") from error
    return f"report of drill {report.status.plan} written to {file}"
