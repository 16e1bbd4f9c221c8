"""What a drill says of itself: while it runs, and at its end."""

from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import Field

from steadfleet_core.drill.measuring import DataLoss, Observation, SealedLedger
from steadfleet_core.drill.order import ResolvedService, ResolvedStore
from steadfleet_core.drill.plan import Mode, Objectives, Strategy
from steadfleet_core.drill.steps import Segment, StepProgress
from steadfleet_core.drill.verdict import Judgement, Verdict
from steadfleet_core.model import Digest, Duration, Model


class DrillState(StrEnum):
    PREPARING = "preparing"
    STANDING_BY = "standing by"
    """What the strategy says stands already is being made; the clock has not started."""
    RECOVERING = "recovering"
    HALTED = "halted"
    VALIDATING = "validating"
    MEASURING = "measuring"
    TEARING_DOWN = "tearing down"
    PASSED = "passed"
    FAILED = "failed"
    NOT_PROVEN = "not proven"
    ABORTED = "aborted"
    REFUSED = "refused"

    @property
    def closed(self) -> bool:
        return self in _CLOSED


_CLOSED = frozenset(
    {
        DrillState.PASSED,
        DrillState.FAILED,
        DrillState.NOT_PROVEN,
        DrillState.ABORTED,
        DrillState.REFUSED,
    }
)


class Finding(Model):
    """What somebody should look at. `predicts` is the step that it will fail, where that is known."""

    what: str
    blocks: bool = False
    predicts: str = ""
    advice: str = ""


class Preflight(Model):
    """Whether a drill may begin, looked at without touching anything. `checked` says what was looked at."""

    at: datetime
    findings: tuple[Finding, ...] = ()
    checked: tuple[str, ...] = ()

    @property
    def blocking(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.blocks)


class CheckResult(Model):
    """How one validation ended. One that could not be carried out has not passed: `proven` is False."""

    name: str
    type: str
    passed: bool
    proven: bool = True
    reason: str = ""
    seconds: float = 0.0


class IsolationResult(Model):
    """What probes from inside to production found. `reached` must be empty; nothing probed proves nothing."""

    probed: tuple[str, ...] = ()
    reached: tuple[str, ...] = ()
    problem: str = ""


class Skipped(Model):
    """A step that a person left out: it is a finding."""

    step: str
    by: str
    reason: str


class DrillStatus(Model):
    """The answer to the one query."""

    plan: str
    labels: dict[str, str] = {}
    mode: Mode
    strategy: Strategy
    state: DrillState
    reason: str = ""
    requested_by: str = ""
    order: Digest
    run: str
    region: str
    objectives: Objectives
    isolation_enforced: bool = True
    preflight: Preflight | None = None
    stores: tuple[ResolvedStore, ...] = ()
    services: tuple[ResolvedService, ...] = ()
    steps: tuple[StepProgress, ...] = ()
    started_at: datetime
    declared_at: datetime | None = None
    ledgers: tuple[SealedLedger, ...] = ()
    observations: tuple[Observation, ...] = ()
    isolation: IsolationResult | None = None
    validations: tuple[CheckResult, ...] = ()
    losses: tuple[DataLoss, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    removed: int = 0
    residue: tuple[str, ...] = ()
    obligations: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    critical_path: tuple[Segment, ...] = ()
    recovery_time: Duration | None = None
    judgement: Judgement | None = None

    aborted: str = ""

    @property
    def overall(self) -> Verdict | None:
        return self.judgement.overall if self.judgement else None


class DrillReport(Model):
    """The result of a drill: its last status, and when it ended."""

    status: DrillStatus
    ended_at: datetime

    @property
    def time(self) -> timedelta:
        return self.ended_at - self.status.started_at


class DrillReceipt(Model):
    """The answer to a verb that was accepted."""

    verb: str
    by: str
    reason: str = Field(default="")
    at: datetime
    effect: str
