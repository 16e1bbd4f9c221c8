"""What the recovery time was spent on, by phase: as a bar, and in words."""

from collections.abc import Iterator, Sequence
from datetime import timedelta

from steadfleet_cli.drill.markup import Html, element, joined, took
from steadfleet_core.drill.steps import Phase, Segment, split

WIDTH = 960
_HEIGHT, _BAR = 62, 22
_COLUMN = WIDTH / len(Phase)


def breakdown_svg(path: Sequence[Segment]) -> Html:
    """Draw the recovery time as one bar; nothing where the path is not known."""
    whole = sum((segment.time for segment in path), timedelta(0))
    if not whole:
        return Html()
    parts = joined("\n", (*_bars(path, whole), *_words(path, whole)))
    label = f"recovery time by phase: {spent(path)}"
    return element(
        "svg", parts, viewBox=f"0 0 {WIDTH} {_HEIGHT}", role="img", aria_label=label, class_="split"
    )


def spent(path: Sequence[Segment]) -> str:
    return ", ".join(f"{phase} {took(time)}" for phase, time in split(path).items())


def named(path: Sequence[Segment]) -> str:
    """Name the critical path."""
    return " → ".join(f"{segment.name} {took(segment.time)}" for segment in path)


def _bars(path: Sequence[Segment], whole: timedelta) -> Iterator[Html]:
    left = 0.0
    for phase, time in split(path).items():
        width = time / whole * WIDTH
        if time:
            title = element("title", f"{phase}: {took(time)}")
            place = {"x": round(left, 1), "y": 0, "width": round(width, 1), "height": _BAR}
            yield element("rect", title, class_=f"phase {phase}", **place)
        left += width


def _words(path: Sequence[Segment], whole: timedelta) -> Iterator[Html]:
    """Write a column for each phase: below a narrow stretch of the bar there is no room."""
    for number, (phase, time) in enumerate(split(path).items()):
        x = round(number * _COLUMN, 1)
        yield element("rect", class_=f"phase {phase}", x=x, y=_BAR + 14, width=12, height=12)
        yield element(
            "text", f"{phase} {took(time)} ({time / whole:.0%})", class_="value-left", x=x + 18, y=_BAR + 25
        )
