"""A negative control: harm that is planted on purpose, and what a drill must say of it."""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar

from steadfleet_core.drill.report import DrillReport
from steadfleet_core.drill.verdict import Judged, Judgement, Verdict
from steadfleet_core.model import Model
from steadfleet_dr_drill.rehearsal.scene import Rehearsal, Scene

PARTS = tuple(Judgement.model_fields)


@dataclass(frozen=True)
class Wanted:
    """One verdict as it must be, and words that must be among its reasons."""

    verdict: Verdict
    words: tuple[str, ...] = ()

    def problem(self, part: str, found: Judged) -> str:
        """Say how what was found differs; empty if it does not."""
        if found.verdict is not self.verdict:
            return f"{part} is {found.verdict}, expected {self.verdict}"
        said = "; ".join(found.reasons)
        missing = [word for word in self.words if word not in said]
        return f"{part} says nothing of {', '.join(map(repr, missing))}: {said}" if missing else ""


def green(part: str) -> Wanted:
    """Say what is wanted of a verdict that no harm touches. On one machine nothing is isolated."""
    return Wanted(Verdict.NOT_PROVEN if part == "isolation" else Verdict.PASSED)


class Result(Model):
    """How one control ended; `problem` is why it was missed."""

    control: str
    planted: str
    verdict: str = ""
    reason: str = ""
    caught: bool
    problem: str = ""
    drill: str = ""
    seconds: float = 0.0


@dataclass
class Control:
    """One harm. A control overrides what it needs; `wanted` are the verdicts that are not green."""

    name: ClassVar[str]
    planted: ClassVar[str]
    wanted: ClassVar[Mapping[str, Wanted]]

    scene: Scene
    problems: list[str] = field(default_factory=list)
    """What the control itself found that must not be, besides the verdicts."""

    def plan(self) -> dict[str, Any]:
        """Return the `spec` of the plan."""
        raise NotImplementedError

    @asynccontextmanager
    async def harm(self) -> AsyncIterator[None]:
        """Plant it before the drill, and mend it after, whatever happens."""
        yield

    async def meanwhile(self, drill: Rehearsal) -> None:
        """Do something while the drill runs."""

    async def afterwards(self, report: DrillReport, drill: Rehearsal) -> None:
        """Look at the cloud when the drill has ended, while the harm is still there."""


def judge(
    control: type[Control], report: DrillReport, problems: Iterable[str] = (), seconds: float = 0.0
) -> Result:
    """Hold every verdict of the drill against what the control wants: red where harm is, green elsewhere."""
    judgement = report.status.judgement
    if judgement is None:
        return missed(control, "the drill ended without a verdict", seconds)
    expected = {part: control.wanted.get(part) or green(part) for part in PARTS}
    found: dict[str, Judged] = {part: getattr(judgement, part) for part in PARTS}
    wrong = [expected[part].problem(part, found[part]) for part in PARTS]
    problem = "; ".join(filter(None, [*wrong, *problems]))
    shown = list(control.wanted) or list(PARTS)
    return Result(
        control=control.name,
        planted=control.planted,
        verdict=", ".join(f"{part} {found[part].verdict}" for part in shown),
        reason=_reason(control, found, shown),
        caught=not problem,
        problem=problem,
        drill=report.status.run,
        seconds=round(seconds, 1),
    )


def missed(control: type[Control], problem: str, seconds: float = 0.0) -> Result:
    return Result(
        control=control.name,
        planted=control.planted,
        caught=False,
        problem=problem,
        seconds=round(seconds, 1),
    )


def _reason(control: type[Control], found: Mapping[str, Judged], shown: Iterable[str]) -> str:
    """Choose the reason that has the words which are wanted, of the first verdict that is shown."""
    part = next(iter(shown))
    words = control.wanted[part].words if part in control.wanted else ()
    reasons = found[part].reasons
    fitting = [one for one in reasons if any(word in one for word in words)]
    return next(iter(fitting or reasons), "")
