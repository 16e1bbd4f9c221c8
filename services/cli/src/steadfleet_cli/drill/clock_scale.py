"""Where a moment of a drill stands on its picture."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from steadfleet_core.drill.measuring import Observation
from steadfleet_core.drill.report import DrillReport, DrillStatus

WIDTH, LEFT, RIGHT = 960, 190, 24
_MOST_TICKS = 8
_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)
_LEAST = timedelta(milliseconds=100)
_BEFORE, _AFTER, _FAR = 0.25, 0.3, 0.15


@dataclass(frozen=True)
class Piece:
    """A stretch of time and the part of the picture that it gets: a squeezed one less than its share."""

    start: datetime
    end: datetime
    left: float
    right: float
    squeezed: bool

    def x(self, moment: datetime) -> float:
        share = (moment - self.start) / (self.end - self.start)
        return round(self.left + share * (self.right - self.left), 1)


@dataclass(frozen=True)
class Scale:
    """Pieces side by side. What happened while the clock ran gets the most, however long the rest was."""

    pieces: Sequence[Piece]
    origin: datetime

    def x(self, moment: datetime) -> float:
        inside = min(max(moment, self.pieces[0].start), self.pieces[-1].end)
        return next(piece.x(inside) for piece in self.pieces if inside <= piece.end)

    def ticks(self) -> Iterator[datetime]:
        """Yield round times after the origin, where the picture is to scale, and the ends of the rest."""
        for piece in self.pieces:
            if piece.squeezed:
                yield piece.start
                yield piece.end
            else:
                yield from self._round(piece)

    def _round(self, piece: Piece) -> Iterator[datetime]:
        step = _step((piece.end - piece.start) * ((WIDTH - LEFT - RIGHT) / (piece.right - piece.left)))
        tick = self.origin - (self.origin - piece.start) // step * step
        while tick <= piece.end:
            if tick >= piece.start:
                yield tick
            tick += step


def _step(time: timedelta) -> timedelta:
    """Choose between ticks what is easily counted: no more than the picture has room for."""
    wanted = time.total_seconds() / _MOST_TICKS
    return timedelta(seconds=next((step for step in _STEPS if step >= wanted), max(wanted, 1)))


def worked_until(status: DrillStatus) -> datetime:
    """Return the last moment that the report knows of before validation and teardown."""
    known: list[datetime | None] = [segment.ended_at for segment in status.critical_path]
    for one in status.steps:
        known += [one.started_at, one.ended_at]
    for seen in status.observations:
        known += [seen.last_probe_at, seen.recovered_at]
    begun = status.declared_at or status.started_at
    return max([moment for moment in known if moment], default=begun)


def deciding(status: DrillStatus) -> Observation | None:
    """Return what was seen of the service that recovered last: its uncertainty is the recovery time's."""
    known = [seen for seen in status.observations if seen.recovered_at is not None]
    return max(known, key=lambda seen: seen.recovered_at or seen.declared_at, default=None)


def _known_until(status: DrillStatus, declared: datetime) -> datetime:
    """Return how far the clock's own stretch reaches: to the last moment that recovery may have been."""
    seen = deciding(status)
    blur = seen.uncertainty if seen else timedelta(0)
    recovered = declared + (status.recovery_time or timedelta(0)) + blur
    return max(worked_until(status), recovered, declared + _LEAST)


def scale_of(report: DrillReport) -> Scale:
    """Give the clock's own stretch its length, and squeeze what lies around it where that is long."""
    status, declared = report.status, report.status.declared_at
    if declared is None:
        end = max(report.ended_at, worked_until(status), status.started_at + _LEAST)
        return Scale(_laid_out([(status.started_at, end, 1.0)]), status.started_at)
    until = _known_until(status, declared)
    objective = declared + status.objectives.rto
    near = objective <= declared + 2 * (until - declared)
    until = max(until, objective) if near else until
    body, end = until - declared, max(until, report.ended_at)
    begun = min([status.started_at, *(one.started_at for one in status.steps if one.started_at)])
    stretches = [
        (begun, declared, min((declared - begun) / body, _BEFORE)),
        (declared, until, 1.0),
        (until, end, min((end - until) / body, _AFTER)),
        (end, objective, min((objective - end) / body, _FAR)),
    ]
    return Scale(_laid_out(stretches), declared)


def _laid_out(stretches: Sequence[tuple[datetime, datetime, float]]) -> list[Piece]:
    real = [(start, end, weight) for start, end, weight in stretches if end > start]
    total = sum(weight for _, _, weight in real)
    whole = next(end - start for start, end, weight in real if weight == 1.0)
    pieces, left = [], float(LEFT)
    for start, end, weight in real:
        right = left + weight / total * (WIDTH - LEFT - RIGHT)
        pieces.append(Piece(start, end, left, right, squeezed=(end - start) / whole > weight * 1.001))
        left = right
    return pieces
