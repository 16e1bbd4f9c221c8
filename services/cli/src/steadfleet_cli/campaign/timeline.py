"""The picture of a report: waves as bars over time, with failures and receipts marked."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import escape

from steadfleet_cli.campaign.status_text import wave_state
from steadfleet_cli.output import clock
from steadfleet_core.campaign.report import CampaignStatus
from steadfleet_core.campaign.wave import Direction, WaveProgress

WIDTH, LEFT, RIGHT, ROW, BAR, TOP = 960, 110, 40, 34, 18, 40
_TICKS = 6
_LEAST = timedelta(seconds=1)


@dataclass(frozen=True)
class Span:
    """A stretch of a wave: changing, baking or restoring."""

    kind: str
    start: datetime
    end: datetime


def spans_of(wave: WaveProgress, until: datetime) -> list[Span]:
    """Cut a wave into what it did when; what goes on still reaches to `until`."""
    if wave.started_at is None:
        return []
    end = wave.ended_at or until
    if wave.direction is Direction.RESTORE:
        return [Span("restoring", wave.started_at, end)]
    changed = wave.changed_at or end
    spans = [Span("changing", wave.started_at, changed)]
    return spans + ([Span("baking", changed, end)] if wave.changed_at and end > changed else [])


@dataclass(frozen=True)
class Scale:
    """Where a moment stands on the picture."""

    start: datetime
    end: datetime

    def x(self, moment: datetime) -> float:
        share = (moment - self.start) / max(self.end - self.start, _LEAST)
        return round(LEFT + min(max(share, 0), 1) * (WIDTH - LEFT - RIGHT), 1)

    def ticks(self) -> Iterator[datetime]:
        for number in range(_TICKS + 1):
            yield self.start + (self.end - self.start) * number / _TICKS


def timeline_svg(status: CampaignStatus, start: datetime, end: datetime) -> str:
    """Draw the campaign from `start` to `end`."""
    scale = Scale(start, end)
    height = TOP + ROW * (len(status.waves) + 1) + 20
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="timeline of the campaign">',
        *_axis(scale, height),
        *(line for row, wave in enumerate(status.waves) for line in _wave(wave, row, scale, end)),
        *_receipts(status, scale, TOP + ROW * len(status.waves)),
        "</svg>",
    ]
    return "\n".join(parts)


def _axis(scale: Scale, height: int) -> Iterator[str]:
    for tick in scale.ticks():
        x = scale.x(tick)
        yield f'<line class="grid" x1="{x}" y1="{TOP - 12}" x2="{x}" y2="{height - 20}"/>'
        yield f'<text class="tick" x="{x}" y="{TOP - 18}">{tick.strftime("%H:%M:%S")}</text>'


def _wave(wave: WaveProgress, row: int, scale: Scale, end: datetime) -> Iterator[str]:
    y = TOP + ROW * row
    yield f'<text class="label" x="4" y="{y + 14}">wave {wave.number}</text>'
    for span in spans_of(wave, end):
        x, width = scale.x(span.start), max(scale.x(span.end) - scale.x(span.start), 1)
        words = f"wave {wave.number} {span.kind}: {clock(span.start)} to {clock(span.end)}"
        yield (
            f'<rect class="{span.kind}" x="{x}" y="{y}" width="{width:.1f}" height="{BAR}">'
            f"<title>{escape(words)}</title></rect>"
        )
    if wave.started_at and wave.counts.failed:
        at = scale.x(wave.changed_at or wave.ended_at or end)
        words = f"wave {wave.number}: {wave.counts.failed} failed ({wave_state(wave)})"
        yield (
            f'<text class="failed" x="{at}" y="{y + 14}">✗ {wave.counts.failed}'
            f"<title>{escape(words)}</title></text>"
        )


def _receipts(status: CampaignStatus, scale: Scale, y: int) -> Iterator[str]:
    if status.receipts:
        yield f'<text class="label" x="4" y="{y + 14}">people</text>'
    for receipt in status.receipts:
        words = f"{receipt.verb} by {receipt.by} at {clock(receipt.at)}"
        why = f": {receipt.reason}" if receipt.reason else ""
        yield (
            f'<circle class="receipt" cx="{scale.x(receipt.at)}" cy="{y + 9}" r="6">'
            f"<title>{escape(words + why)}</title></circle>"
        )
