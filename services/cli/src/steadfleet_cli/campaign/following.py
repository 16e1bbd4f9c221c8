"""Follow a campaign to its end: silently, in lines, or on a live screen."""

import sys
from collections.abc import Callable
from typing import Any

import click
from temporalio.client import Client

from steadfleet_cli.campaign.reading import Standing, follow_standing
from steadfleet_cli.campaign.status_text import (
    counts_text,
    failure_text,
    headline,
    receipt_line,
    report_document,
    status_text,
    wave_state,
)
from steadfleet_cli.engine import call
from steadfleet_cli.exits import CommandError, ExitCode
from steadfleet_cli.output import show
from steadfleet_core.campaign.lifecycle import State
from steadfleet_core.campaign.report import CampaignStatus
from steadfleet_core.campaign.wave import WaveProgress


def follow(name: str, output: str) -> int:
    """Show a campaign until it ends, or until a person leaves; return the exit code."""
    if output == "json":
        return wait(name, output)
    if sys.stdin.isatty() and sys.stdout.isatty():
        from steadfleet_cli.campaign.screen import watch  # noqa: PLC0415  (rich, only where there is a screen)

        last = call(lambda client: watch(client, name))
    else:
        last = call(lambda client: _in_lines(client, name, click.echo))
    if last is None or last.ended_at is None:
        stands = headline(last.status) if last else f"campaign {name}"
        click.echo(f"left {stands}; `campaign watch {name}` follows it again")
        return ExitCode.OK
    click.echo(status_text(last.status))
    return exit_code(last.status)


def wait(name: str, output: str) -> int:
    """Wait for the end without a word, then say how it ended."""
    last = call(lambda client: _in_lines(client, name, lambda _: None))
    show(output, report_document(last), status_text(last.status))
    return exit_code(last.status)


def exit_code(status: CampaignStatus) -> ExitCode:
    return ExitCode.OK if status.state is State.SUCCEEDED else ExitCode.NOT_SUCCEEDED


async def _in_lines(client: Client, name: str, say: Callable[[str], Any]) -> Standing:
    before: CampaignStatus | None = None
    silent = ""
    async for look in follow_standing(client, name):
        if isinstance(look, CommandError):
            if silent != look.message:
                say(f"no answer: {look.message}")
            silent = look.message
            continue
        for line in news(before, look.status):
            say(line)
        before, silent = look.status, ""
    return look  # type: ignore[return-value]  # the last look is at the end, never an error


def news(before: CampaignStatus | None, now: CampaignStatus) -> list[str]:
    """Say in a line each what has changed; the time that passes in a bake is no news."""
    lines = []
    if before is None or (before.state, before.reason) != (now.state, now.reason):
        lines.append(headline(now))
    waves = {wave.number: wave for wave in before.waves} if before else {}
    lines += [_wave_news(wave) for wave in now.waves if _moved(waves.get(wave.number), wave)]
    known = set(before.failures) if before else set()
    lines += [f"failed: {failure_text(failure)}" for failure in now.failures if failure not in known]
    heard = set(before.receipts) if before else set()
    return lines + [f"heard: {receipt_line(receipt)}" for receipt in now.receipts if receipt not in heard]


def _moved(before: WaveProgress | None, now: WaveProgress) -> bool:
    if before is None:
        return now.started_at is not None
    return _told(before) != _told(now)


def _told(wave: WaveProgress) -> tuple[object, ...]:
    return (wave.counts, wave.verdict, wave.baking, wave.direction, wave.started_at, wave.ended_at)


def _wave_news(wave: WaveProgress) -> str:
    return f"wave {wave.number} {wave_state(wave)}: {counts_text(wave.counts)}"
