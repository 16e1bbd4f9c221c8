"""What the facts of a drill come to: its critical path, its recovery time, its verdicts."""

from datetime import datetime, timedelta

from steadfleet_core.drill.plan import Mode
from steadfleet_core.drill.report import CheckResult, DrillStatus
from steadfleet_core.drill.steps import StepState, critical_path
from steadfleet_core.drill.verdict import (
    Judged,
    Judgement,
    Verdict,
    judge_cleanup,
    judge_data,
    judge_isolation,
    judge_recovery,
)


def concluded(status: DrillStatus) -> DrillStatus:
    """Add to what was found what it comes to."""
    recovered_at = _recovered_at(status)
    time = recovered_at - status.declared_at if recovered_at and status.declared_at else None
    path = (
        critical_path(status.steps, status.declared_at, recovered_at)
        if recovered_at and status.declared_at
        else ()
    )
    judgement = _tabletop(status) if status.mode is Mode.TABLETOP else _judged(status, time)
    return status.model_copy(update={"critical_path": path, "recovery_time": time, "judgement": judgement})


def _recovered_at(status: DrillStatus) -> datetime | None:
    """Return when the last service was recovered; without services, when the last step was done."""
    if not status.services:
        return _last_end(status)
    moments = [seen.recovered_at for seen in status.observations]
    if len(moments) < len(status.services):
        return None
    known = [moment for moment in moments if moment is not None]
    return max(known) if len(known) == len(moments) else None


def _last_end(status: DrillStatus) -> datetime | None:
    if any(one.state is not StepState.DONE for one in status.steps):
        return None
    return max((one.ended_at for one in status.steps if one.ended_at), default=None)


def _judged(status: DrillStatus, time: timedelta | None) -> Judgement:
    left_out = [f"{one.step} was skipped by {one.by}: {one.reason}" for one in status.skipped]
    if status.aborted:
        left_out.append(status.aborted)
    objectives, isolation = status.objectives, status.isolation
    steps = [f"{one.step.name}: {one.reason}" for one in status.steps if one.state is StepState.FAILED]
    return Judgement(
        recovery=judge_recovery(
            status.observations,
            [service.name for service in status.services],
            objectives.rto,
            broken=[*steps, *_broken(status, of_data=False)],
            unproven=[*left_out, *_unproven(status, of_data=False)],
            path_time=None if status.services else time,
            cut_short=bool(status.aborted),
        ),
        data=judge_data(
            status.losses,
            [store.name for store in status.stores],
            objectives.rpo,
            broken=_broken(status, of_data=True),
            unproven=_unproven(status, of_data=True),
        ),
        cleanup=judge_cleanup(status.residue, status.removed, status.obligations),
        isolation=judge_isolation(
            isolation.probed if isolation else (),
            isolation.reached if isolation else (),
            isolation.problem if isolation else "it was not probed",
            enforced=status.isolation_enforced,
        ),
    )


def _broken(status: DrillStatus, *, of_data: bool) -> list[str]:
    return [_told(one) for one in _checks(status, of_data=of_data) if one.proven and not one.passed]


def _unproven(status: DrillStatus, *, of_data: bool) -> list[str]:
    return [_told(one) for one in _checks(status, of_data=of_data) if not one.proven]


def _checks(status: DrillStatus, *, of_data: bool) -> list[CheckResult]:
    return [one for one in status.validations if (one.type in {"sql", "checksum"}) is of_data]


def _told(check: CheckResult) -> str:
    return f"{check.name}: {check.reason or 'failed'}"


def _tabletop(status: DrillStatus) -> Judgement:
    nothing = Judged(verdict=Verdict.NOT_PROVEN, reasons=("tabletop: nothing was recovered",))
    clean = Judged(verdict=Verdict.PASSED, reasons=("nothing was made",))
    blocking = status.preflight.blocking if status.preflight else ()
    failed = Judged(verdict=Verdict.FAILED, reasons=tuple(finding.what for finding in blocking))
    recovery = failed if blocking else nothing
    return Judgement(recovery=recovery, data=nothing, cleanup=clean, isolation=nothing)
