"""What a drill is beside the past drills of its plan: in numbers, and where it got worse."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from steadfleet_cli.drill.markup import took
from steadfleet_core.drill.measuring import DataLoss
from steadfleet_core.drill.plan import Mode
from steadfleet_core.drill.report import DrillReport, DrillStatus
from steadfleet_core.drill.verdict import Judgement, Verdict

COMPARED = 5
"""Past drills whose median is what a drill is held against: one odd drill does not move it."""
_WORSE = 1.25
"""Times the median: less is what drills differ by from day to day."""


@dataclass(frozen=True)
class Loss:
    """What all stores of a drill lost: the oldest write of any. `at_least` where ledgers reach no further."""

    age: timedelta
    lost: int
    acknowledged: int
    at_least: bool
    uncertainty: timedelta

    @property
    def words(self) -> str:
        return f"{'at least ' if self.at_least else ''}{took(self.age)}"


def measured(losses: Sequence[DataLoss]) -> Loss | None:
    """Sum up what is known of the loss; None where nothing is."""
    known = [loss for loss in losses if is_measured(loss)]
    if not known:
        return None
    return Loss(
        age=max(loss.oldest_lost_age for loss in known),
        lost=sum(loss.lost for loss in known),
        acknowledged=sum(loss.acknowledged for loss in known),
        at_least=any(reaches_no_further(loss) for loss in known),
        uncertainty=max(loss.uncertainty for loss in known),
    )


def is_measured(loss: DataLoss) -> bool:
    return not loss.problem and loss.acknowledged > 0


def reaches_no_further(loss: DataLoss) -> bool:
    """Tell whether the oldest write in the ledger is lost too: older ones may be, and nobody knows."""
    return loss.lost > 0 and loss.oldest_lost_age >= loss.covered


def drills_of(report: DrillReport, past: Sequence[DrillReport]) -> list[DrillReport]:
    """Return the earlier drills of the same plan, oldest first."""
    status = report.status
    same = [one for one in past if one.status.plan == status.plan and one.status.run != status.run]
    return sorted(same, key=lambda one: one.status.started_at)


def regressions(report: DrillReport, past: Sequence[DrillReport]) -> list[str]:
    """
    Name what got worse.

    Times are held against the median of the last drills with the same strategy: a restore from a
    backup and a pilot light are not alike. Verdicts are held against the last drill that was no tabletop.
    """
    drills = [one for one in drills_of(report, past) if one.status.mode is Mode.DRILL]
    if report.status.mode is not Mode.DRILL or not drills:
        return []
    alike = [one.status for one in drills if one.status.strategy is report.status.strategy]
    return [*_slower(report.status, alike), *_lossier(report.status, alike), *_worse(report, drills[-1])]


def _slower(status: DrillStatus, past: Sequence[DrillStatus]) -> Iterator[str]:
    known = [one.recovery_time for one in past if one.recovery_time is not None][-COMPARED:]
    if status.recovery_time is None or not known:
        return
    usual = _median(known)
    blur = max((seen.uncertainty for seen in status.observations), default=timedelta(0))
    if status.recovery_time - usual > blur:
        yield from _times("recovery took", status.recovery_time, usual, len(known))


def _lossier(status: DrillStatus, past: Sequence[DrillStatus]) -> Iterator[str]:
    known = [loss.age for one in past if (loss := measured(one.losses))][-COMPARED:]
    now = measured(status.losses)
    if now is None or not known:
        return
    usual = _median(known)
    if usual and now.age - usual > now.uncertainty:
        yield from _times("the oldest lost write is", now.age, usual, len(known))
    elif not usual and now.lost:
        yield f"{now.lost} writes were lost, the oldest {now.words} old; {_of_last(len(known))} is none"


def _median(times: Sequence[timedelta]) -> timedelta:
    return timedelta(seconds=median(time.total_seconds() for time in times))


def _times(words: str, now: timedelta, usual: timedelta, count: int) -> Iterator[str]:
    if usual and now / usual >= _WORSE:
        aged = " old" if words.endswith("is") else ""
        yield f"{words} {took(now)}{aged}: {now / usual:.1f} times {_of_last(count)}, {took(usual)}"


def _of_last(count: int) -> str:
    return f"the median of the last {count}" if count > 1 else "that of the one before"


def _worse(report: DrillReport, last: DrillReport) -> Iterator[str]:
    before, now = last.status.judgement, report.status.judgement
    when = f"{last.status.started_at:%Y-%m-%d}"
    if before and now:
        for name, was, is_ in zip(NAMES, _verdicts(before), _verdicts(now), strict=True):
            if was is Verdict.PASSED is not is_:
                yield f"{name}: {is_}; it passed in the last drill, of {when}"
    passed = {one.name for one in last.status.validations if one.passed}
    tried = {one.name: one for one in report.status.validations}
    for name in sorted(passed):
        if name not in tried:
            yield f"validation {name} passed on {when} and was not carried out in this drill"
        elif not tried[name].passed:
            yield f"validation {name} passed on {when} and did not pass in this drill"
    gone = _subjects(last.status) - _subjects(report.status)
    yield from (f"{name} was in the drill of {when} and is not in this one" for name in sorted(gone))


NAMES = ("recovery", "data", "clean-up", "isolation")


def _verdicts(judgement: Judgement) -> tuple[Verdict, ...]:
    all_ = (judgement.recovery, judgement.data, judgement.cleanup, judgement.isolation)
    return tuple(one.verdict for one in all_)


def _subjects(status: DrillStatus) -> set[str]:
    return {store.name for store in status.stores} | {service.name for service in status.services}


@dataclass(frozen=True)
class Point:
    """One drill on a trend: what was measured, against which objective, and how it was judged."""

    at: datetime
    value: timedelta | None
    objective: timedelta
    verdict: Verdict | None
    words: str
    blur: timedelta = timedelta(0)
    at_least: bool = False


_UNKNOWN = "not measured"


def recovery_points(drills: Sequence[DrillReport]) -> list[Point]:
    return [_recovery(one.status) for one in drills]


def _recovery(status: DrillStatus) -> Point:
    blur = max((seen.uncertainty for seen in status.observations), default=timedelta(0))
    return Point(
        at=status.started_at,
        value=status.recovery_time,
        objective=status.objectives.rto,
        verdict=status.judgement.recovery.verdict if status.judgement else None,
        words=took(status.recovery_time) if status.recovery_time is not None else _UNKNOWN,
        blur=blur if status.recovery_time is not None else timedelta(0),
    )


def loss_points(drills: Sequence[DrillReport]) -> list[Point]:
    return [_loss(one.status) for one in drills]


def _loss(status: DrillStatus) -> Point:
    loss = measured(status.losses)
    return Point(
        at=status.started_at,
        value=loss.age if loss else None,
        objective=status.objectives.rpo,
        verdict=status.judgement.data.verdict if status.judgement else None,
        words=("≥ " if loss.at_least else "") + took(loss.age) if loss else _UNKNOWN,
        at_least=bool(loss and loss.at_least),
    )
