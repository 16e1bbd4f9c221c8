"""The steps of a drill, what each waits for, and which of them the clock sees."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum

from steadfleet_core.drill.plan import DrillSpec, Strategy
from steadfleet_core.model import Model


class Phase(StrEnum):
    """How recovery time is split."""

    DECIDE = "decide"
    PROVISION = "provision"
    RESTORE = "restore"
    START = "start"
    VALIDATE = "validate"


class StepKind(StrEnum):
    ISOLATE = "isolate"
    REPLICATE = "replicate"
    """Make a live copy of a store, before the clock starts: what a pilot light has already."""
    RESTORE = "restore"
    """Bring up the store: from a backup, or by promoting the copy."""
    PROVISION = "provision"
    START = "start"

    @property
    def phase(self) -> Phase:
        return _PHASES[self]


_PHASES = {
    StepKind.ISOLATE: Phase.PROVISION,
    StepKind.REPLICATE: Phase.RESTORE,
    StepKind.RESTORE: Phase.RESTORE,
    StepKind.PROVISION: Phase.PROVISION,
    StepKind.START: Phase.START,
}


class Step(Model):
    """One step: `subject` is a store's or a service's name, empty for the network.

    `standing` steps are done before the clock starts: they make what the strategy says stands already.
    """

    kind: StepKind
    subject: str = ""
    needs: tuple[str, ...] = ()
    standing: bool = False

    @property
    def name(self) -> str:
        return f"{self.kind} {self.subject}".strip()


def steps_of(spec: DrillSpec) -> tuple[Step, ...]:
    """Lay out the steps, each after those that it needs; what does not need another runs beside it."""
    live = spec.strategy is not Strategy.BACKUP_RESTORE
    warm = spec.strategy is Strategy.WARM_STANDBY
    network = Step(kind=StepKind.ISOLATE, standing=live)
    steps = [network]
    for store in spec.stores:
        if live:
            steps.append(
                Step(kind=StepKind.REPLICATE, subject=store.name, needs=(network.name,), standing=True)
            )
        before = f"{StepKind.REPLICATE} {store.name}" if live else network.name
        steps.append(Step(kind=StepKind.RESTORE, subject=store.name, needs=(before,)))
    up = {store.name: f"{StepKind.RESTORE} {store.name}" for store in spec.stores}
    up |= {service.name: f"{StepKind.START} {service.name}" for service in spec.services}
    for service in spec.services:
        provision = Step(kind=StepKind.PROVISION, subject=service.name, needs=(network.name,), standing=warm)
        needs = (provision.name, *(up[name] for name in service.depends_on))
        steps += [provision, Step(kind=StepKind.START, subject=service.name, needs=needs)]
    return tuple(steps)


class StepState(StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"


class StepProgress(Model):
    """How far one step is; `facts` are what later steps and people need to know of what it made."""

    step: Step
    state: StepState = StepState.WAITING
    attempts: int = 0
    started_at: datetime | None = None
    ended_at: datetime | None = None
    reason: str = ""
    facts: dict[str, str] = {}


class Segment(Model):
    """A stretch of the critical path."""

    name: str
    phase: Phase
    started_at: datetime
    ended_at: datetime

    @property
    def time(self) -> timedelta:
        return self.ended_at - self.started_at


def critical_path(
    steps: Iterable[StepProgress], declared_at: datetime, recovered_at: datetime
) -> tuple[Segment, ...]:
    """
    Name what the recovery time was spent on: the chain of steps that each waited for the one before.

    It is walked back from the step that ended last, always to the needed step that ended last. Time
    before a step of the chain began is *decide*; what follows the last is *validate*. The stretches
    cover the recovery time without gap or overlap.
    """
    ran = {
        one.step.name: one
        for one in steps
        if one.started_at and one.ended_at and not one.step.standing and one.ended_at > declared_at
    }
    last = max(ran.values(), key=_end, default=None)
    chain: list[StepProgress] = []
    while last is not None:
        chain.insert(0, last)
        last = max((ran[name] for name in last.step.needs if name in ran), key=_end, default=None)
    return tuple(_segments(chain, declared_at, recovered_at))


def _end(progress: StepProgress) -> datetime:
    if progress.ended_at is None:
        raise ValueError(f"{progress.step.name} has not ended")
    return progress.ended_at


def _segments(
    chain: Iterable[StepProgress], declared_at: datetime, recovered_at: datetime
) -> Iterable[Segment]:
    here = declared_at
    for one in chain:
        start = min(max(one.started_at or here, here), recovered_at)
        end = min(_end(one), recovered_at)
        if start > here:
            yield Segment(name="decide", phase=Phase.DECIDE, started_at=here, ended_at=start)
        if end > start:
            yield Segment(name=one.step.name, phase=one.step.kind.phase, started_at=start, ended_at=end)
        here = max(start, end)
    if recovered_at > here:
        yield Segment(name="validate", phase=Phase.VALIDATE, started_at=here, ended_at=recovered_at)


def split(path: Iterable[Segment]) -> Mapping[Phase, timedelta]:
    """Sum the critical path by phase: together they are the recovery time."""
    sums = dict.fromkeys(Phase, timedelta(0))
    for segment in path:
        sums[segment.phase] += segment.time
    return sums
