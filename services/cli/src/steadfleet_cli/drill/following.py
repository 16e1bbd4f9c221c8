"""Follow a drill to its end: silently, in lines, or on a live screen."""

import sys
from collections.abc import Callable, Iterator
from typing import Any

import click
from temporalio.client import Client

from steadfleet_cli.drill.reading import Standing, follow_standing
from steadfleet_cli.drill.status_text import (
    document_of,
    finding_text,
    headline,
    loss_text,
    seen_text,
    standing_text,
    took,
    verdict_of,
)
from steadfleet_cli.engine import call
from steadfleet_cli.exits import CommandError, ExitCode
from steadfleet_cli.output import clock, show
from steadfleet_core.drill.plan import Mode
from steadfleet_core.drill.report import DrillState, DrillStatus
from steadfleet_core.drill.steps import StepProgress, StepState


def follow(identity: str, output: str) -> int:
    """Show a drill until it ends, or until a person leaves; return the exit code."""
    if output == "json":
        return wait(identity, output)
    if sys.stdin.isatty() and sys.stdout.isatty():
        from steadfleet_cli.drill.screen import watch  # noqa: PLC0415  (rich, only where there is a screen)

        last = call(lambda client: watch(client, identity), group="drill")
    else:
        last = call(lambda client: _in_lines(client, identity, click.echo), group="drill")
    if last is None or not last.ended:
        stands = headline(last.status) if last else identity
        click.echo(f"left {stands}; `steadfleet drill watch {identity}` follows it again")
        return ExitCode.OK
    click.echo(standing_text(last))
    return exit_code(last.status)


def wait(identity: str, output: str) -> int:
    """Wait for the end without a word, then say how it ended."""
    last = call(lambda client: _in_lines(client, identity, lambda _: None), group="drill")
    show(output, document_of(last), standing_text(last))
    return exit_code(last.status)


def exit_code(status: DrillStatus) -> ExitCode:
    """Only a drill that passed is a success. A tabletop proves nothing: it is one where nothing blocks."""
    looked = status.mode is Mode.TABLETOP and status.state is DrillState.NOT_PROVEN
    return ExitCode.OK if looked or status.state is DrillState.PASSED else ExitCode.NOT_SUCCEEDED


async def _in_lines(client: Client, identity: str, say: Callable[[str], Any]) -> Standing:
    before: Standing | None = None
    silent = ""
    async for look in follow_standing(client, identity):
        if isinstance(look, CommandError):
            if silent != look.message:
                say(f"no answer: {look.message}")
            silent = look.message
            continue
        for line in news(before, look):
            say(line)
        before, silent = look, ""
    return look  # type: ignore[return-value]  # the last look is at the end, never an error


def news(before: Standing | None, now: Standing) -> list[str]:
    """Say in a line each what has changed."""
    status, old = now.status, before.status if before else None
    lines = []
    if now.silent and (before is None or before.silent != now.silent):
        lines.append(f"note: {now.silent}")
    if status.declared_at and (old is None or old.declared_at is None):
        lines.append(f"disaster declared at {clock(status.declared_at)}: the clock runs")
    if old is None or (old.state, old.reason) != (status.state, status.reason):
        lines.append(headline(status))
    lines += _step_news(old, status)
    lines += _seen_news(old, status)
    told = old.findings if old else ()
    lines += [f"finding: {finding_text(one)}" for one in status.findings if one not in told]
    return lines + list(_activity_news(before, now))


def _step_news(old: DrillStatus | None, now: DrillStatus) -> Iterator[str]:
    told = {one.step.name: one for one in old.steps} if old else {}
    for one in now.steps:
        before = told.get(one.step.name)
        moved = before is None or (before.state, before.attempts) != (one.state, one.attempts)
        if moved and one.state is not StepState.WAITING:
            yield _step_text(one)


def _step_text(one: StepProgress) -> str:
    lasted = f" after {took(one)}" if took(one) else ""
    again = f", attempt {one.attempts}" if one.attempts > 1 else ""
    why = f": {one.reason}" if one.reason else ""
    return f"step {one.step.name} {one.state}{lasted}{again}{why}"


def _seen_news(old: DrillStatus | None, now: DrillStatus) -> Iterator[str]:
    seen = old.observations if old else ()
    yield from (f"witness: {seen_text(one)}" for one in now.observations if one not in seen)
    checks = old.validations if old else ()
    for check in now.validations:
        if check not in checks:
            yield f"validation {check.name}: {verdict_of(check)}" + (
                f": {check.reason}" if check.reason else ""
            )
    losses = old.losses if old else ()
    yield from (f"ledger: {loss_text(one)}" for one in now.losses if one not in losses)


def _activity_news(before: Standing | None, now: Standing) -> Iterator[str]:
    """Tell what an activity said last, and why it is tried again; not how long it takes."""
    told = {(one.activity, one.said, one.attempt) for one in before.activities} if before else set()
    for one in now.activities:
        if (one.activity, one.said, one.attempt) in told:
            continue
        if one.failure and one.attempt > 1:
            yield f"{one.activity} is tried again (attempt {one.attempt}): {one.failure}"
        elif one.said:
            yield f"{one.activity}: {one.said}"
