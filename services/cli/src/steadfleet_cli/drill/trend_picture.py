"""The picture of a trend: what each drill measured, against its objective."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import groupby

from steadfleet_cli.drill.markup import MARKS, Html, element, joined, moment, took
from steadfleet_cli.drill.trend import Point

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 960, 210, 80, 40, 34, 170
_LETTER = 6.6
_HEADROOM = 1.15
_FAR = 4
"""Times the highest measurement: an objective further up is drawn at the edge, and says so."""


def trend_svg(points: Sequence[Point], objective: str, measurement: str) -> Html:
    """Draw the measurements, oldest first; the last is this drill."""
    picture = _Trend(points, objective)
    label = f"{measurement} of {len(points)} drills against the {objective}; the table below says the same"
    return element(
        "svg",
        joined("\n", picture.parts(measurement)),
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        role="img",
        aria_label=label,
        class_="trend",
    )


class _Trend:
    def __init__(self, points: Sequence[Point], objective: str) -> None:
        self.points, self.objective = points, objective
        known = [point.value + point.blur for point in points if point.value is not None]
        peak, highest = max(known, default=timedelta(0)), max(point.objective for point in points)
        far = bool(peak) and highest > _FAR * peak
        self.most = max(peak, _FAR * peak if far else highest) * _HEADROOM

    def x(self, number: int) -> float:
        return round(LEFT + (number + 0.5) / len(self.points) * (WIDTH - LEFT - RIGHT), 1)

    def y(self, value: timedelta) -> float:
        return round(BOTTOM - min(value / self.most, 1.0) * (BOTTOM - TOP), 1)

    def parts(self, measurement: str) -> Iterator[Html]:
        yield element("text", measurement, class_="title", x=4, y=16)
        yield element("line", class_="grid", x1=LEFT, y1=BOTTOM, x2=WIDTH - RIGHT, y2=BOTTOM)
        yield element("text", "0s", class_="tick to-left", x=LEFT - 6, y=BOTTOM + 4)
        yield from self._objective()
        yield from self._line()
        for number, point in enumerate(self.points):
            yield from self._point(number, point)

    def _objective(self) -> Iterator[Html]:
        """Draw each drill's own objective: it may have been another one at the time."""
        half, number = (WIDTH - LEFT - RIGHT) / len(self.points) / 2, 0
        for objective, same in groupby(point.objective for point in self.points):
            first, number = number, number + len(list(same))
            x, right, y = self.x(first) - half, self.x(number - 1) + half, self.y(objective)
            title = element("title", f"{self.objective} {took(objective)}")
            yield element("line", title, class_="rto", x1=round(x, 1), y1=y, x2=round(right, 1), y2=y)
        last = self.points[-1].objective
        far = ", far above: not to scale" if last > self.most else ""
        words, y = f"{self.objective} {took(last)}{far}", self.y(last) - 5
        yield element("text", words, class_="said rto to-left", x=WIDTH - RIGHT, y=y)

    def _line(self) -> Iterator[Html]:
        """Join neighbours that were both measured: what is not known is not drawn."""
        for number, (one, other) in enumerate(zip(self.points, self.points[1:], strict=False)):
            if one.value is not None and other.value is not None:
                yield element(
                    "line",
                    class_="joint",
                    x1=self.x(number),
                    y1=self.y(one.value),
                    x2=self.x(number + 1),
                    y2=self.y(other.value),
                )

    def _point(self, number: int, point: Point) -> Iterator[Html]:
        x, y = self.x(number), self.y(point.value or timedelta(0))
        if point.blur and point.value is not None:
            top, low = self.y(point.value + point.blur), self.y(max(point.value - point.blur, timedelta(0)))
            yield element("line", class_="blur", x1=x, y1=top, x2=x, y2=low)
        verdict = point.verdict
        kind = verdict.name.lower() if verdict else "none"
        words = f"{moment(point.at)}: {point.words}, {self.objective} {took(point.objective)}, "
        title = element("title", words + (verdict.value if verdict else "not judged"))
        yield element("circle", title, class_=f"dot {kind}", cx=x, cy=y, r=8)
        yield element("text", MARKS[verdict] if verdict else "-", class_=f"mark {kind}", x=x, y=y + 4)
        if self._has_room(number):
            yield element("text", point.words, class_="value", x=x, y=y - 13)
            yield element("text", f"{point.at:%Y-%m-%d}", class_="tick", x=x, y=BOTTOM + 24)

    def _has_room(self, number: int) -> bool:
        """Leave words out where they would run into each other; those of this drill stay."""
        room = (WIDTH - LEFT - RIGHT) / len(self.points)
        every = -(-_LETTER * len("2026-01-01x") // room)
        return (len(self.points) - 1 - number) % every == 0


MOST_SHOWN = 20
"""Drills on a trend: the last ones."""
