"""Follow a build to its end: silently, in lines, or on a live screen."""

import sys
from collections.abc import Callable, Iterator
from typing import Any

import click
from temporalio.client import Client

from steadfleet_cli.engine import call
from steadfleet_cli.exits import CommandError, ExitCode
from steadfleet_cli.image.reading import Standing, follow_standing
from steadfleet_cli.image.status_text import document_of, headline, standing_text
from steadfleet_cli.output import show
from steadfleet_core.image.report import ImageState, ImageStatus, Place


def follow(family: str, version: str, output: str) -> int:
    """Show a build until it ends, or until a person leaves; return the exit code."""
    if output == "json":
        return wait(family, version, output)
    if sys.stdin.isatty() and sys.stdout.isatty():
        from steadfleet_cli.image.screen import watch  # noqa: PLC0415  (rich, only where there is a screen)

        last = call(lambda client: watch(client, family, version), group="image")
    else:
        last = call(lambda client: _in_lines(client, family, version, click.echo), group="image")
    if last is None or not last.ended:
        stands = headline(last.status) if last else f"image {family} {version}"
        click.echo(f"left {stands}; `steadfleet image watch {family} {version}` follows it again")
        return ExitCode.OK
    click.echo(standing_text(last))
    return exit_code(last.status)


def wait(family: str, version: str, output: str) -> int:
    """Wait for the end without a word, then say how it ended."""
    last = call(lambda client: _in_lines(client, family, version, lambda _: None), group="image")
    show(output, document_of(last), standing_text(last))
    return exit_code(last.status)


def exit_code(status: ImageStatus) -> ExitCode:
    return ExitCode.OK if status.state is ImageState.PUBLISHED else ExitCode.NOT_SUCCEEDED


async def _in_lines(client: Client, family: str, version: str, say: Callable[[str], Any]) -> Standing:
    before: Standing | None = None
    silent = ""
    async for look in follow_standing(client, family, version):
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
    old = before.status if before else None
    lines = []
    if now.silent and (before is None or before.silent != now.silent):
        lines.append(f"note: {now.silent}")
    if old is None or (old.state, old.reason) != (now.status.state, now.status.reason):
        lines.append(headline(now.status))
    told = {place.name: place for place in old.places} if old else {}
    lines += [_place_news(place) for place in now.status.places if _moved(told.get(place.name), place)]
    if now.status.examination and (old is None or old.examination is None):
        lines += list(_examination_news(now.status))
    return lines + list(_step_news(before, now))


def _moved(before: Place | None, now: Place) -> bool:
    return before is None or (before.state, before.reason) != (now.state, now.reason)


def _place_news(place: Place) -> str:
    why = f": {place.reason}" if place.reason else ""
    copy = f" {place.id}" if place.id else ""
    return f"place {place.name}{copy} {place.state}{why}"


def _examination_news(status: ImageStatus) -> Iterator[str]:
    if status.examination is None:
        return
    failed = status.examination.failures
    yield f"tests: {len(status.examination.results) - len(failed)} passed, {len(failed)} did not"
    yield from (f"{one.verdict}: {one.name}: {one.reason}" for one in failed)


def _step_news(before: Standing | None, now: Standing) -> Iterator[str]:
    """Tell what an activity said last, and why it is tried again; not how long it takes."""
    told = {(step.activity, step.said, step.attempt) for step in before.steps} if before else set()
    for step in now.steps:
        if (step.activity, step.said, step.attempt) in told:
            continue
        if step.failure and step.attempt > 1:
            yield f"{step.activity} is tried again (attempt {step.attempt}): {step.failure}"
        elif step.said:
            yield f"{step.activity}: {step.said}"
