"""What a person sees of a drill without asking a worker: search attributes and details."""

from datetime import timedelta
from typing import Any

from temporalio.common import SearchAttributeUpdate

from steadfleet_core.drill.report import DrillStatus
from steadfleet_core.drill.steps import split
from steadfleet_core.drill.verdict import Judged
from steadfleet_core.model import format_duration
from steadfleet_workflows.visibility import FLEET, PLAN, STATE, row, shown_reason


def drill_attributes(status: DrillStatus, fleet: str) -> list[SearchAttributeUpdate[Any]]:
    updates: list[SearchAttributeUpdate[Any]] = [
        STATE.value_set(status.state.value),
        PLAN.value_set(status.plan),
        shown_reason(status.reason),
    ]
    return [*updates, FLEET.value_set(fleet)] if fleet else updates


def drill_details(status: DrillStatus) -> str:
    """Describe a drill in markdown, for the Temporal UI."""
    lines = [
        f"**{status.plan}: {status.state}**" + (f": {status.reason}" if status.reason else ""),
        "",
        *[f"{key}: {value}" for key, value in status.labels.items()],
        f"{status.mode} · {status.strategy} · in {status.region} · run `{status.run}`",
    ]
    if status.declared_at:
        lines.append(f"disaster declared at {status.declared_at:%Y-%m-%d %H:%M:%SZ}")
    if status.recovery_time is not None:
        parts = [f"{phase} {_words(time)}" for phase, time in split(status.critical_path).items() if time]
        lines.append(
            f"recovered in {_words(status.recovery_time)} (RTO {_words(status.objectives.rto)}): "
            + " · ".join(parts)
        )
    lines += [
        f"{loss.store}: {loss.lost} of {loss.acknowledged} acknowledged writes lost" for loss in status.losses
    ]
    lines += _steps(status)
    lines += _verdicts(status)
    lines += [f"\n{'**blocks:** ' if one.blocks else ''}{one.what}" for one in status.findings]
    lines += [f"\n**To put right:** {obligation}" for obligation in status.obligations]
    lines += [f"\n**Left behind:** {left}" for left in status.residue]
    return "\n".join(lines)


def _steps(status: DrillStatus) -> list[str]:
    rows = [row(one.step.name, one.state, one.attempts or "", one.reason) for one in status.steps]
    return ["", row("step", "state", "attempts", ""), "| --- | --- | ---: | --- |", *rows] if rows else []


def _verdicts(status: DrillStatus) -> list[str]:
    if status.judgement is None:
        return []
    judgement = status.judgement
    named = {
        "recovery": judgement.recovery,
        "data": judgement.data,
        "clean-up": judgement.cleanup,
        "isolation": judgement.isolation,
    }
    rows = [_verdict(name, judged) for name, judged in named.items()]
    return [f"\n**overall: {judgement.words}**", "", row("verdict", "", ""), "| --- | --- | --- |", *rows]


def _verdict(name: str, judged: Judged) -> str:
    return row(name, judged.verdict, "; ".join(judged.reasons))


def _words(time: timedelta) -> str:
    return format_duration(timedelta(seconds=round(time.total_seconds(), 1)))
