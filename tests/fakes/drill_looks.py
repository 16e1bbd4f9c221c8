"""Drills as the command line meets them."""

from datetime import datetime

from fakes.drill_reports import drill_report, drill_status
from steadfleet_cli.drill.reading import Standing
from steadfleet_cli.executions import Execution
from steadfleet_cli.pending import Step
from steadfleet_core.drill.report import DrillState, DrillStatus
from steadfleet_core.drill.steps import StepState


def execution(ended_at: datetime | None = None, word: str = "", **attributes: object) -> Execution:
    return Execution(
        workflow_id="drill/shop-dr/20260307T020000Z",
        run_id="run-1",
        status=word or ("completed" if ended_at else "running"),
        open=ended_at is None,
        started_at=drill_status().started_at,
        ended_at=ended_at,
        attributes=attributes,
    )


def activity(**changes: object) -> Step:
    facts = {"activity": "restore_store", "attempt": 1, "since": drill_status().declared_at, "said": "at 40%"}
    return Step(**{**facts, **changes})  # type: ignore[arg-type]  # what tests name


def halted(**changes: object) -> DrillStatus:
    """Return a drill whose copy could not be promoted, before the witness saw anything."""
    steps = tuple(
        one.model_copy(update={"state": StepState.FAILED, "reason": "no capacity"})
        if one.step.name == "restore orders"
        else one
        for one in drill_status().steps
    )
    nothing_yet = {"observations": (), "losses": (), "validations": (), "isolation": None}
    said = {"state": DrillState.HALTED, "reason": "restore orders: no capacity; retry, skip or abort"}
    return drill_status(steps=steps, **nothing_yet).model_copy(update={**said, **changes})


def look(
    status: DrillStatus | None = None,
    ended_at: datetime | None = None,
    activities: tuple[Step, ...] = (),
    silent: str = "",
) -> Standing:
    return Standing(status or halted(), execution(ended_at), activities, silent)


def ended(**changed: object) -> Standing:
    """Return a drill that was judged and has ended."""
    report = drill_report(**changed)
    return look(report.status, report.ended_at)
