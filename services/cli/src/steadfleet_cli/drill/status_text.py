"""A drill's status as text."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

from steadfleet_cli.drill.reading import Standing, told_state
from steadfleet_cli.executions import Execution
from steadfleet_cli.output import clock, dump, section, table, whole
from steadfleet_cli.pending import Step
from steadfleet_core.drill.measuring import DataLoss, Observation
from steadfleet_core.drill.report import (
    CheckResult,
    DrillReceipt,
    DrillState,
    DrillStatus,
    Finding,
    Preflight,
)
from steadfleet_core.drill.steps import Segment, StepProgress, StepState
from steadfleet_core.drill.verdict import Judged, Judgement
from steadfleet_core.model import format_duration
from steadfleet_workflows.visibility import REASON

_ENDED = {StepState.DONE, StepState.FAILED}


def standing_text(standing: Standing, now: datetime | None = None) -> str:
    return "\n".join(_lines(standing, now or datetime.now(UTC)))


def headline(status: DrillStatus) -> str:
    """Say it in one line."""
    reason = f" — {status.reason}" if status.reason and status.reason != status.state else ""
    return f"drill {status.plan}: {status.state}{reason}"


def _lines(standing: Standing, now: datetime) -> Iterator[str]:
    status = standing.status
    yield headline(status)
    if standing.silent:
        yield f"note: {standing.silent}"
    yield f"id {standing.identity}" + (f", run {status.run}" if status.run else "")
    yield f"{status.mode} · {status.strategy} · in {status.region}"
    yield f"requested by {status.requested_by} at {clock(status.started_at)}, {_lasted(standing, now)}"
    yield from (f"{key}: {value}" for key, value in status.labels.items())
    yield from (f"now: {activity_text(activity, now)}" for activity in standing.activities)
    yield from result_lines(status, now, ended=standing.ended)
    yield from section("findings", [finding_text(finding) for finding in status.findings])
    yield from section("to put right", status.obligations)
    yield from section("left behind", status.residue)
    yield from next_steps(standing)


def result_lines(status: DrillStatus, now: datetime, *, ended: bool) -> Iterator[str]:
    """Tell the clock, the steps, what was seen, and the verdicts."""
    yield from (f"clock: {line}" for line in clock_lines(status, now, ended=ended))
    yield from _steps(status)
    yield from _seen(status)
    yield from _verdicts(status.judgement)


def _lasted(standing: Standing, now: datetime) -> str:
    ended = standing.execution.ended_at
    lasted = words((ended or now) - standing.status.started_at)
    return f"took {lasted}" if ended else f"{lasted} ago"


def clock_lines(status: DrillStatus, now: datetime, *, ended: bool) -> Iterator[str]:
    """Say how long it is since disaster was declared, or what it came to."""
    if status.declared_at is None:
        return
    rto = words(status.objectives.rto)
    declared = f"disaster declared at {clock(status.declared_at)}"
    if status.recovery_time is not None:
        yield f"{declared}, recovered in {exactly(status.recovery_time)} (RTO {rto})"
        yield from _path(status.critical_path)
    elif ended or all_recovered(status):
        yield declared
    else:
        yield f"{declared}, {words(now - status.declared_at)} ago (RTO {rto})"


def _path(segments: Sequence[Segment]) -> Iterator[str]:
    if segments:
        yield "spent on " + ", ".join(f"{one.name} {exactly(one.time)}" for one in segments)


def all_recovered(status: DrillStatus) -> bool:
    seen = [one.recovered_at for one in status.observations]
    return bool(seen) and None not in seen and len(seen) == len(status.services)


def activity_text(step: Step, now: datetime) -> str:
    """Say what an activity does, in its own last words."""
    since = f", {words(now - step.since)}" if step.since else ", waits for a worker"
    again = f", attempt {step.attempt}" if step.attempt > 1 else ""
    said = f": {step.said}" if step.said else ""
    before = f" (before: {step.failure})" if step.failure else ""
    return f"{step.activity}{again}{since}{said}{before}"


def _steps(status: DrillStatus) -> Iterator[str]:
    if status.steps and any(one.state is not StepState.WAITING for one in status.steps):
        yield ""
        yield table([("step", "clock", "state", "took", "attempts", "why"), *map(_step_row, status.steps)])


def _step_row(one: StepProgress) -> tuple[str, ...]:
    when = "before" if one.step.standing else "after"
    attempts = str(one.attempts) if one.attempts else ""
    return one.step.name, when, one.state, took(one), attempts, one.reason


def took(one: StepProgress) -> str:
    """Return how long a step took; of one that runs, nothing."""
    if one.started_at and one.ended_at and one.state in _ENDED:
        return exactly(one.ended_at - one.started_at)
    return ""


def _seen(status: DrillStatus) -> Iterator[str]:
    yield from section("the witness saw", [seen_text(one) for one in status.observations])
    yield from section("ledgers", [loss_text(one) for one in status.losses])
    if status.validations:
        yield ""
        rows = [_check_row(one) for one in status.validations]
        yield table([("validation", "type", "verdict", "seconds", "why"), *rows])
    isolation = status.isolation
    if isolation:
        told = [f"reached: {address}" for address in isolation.reached]
        told += [f"not proven: {isolation.problem}"] if isolation.problem else []
        tried = f"tried from inside: {', '.join(isolation.probed) or 'nothing'}"
        yield from section("isolation", [tried, *told])


def seen_text(seen: Observation) -> str:
    within = f"± {exactly(seen.uncertainty)}, {seen.probes} probes"
    if seen.recovery_time is None:
        last = f": {seen.stretches[-1].reason}" if seen.stretches and seen.stretches[-1].reason else ""
        return f"{seen.service} is not recovered ({within}){last}"
    return f"{seen.service} recovered in {exactly(seen.recovery_time)} ({within})"


def loss_text(loss: DataLoss) -> str:
    if loss.problem:
        return f"{loss.store}: {loss.problem}"
    age = f", the oldest {exactly(loss.oldest_lost_age)} old" if loss.lost else ""
    return f"{loss.store}: {loss.lost} of {loss.acknowledged} acknowledged writes lost{age}"


def _check_row(check: CheckResult) -> tuple[str, ...]:
    return check.name, check.type, verdict_of(check), f"{check.seconds:.1f}", check.reason


def verdict_of(check: CheckResult) -> str:
    if not check.proven:
        return "not proven"
    return "passed" if check.passed else "failed"


def _verdicts(judgement: Judgement | None) -> Iterator[str]:
    if judgement is None:
        return
    yield ""
    yield table([("verdict", "", "why"), *verdict_rows(judgement)])
    yield f"overall: {judgement.words}"


def verdict_rows(judgement: Judgement) -> list[tuple[str, str, str]]:
    named: dict[str, Judged] = {
        "recovery": judgement.recovery,
        "data": judgement.data,
        "clean-up": judgement.cleanup,
        "isolation": judgement.isolation,
    }
    return [(name, judged.verdict.value, "; ".join(judged.reasons)) for name, judged in named.items()]


def finding_text(finding: Finding) -> str:
    blocks = "blocks: " if finding.blocks else ""
    outlook = "will fail" if finding.blocks else "concerns"
    predicts = f" ({outlook} {finding.predicts})" if finding.predicts else ""
    advice = f"; {finding.advice}" if finding.advice else ""
    return f"{blocks}{finding.what}{predicts}{advice}"


def preflight_text(plan: str, preflight: Preflight) -> str:
    blocking = len(preflight.blocking)
    lines = [f"preflight of {plan} at {clock(preflight.at)}: {blocking} of what was found would stop a drill"]
    lines += section("looked at", preflight.checked)
    lines += section("findings", [finding_text(finding) for finding in preflight.findings])
    if not preflight.findings:
        lines.append("nothing was found: no drill is refused for what can be seen now")
    return "\n".join(lines)


def next_steps(standing: Standing) -> Iterator[str]:
    """Say what a person can do now; nothing while it goes on by itself."""
    status, name = standing.status, standing.identity
    failed = [one.step.name for one in status.steps if one.state is StepState.FAILED]
    if status.state is DrillState.HALTED:
        step = f' --step "{failed[0]}"' if len(failed) > 1 else ""
        yield f"next: steadfleet drill retry {name}{step}, or skip, or abort; the clock runs meanwhile"
    elif standing.ended and status.residue:
        yield f"next: steadfleet sweep --run {status.run} --region {status.region}"
    elif status.state is DrillState.REFUSED:
        yield "next: mend what is said above, then `steadfleet drill preflight`"
    elif standing.ended:
        yield f"next: steadfleet drill report {name} --html FILE"


def receipt_text(receipt: DrillReceipt, drill: str) -> str:
    """Say who asked, why, and what will happen."""
    why = f": {receipt.reason}" if receipt.reason else ""
    accepted = f"{receipt.verb} of {drill} accepted at {clock(receipt.at)}"
    return "\n".join([accepted, f"by: {receipt.by}{why}", f"then: {receipt.effect}"])


def list_text(executions: Sequence[Execution]) -> str:
    if not executions:
        return "no drills"
    return table([("drill", "state", "started", "took", "reason"), *map(_listed_row, executions)])


def reason_of(execution: Execution) -> str:
    """Return the reported reason, where it says more than the state."""
    reason = execution.word(REASON.name)
    return "" if reason == told_state(execution) else reason


def _listed_row(one: Execution) -> tuple[str, ...]:
    lasted = words(one.ended_at - one.started_at) if one.ended_at else ""
    return one.workflow_id, told_state(one), clock(one.started_at), lasted, reason_of(one)


def listed(execution: Execution, plan: str) -> dict[str, object]:
    return {
        "id": execution.workflow_id,
        "plan": plan,
        "state": told_state(execution),
        "reason": execution.word(REASON.name),
        "status": execution.status,
        "run": execution.run_id,
        "startedAt": execution.started_at.isoformat(),
        "endedAt": execution.ended_at.isoformat() if execution.ended_at else None,
    }


def document_of(standing: Standing) -> dict[str, object]:
    """Return where a drill stands as JSON values; an open one has no end."""
    ended = standing.execution.ended_at
    return {
        "id": standing.identity,
        "status": dump(standing.status),
        "activities": [
            {**asdict(one), "since": one.since.isoformat() if one.since else None}
            for one in standing.activities
        ],
        "ended_at": ended.isoformat() if ended else None,
        "answered": not standing.silent,
        "note": standing.silent,
    }


def words(time: timedelta) -> str:
    return format_duration(whole(time))


def exactly(time: timedelta) -> str:
    """Write a measurement to a tenth of a second."""
    return format_duration(timedelta(seconds=round(time.total_seconds(), 1)))
