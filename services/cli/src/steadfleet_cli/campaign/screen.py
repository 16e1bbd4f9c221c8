"""The live screen of `campaign watch`: bars for each wave, and keys that steer."""

from collections.abc import Awaitable, Callable

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text
from temporalio.client import Client

from steadfleet_cli.campaign import requests
from steadfleet_cli.campaign.reading import Standing, follow_standing
from steadfleet_cli.campaign.status_text import counts_text, failure_text, next_steps, wave_state
from steadfleet_cli.exits import CommandError
from steadfleet_cli.keys import either, pressed_keys
from steadfleet_cli.output import user
from steadfleet_core.campaign.counts import Counts
from steadfleet_core.campaign.lifecycle import Receipt, Request, State
from steadfleet_core.campaign.report import CampaignStatus

_SHOWN_FAILURES = 8
_KEYS = "p pause   r resume   q leave (the campaign goes on)"
_STYLES = {
    State.SUCCEEDED: "bold green",
    State.HALTED: "bold red",
    State.FAILED: "bold red",
    State.ABORTED: "bold red",
    State.ROLLING_BACK: "bold yellow",
    State.PAUSED: "bold yellow",
    State.PAUSING: "bold yellow",
}


async def watch(client: Client, name: str) -> Standing | None:
    """Show where it stands until it ends, or a person presses q; return the last look."""
    note, last = "", None
    with (
        pressed_keys() as keys,
        Live(Text(f"campaign {name}"), console=Console(), auto_refresh=False) as live,
    ):
        async for event in either(follow_standing(client, name), keys):
            match event:
                case "q":
                    return last
                case str():
                    note = await _press(client, name, event) or note
                case CommandError():
                    note = event.message
                case Standing():
                    last = event
            live.update(status_screen(last.status, note) if last else Text(note), refresh=True)
    return last


_Press = Callable[[Client, str, Request], Awaitable[Receipt]]
_VERBS: dict[str, _Press] = {"p": requests.pause, "r": requests.resume}


async def _press(client: Client, name: str, key: str) -> str:
    """Send the key's verb; return its receipt, or its refusal, in a line."""
    if key not in _VERBS:
        return ""
    try:
        receipt = await _VERBS[key](client, name, Request(by=user(), reason="from campaign watch"))
    except CommandError as error:
        return error.message
    return f"{receipt.verb}: {receipt.effect}"


def status_screen(status: CampaignStatus, note: str = "") -> RenderableType:
    """Draw a status; no text of a campaign is read as markup."""
    title = Text.assemble(
        f"campaign {status.name}  ", (str(status.state), _STYLES.get(status.state, "bold cyan"))
    )
    parts: list[RenderableType] = [title]
    if status.reason:
        parts.append(Text(status.reason))
    parts += [Text(f"fleet {status.fleet} to {status.image}: {counts_text(status.counts)}"), Text("")]
    parts.append(_waves(status))
    parts += [
        Text(f"✗ {failure_text(failure)}", style="red") for failure in status.failures[-_SHOWN_FAILURES:]
    ]
    parts += [Text(f"! {obligation}", style="bold red") for obligation in status.obligations]
    parts += [Text(line) for line in next_steps(status)]
    parts.append(Text(note, style="yellow") if note else Text(""))
    parts.append(Text(_KEYS, style="dim"))
    return Group(*parts)


def _waves(status: CampaignStatus) -> Table:
    grid = Table.grid(padding=(0, 2))
    for wave in status.waves:
        counts = wave.counts
        grid.add_row(
            Text(f"wave {wave.number}"),
            _bar(counts),
            Text(f"{counts.changed} of {counts.total}", justify="right"),
            Text(f"{counts.failed} failed", style="red" if counts.failed else "dim"),
            Text(f"{counts.in_flight} in flight" if counts.in_flight else ""),
            Text(wave_state(wave)),
        )
    return grid


def _bar(counts: Counts) -> ProgressBar:
    style = "red" if counts.failed or counts.lost else "green"
    return ProgressBar(
        total=max(counts.total, 1),
        completed=counts.changed,
        width=30,
        complete_style=style,
        finished_style=style,
    )
