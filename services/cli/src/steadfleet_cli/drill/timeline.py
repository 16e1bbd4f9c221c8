"""The picture of a drill: its steps, what the witness saw, and what the clock was spent on."""

from collections.abc import Iterator
from datetime import datetime

from steadfleet_cli.drill.clock_scale import LEFT, WIDTH, Scale, deciding, scale_of, worked_until
from steadfleet_cli.drill.markup import Html, element, joined, moment, offset, text, took
from steadfleet_core.drill.measuring import Observation, Stretch
from steadfleet_core.drill.report import DrillReport, DrillStatus
from steadfleet_core.drill.steps import Segment, StepProgress, StepState

ROW, BAR, TOP = 26, 14, 78
_LONGEST_LABEL = 27
_LETTER = 6.6
"""How wide a letter is at most, on the average."""
_LEAST_WIDTH = 1.5


def timeline_svg(report: DrillReport) -> Html:
    """Draw the drill; nothing where nothing began."""
    status = report.status
    if status.declared_at is None and not any(one.started_at for one in status.steps):
        return Html()
    return _Picture(report).svg()


class _Picture:
    """Draws rows from top to bottom."""

    def __init__(self, report: DrillReport) -> None:
        self.report, self.status = report, report.status
        self.scale: Scale = scale_of(report)
        self.critical = {segment.name for segment in self.status.critical_path}
        self.y = TOP

    def svg(self) -> Html:
        rows = joined("\n", self._rows())
        bottom = self.y
        # The lines come first: what is written in the rows stays legible on them.
        parts = joined("\n", (*self._axis(bottom), *_moments(self.status, self.scale, bottom), rows))
        label = f"timeline of drill {self.status.run}; the tables below say the same"
        return element(
            "svg",
            parts,
            viewBox=f"0 0 {WIDTH} {bottom + 8}",
            role="img",
            aria_label=label,
            class_="timeline",
        )

    def _rows(self) -> Iterator[Html]:
        if self.status.critical_path:
            yield self._label("critical path", bold=True)
            yield from (self._segment(segment) for segment in self.status.critical_path)
            self.y += ROW + 6
        for progress in self.status.steps:
            yield self._label(progress.step.name, bold=progress.step.name in self.critical)
            yield from self._step(progress)
            self.y += ROW
        for seen in self.status.observations:
            yield self._label(f"probes of {seen.service}")
            yield from (self._stretch(one, seen) for one in seen.stretches)
            self.y += ROW
        yield from self._teardown()

    def _axis(self, bottom: int) -> Iterator[Html]:
        for piece in self.scale.pieces:
            if piece.squeezed:
                words = f"not to scale: {took(piece.end - piece.start)}"
                yield self._rect(
                    "squeezed", piece.start, piece.end, words, y=TOP - 6, height=bottom - TOP + 6
                )
        last = 0.0
        for tick in self.scale.ticks():
            x, words = self.scale.x(tick), offset(tick - self.scale.origin)
            yield _line("grid", x, TOP - 6, bottom)
            if x - last >= _LETTER * (len(words) + 1) or not last:
                yield _said(min(x, WIDTH - _LETTER * len(words) / 2), TOP - 12, words, "tick")
                last = x

    def _label(self, words: str, *, bold: bool = False) -> Html:
        mark, name = ("▸ " if bold else ""), words
        if len(name) > _LONGEST_LABEL:
            name = f"{name[: _LONGEST_LABEL - 1]}…"
        title = element("title", words)
        return element(
            "text",
            Html(text(mark + name) + title),
            class_="critical" if bold else "label",
            x=4,
            y=self.y + 11,
        )

    def _rect(
        self, kind: str, start: datetime, end: datetime, words: str, *, y: float, height: float = BAR
    ) -> Html:
        x = self.scale.x(start)
        width = max(round(self.scale.x(end) - x, 1), _LEAST_WIDTH)
        return element("rect", element("title", words), class_=kind, x=x, y=y, width=width, height=height)

    def _segment(self, segment: Segment) -> Html:
        words = f"{segment.name} ({segment.phase}): {took(segment.time)}"
        bar = self._rect(f"phase {segment.phase}", segment.started_at, segment.ended_at, words, y=self.y)
        x, right = self.scale.x(segment.started_at), self.scale.x(segment.ended_at)
        fits = right - x > _LETTER * (len(segment.phase) + 1)
        name = _said((x + right) / 2, self.y + 11, segment.phase, "inside") if fits else Html()
        return Html(bar + name)

    def _step(self, progress: StepProgress) -> Iterator[Html]:
        if progress.started_at is None:
            yield _said(LEFT + 4, self.y + 11, f"never began ({progress.state})", "note")
            return
        ended = progress.state not in {StepState.RUNNING, StepState.WAITING} and progress.ended_at
        end = ended or max(self.report.ended_at, progress.started_at)
        words = f"{progress.step.name}: {_told(progress)}, {took(end - progress.started_at)}"
        yield self._rect(self._kind(progress), progress.started_at, end, words, y=self.y)
        if progress.step.standing:
            yield self._hatch(progress.started_at, end)
        note = took(end - progress.started_at)
        if progress.state is not StepState.DONE:
            note = f"{'✗ ' if progress.state is StepState.FAILED else ''}{_told(progress)}, {note}"
        yield self._beside(progress.started_at, end, note)

    def _hatch(self, start: datetime, end: datetime) -> Html:
        y = self.y + BAR / 2
        return element("line", class_="hatch", x1=self.scale.x(start), y1=y, x2=self.scale.x(end), y2=y)

    def _kind(self, progress: StepProgress) -> str:
        if progress.step.standing:
            return "standing"
        critical = " critical" if progress.step.name in self.critical else ""
        undone = "" if progress.state is StepState.DONE else " undone"
        return f"phase {progress.step.kind.phase}{undone}{critical}"

    def _beside(self, start: datetime, end: datetime, note: str) -> Html:
        """Write to the right of a bar, or to its left where there is no room."""
        room, right, left = _LETTER * len(note), self.scale.x(end), self.scale.x(start)
        if right + room + 6 > WIDTH and left - room - 6 > LEFT:
            return _said(left - 5, self.y + 11, note, "note to-left")
        x = min(right + 5, WIDTH - room)
        return _said(x, self.y + 11, note, "note")

    def _stretch(self, one: Stretch, seen: Observation) -> Html:
        """Draw good probes as a full bar, bad ones as a low one: by shape, not by colour alone."""
        last = min(one.last_at + seen.interval, max(worked_until(self.status), one.last_at))
        answer = "good" if one.good else f"bad: {one.reason or 'no reason'}"
        words = f"{seen.service}, {one.count} probes from {moment(one.first_at, seen.declared_at)}: {answer}"
        if one.good:
            return self._rect("good", one.first_at, last, words, y=self.y)
        return self._rect("bad", one.first_at, last, words, y=self.y + BAR - 5, height=5)

    def _teardown(self) -> Iterator[Html]:
        """Draw what followed as one: the report keeps no moment between validation and teardown."""
        start = worked_until(self.status)
        if self.report.ended_at <= start:
            return
        name = "validation, teardown" if self.status.validations else "teardown"
        time = took(self.report.ended_at - start)
        yield self._label(name)
        yield self._rect("teardown", start, self.report.ended_at, f"{name}: {time}", y=self.y)
        yield self._beside(start, self.report.ended_at, time)
        self.y += ROW


def _told(progress: StepProgress) -> str:
    return "cut short" if progress.state is StepState.RUNNING else progress.state.value


def _moments(status: DrillStatus, scale: Scale, bottom: int) -> Iterator[Html]:
    """Mark the declared start, the RTO and the recovery, each with its words on a line of its own."""
    declared = status.declared_at
    if declared is None:
        return
    yield from _marked(scale.x(declared), 12, f"disaster declared {moment(declared)}", "declared", bottom)
    rto = declared + status.objectives.rto
    yield from _marked(scale.x(rto), 28, f"RTO {took(status.objectives.rto)}", "rto", bottom)
    if status.recovery_time is None:
        return
    recovered, sure = declared + status.recovery_time, deciding(status)
    words = f"recovered after {took(status.recovery_time)}"
    if sure is not None:
        words += f" ± {took(sure.uncertainty)}"
        left, right = scale.x(recovered - sure.uncertainty), scale.x(recovered + sure.uncertainty)
        yield element(
            "rect",
            element("title", f"between these the recovery lies: ± {took(sure.uncertainty)}"),
            class_="uncertain",
            x=left,
            y=48,
            width=max(round(right - left, 1), _LEAST_WIDTH),
            height=bottom - 48,
        )
    yield from _marked(scale.x(recovered), 44, words, "recovered", bottom)


def _marked(x: float, y: int, words: str, kind: str, bottom: int) -> Iterator[Html]:
    yield _line(kind, x, y + 3, bottom)
    room = _LETTER * len(words) + 6
    yield _said(
        *(
            (x + 4, y, words, f"said {kind}")
            if x + room < WIDTH
            else (x - 4, y, words, f"said to-left {kind}")
        )
    )


def _line(kind: str, x: float, top: float, bottom: float) -> Html:
    return element("line", class_=kind, x1=x, y1=top, x2=x, y2=bottom)


def _said(x: float, y: float, words: str, kind: str) -> Html:
    return element("text", words, class_=kind, x=round(x, 1), y=y)
