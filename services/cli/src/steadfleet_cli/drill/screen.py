"""The live screen of `drill watch`: the clock, the steps, what the witness saw, the verdicts, and keys."""

from datetime import UTC, datetime

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text
from temporalio.client import Client

from steadfleet_cli.drill import requests
from steadfleet_cli.drill.orders import Drilled, plan_of
from steadfleet_cli.drill.reading import Standing, follow_standing
from steadfleet_cli.drill.status_text import (
    activity_text,
    clock_lines,
    finding_text,
    loss_text,
    next_steps,
    seen_text,
    took,
    verdict_of,
    verdict_rows,
    words,
)
from steadfleet_cli.exits import CommandError
from steadfleet_cli.keys import either, pressed_keys
from steadfleet_cli.output import user
from steadfleet_core.drill.report import DrillState, DrillStatus
from steadfleet_core.drill.steps import StepProgress, StepState
from steadfleet_core.drill.verdict import Judgement, Verdict
from steadfleet_workflows.drill_shown import StepRequested

_KEYS = "r retry a failed step   q leave (the drill goes on)"
_STYLES = {
    DrillState.PASSED: "bold green",
    DrillState.NOT_PROVEN: "bold yellow",
    DrillState.HALTED: "bold red",
    DrillState.FAILED: "bold red",
    DrillState.ABORTED: "bold red",
    DrillState.REFUSED: "bold red",
    DrillState.TEARING_DOWN: "bold yellow",
}
_MARKS = {
    StepState.WAITING: ("·", "dim"),
    StepState.RUNNING: ("▶", "bold cyan"),
    StepState.DONE: ("✓", "green"),
    StepState.FAILED: ("✗", "bold red"),
    StepState.SKIPPED: ("»", "yellow"),
}
_VERDICT_STYLES = {Verdict.PASSED: "green", Verdict.FAILED: "bold red", Verdict.NOT_PROVEN: "yellow"}


async def watch(client: Client, identity: str) -> Standing | None:
    """Show where it stands until it ends, or a person presses q; return the last look."""
    note, last = "", None
    with pressed_keys() as keys, Live(Text(identity), console=Console(), auto_refresh=False) as live:
        async for event in either(follow_standing(client, identity), keys):
            match event:
                case "q":
                    return last
                case "r":
                    note = await _retry(client, identity)
                case CommandError():
                    note = event.message
                case Standing():
                    last = event
            live.update(standing_screen(last, note) if last else Text(note), refresh=True)
    return last


async def _retry(client: Client, identity: str) -> str:
    """Send the verb; return its receipt, or its refusal, in a line."""
    request = StepRequested(by=user(), reason="from drill watch")
    try:
        receipt = await requests.retry(client, Drilled(plan_of(identity), identity), request)
    except CommandError as error:
        return error.message
    return f"{receipt.verb}: {receipt.effect}"


def standing_screen(standing: Standing, note: str = "", now: datetime | None = None) -> RenderableType:
    """Draw where a drill stands; no text of it is read as markup."""
    status, now = standing.status, now or datetime.now(UTC)
    title = Text.assemble(
        f"drill {status.plan}  ",
        (str(status.state), _STYLES.get(status.state, "bold cyan")),
        f"  {words((standing.execution.ended_at or now) - status.started_at)}  ",
        (f"{status.mode} · {status.strategy} · {status.region}", "dim"),
    )
    parts: list[RenderableType] = [title]
    if status.reason:
        parts.append(Text(status.reason))
    if standing.silent:
        parts.append(Text(standing.silent, style="yellow"))
    parts += [Text(line, style="bold") for line in clock_lines(status, now, ended=standing.ended)]
    parts += [Text(""), _steps(status, now), Text("")]
    parts += [
        Text(f"… {activity_text(one, now)}", overflow="ellipsis", no_wrap=True) for one in standing.activities
    ]
    parts += _seen(status)
    if status.judgement:
        parts.append(_verdicts(status.judgement))
    parts += [Text(f"! {finding_text(one)}", style="yellow") for one in status.findings]
    parts += [Text(f"! {obligation}", style="bold red") for obligation in status.obligations]
    parts += [Text(f"! left behind: {left}", style="bold red") for left in status.residue]
    parts += [Text(line) for line in next_steps(standing)]
    parts += [Text(note, style="yellow"), Text(_KEYS, style="dim")]
    return Group(*parts)


def _steps(status: DrillStatus, now: datetime) -> Table:
    grid = Table.grid(padding=(0, 2))
    for one in status.steps:
        mark, style = _MARKS[one.state]
        grid.add_row(
            Text(mark, style=style),
            Text(one.step.name),
            Text("before the clock" if one.step.standing else "", style="dim"),
            Text(one.state, style=style),
            Text(_lasted(one, now)),
            Text(f"attempt {one.attempts}" if one.attempts > 1 else "", style="dim"),
            Text(one.reason, style="red"),
        )
    return grid


def _lasted(one: StepProgress, now: datetime) -> str:
    if one.state is StepState.RUNNING and one.started_at:
        return words(now - one.started_at)
    return took(one)


def _seen(status: DrillStatus) -> list[RenderableType]:
    lines = [Text(f"witness: {seen_text(one)}") for one in status.observations]
    lines += [Text(f"ledger: {loss_text(one)}") for one in status.losses]
    bad = [one for one in status.validations if not (one.passed and one.proven)]
    lines += [Text(f"✗ {one.name}: {verdict_of(one)}: {one.reason}", style="red") for one in bad]
    if status.isolation:
        reached = status.isolation.reached
        lines += [Text(f"✗ production is reached from inside: {address}", style="red") for address in reached]
    return list(lines)


def _verdicts(judgement: Judgement) -> Table:
    grid = Table.grid(padding=(0, 2))
    for name, verdict, why in verdict_rows(judgement):
        grid.add_row(Text(name), Text(verdict, style=_VERDICT_STYLES[Verdict(verdict)]), Text(why))
    grid.add_row(
        Text("overall", style="bold"), Text(judgement.words, style=_VERDICT_STYLES[judgement.overall])
    )
    return grid
