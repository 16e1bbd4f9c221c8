"""The live screen of `image watch`: the stages, what is being done just now, the places, and keys."""

from datetime import UTC, datetime

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text
from temporalio.client import Client

from steadfleet_cli.exits import CommandError
from steadfleet_cli.image import requests
from steadfleet_cli.image.reading import Standing, follow_standing
from steadfleet_cli.image.status_text import next_steps, step_text
from steadfleet_cli.keys import either, pressed_keys
from steadfleet_cli.output import user, whole
from steadfleet_core.campaign.lifecycle import Request
from steadfleet_core.image.report import ImageState, ImageStatus, PlaceState
from steadfleet_core.model import format_duration

_KEYS = "r retry a halted build   q leave (the build goes on)"
_STAGES = (
    ImageState.PREPARING,
    ImageState.BUILDING,
    ImageState.TESTING,
    ImageState.JUDGING,
    ImageState.PUBLISHING,
    ImageState.RELEASING,
)
_STYLES = {
    ImageState.PUBLISHED: "bold green",
    ImageState.HALTED: "bold red",
    ImageState.FAILED: "bold red",
    ImageState.ABORTED: "bold red",
    ImageState.UNDOING: "bold yellow",
}
_PLACE_STYLES = {
    PlaceState.RELEASED: "green",
    PlaceState.READY: "green",
    PlaceState.FAILED: "red",
    PlaceState.WITHDRAWN: "red",
}


async def watch(client: Client, family: str, version: str) -> Standing | None:
    """Show where it stands until it ends, or a person presses q; return the last look."""
    note, last = "", None
    title = Text(f"image {family} {version}")
    with pressed_keys() as keys, Live(title, console=Console(), auto_refresh=False) as live:
        async for event in either(follow_standing(client, family, version), keys):
            match event:
                case "q":
                    return last
                case "r":
                    note = await _retry(client, family, version)
                case CommandError():
                    note = event.message
                case Standing():
                    last = event
            live.update(standing_screen(last, note) if last else Text(note), refresh=True)
    return last


async def _retry(client: Client, family: str, version: str) -> str:
    """Send the verb; return its receipt, or its refusal, in a line."""
    request = Request(by=user(), reason="from image watch")
    try:
        receipt = await requests.retry(client, family, version, request)
    except CommandError as error:
        return error.message
    return f"{receipt.verb}: {receipt.effect}"


def standing_screen(standing: Standing, note: str = "", now: datetime | None = None) -> RenderableType:
    """Draw where a build stands; no text of it is read as markup."""
    status, now = standing.status, now or datetime.now(UTC)
    lasted = format_duration(whole(now - status.started_at))
    title = Text.assemble(
        f"image {status.family} {status.version}  ",
        (str(status.state), _STYLES.get(status.state, "bold cyan")),
        f"  {lasted}",
    )
    parts: list[RenderableType] = [title]
    if status.reason:
        parts.append(Text(status.reason))
    if standing.silent:
        parts.append(Text(standing.silent, style="yellow"))
    parts += [_stages(status), Text("")]
    parts += [Text(f"… {step_text(step, now)}", overflow="ellipsis", no_wrap=True) for step in standing.steps]
    if status.examination:
        parts += [Text(f"✗ {one.name}: {one.reason}", style="red") for one in status.examination.failures]
    if status.places:
        parts.append(_places(status))
    parts += [Text(f"! {obligation}", style="bold red") for obligation in status.obligations]
    parts += [Text(line) for line in next_steps(status)]
    parts += [Text(note, style="yellow"), Text(_KEYS, style="dim")]
    return Group(*parts)


def _stages(status: ImageStatus) -> Text:
    """Mark how far it came: by what is there, so that a halted or failed build shows it too."""
    reached = {
        ImageState.PREPARING: status.key is not None,
        ImageState.BUILDING: status.built is not None,
        ImageState.TESTING: status.examination is not None,
        ImageState.JUDGING: status.gate is not None or bool(status.places),
        ImageState.PUBLISHING: bool(status.places) and _all_in(status, PlaceState.READY, PlaceState.RELEASED),
        ImageState.RELEASING: bool(status.places) and _all_in(status, PlaceState.RELEASED),
    }
    line = Text()
    for stage in _STAGES:
        mark, style = ("✓", "green") if reached[stage] else ("·", "dim")
        if stage is status.state:
            mark, style = "▶", "bold cyan"
        line.append(f"{mark} {stage}   ", style=style)
    return line


def _all_in(status: ImageStatus, *states: PlaceState) -> bool:
    return all(place.state in states for place in status.places if place.required)


def _places(status: ImageStatus) -> Table:
    grid = Table.grid(padding=(0, 2))
    for place in status.places:
        grid.add_row(
            Text(place.name),
            Text(place.state, style=_PLACE_STYLES.get(place.state, "cyan")),
            Text("required" if place.required else "best effort", style="dim"),
            Text(place.id),
            Text(place.reason, style="red"),
        )
    return grid
