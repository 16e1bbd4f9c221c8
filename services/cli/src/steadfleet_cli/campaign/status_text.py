"""A campaign's status, receipts and list as text."""

from collections.abc import Iterator

from steadfleet_cli.campaign.plan_text import hosts, short
from steadfleet_cli.campaign.reading import Standing
from steadfleet_cli.executions import Execution
from steadfleet_cli.output import clock, dump, section, table, whole
from steadfleet_core.campaign.counts import Counts
from steadfleet_core.campaign.lifecycle import Receipt, State
from steadfleet_core.campaign.report import CampaignStatus
from steadfleet_core.campaign.wave import Direction, WaveProgress
from steadfleet_core.fleet import HostFailure
from steadfleet_core.model import format_duration
from steadfleet_workflows.visibility import CHANGED, FAILED, FLEET, REASON, STATE, WAVE

_SHOWN_RECEIPTS = 5


def status_text(status: CampaignStatus) -> str:
    return "\n".join(_lines(status))


def headline(status: CampaignStatus) -> str:
    """Say it in one line."""
    reason = f" — {status.reason}" if status.reason else ""
    return f"campaign {status.name}: {status.state}{reason}"


def _lines(status: CampaignStatus) -> Iterator[str]:
    yield headline(status)
    yield f"fleet {status.fleet} to image {status.image}, requested by {status.requested_by}"
    if status.plan:
        yield f"plan {status.plan}"
    yield counts_text(status.counts)
    if status.waves:
        yield ""
        yield table([_HEADING, *(_row(wave) for wave in status.waves)])
    yield from section("failures", [failure_text(failure) for failure in status.failures])
    yield from section("to put right", status.obligations)
    yield from section("warnings", status.warnings)
    yield from section("receipts", [receipt_line(r) for r in status.receipts[-_SHOWN_RECEIPTS:]])
    yield from next_steps(status)


def next_steps(status: CampaignStatus) -> Iterator[str]:
    """Say what a person can do now; nothing while it goes on by itself."""
    name = status.name
    match status.state:
        case State.AWAITING_APPROVAL if status.plan:
            yield f"approvals: {len(status.approvals)} of {status.approvals_needed}"
            yield f"next: campaign approve {name} --plan {short(status.plan)}  (not by {status.requested_by})"
        case State.PAUSED | State.PAUSING:
            yield f"next: campaign resume {name}, or abort, or rollback"
        case State.HALTED:
            yield f"next: campaign retry {name}, or rollback, or abort"


def counts_text(counts: Counts) -> str:
    """Say what became of the hosts; what did not happen is left out, but for failures."""
    parts = [f"{counts.changed} of {hosts(counts.total)} changed", f"{counts.failed} failed"]
    rest = {
        "in flight": counts.in_flight,
        "restored": counts.restored,
        "lost": counts.lost,
        "gone": counts.gone,
    }
    return ", ".join([*parts, *(f"{count} {word}" for word, count in rest.items() if count)])


_HEADING = ("wave", "hosts", "changed", "failed", "restored", "state")


def _row(wave: WaveProgress) -> tuple[str, ...]:
    counts = wave.counts
    numbers = (wave.number, counts.total, counts.changed, counts.failed, counts.restored)
    return (*map(str, numbers), wave_state(wave))


def wave_state(wave: WaveProgress) -> str:
    """Say in a few words what the wave does, or how it was judged."""
    if wave.started_at is None:
        return "not begun"
    if wave.baking and wave.ended_at is None and wave.verdict is None:
        return f"baking, {format_duration(whole(wave.bake - wave.baked))} left"
    if wave.ended_at is None and wave.verdict is None:
        return "restoring" if wave.direction is Direction.RESTORE else "changing"
    return str(wave.verdict or ("restored" if wave.direction is Direction.RESTORE else "stopped"))


def failure_text(failure: HostFailure) -> str:
    after = "restored" if failure.restored else "NOT restored"
    return f"{failure.host} ({failure.zone}, wave {failure.wave}, {after}): {failure.reason}"


def receipt_text(campaign: str, receipt: Receipt) -> str:
    """Say who asked, why, and what will happen."""
    why = f": {receipt.reason}" if receipt.reason else ""
    return "\n".join(
        [
            f"{receipt.verb} of campaign {campaign} accepted at {clock(receipt.at)}, while {receipt.state}",
            f"by: {receipt.by}{why}",
            f"then: {receipt.effect}",
        ]
    )


def receipt_line(receipt: Receipt) -> str:
    why = f": {receipt.reason}" if receipt.reason else ""
    return f"{clock(receipt.at)} {receipt.verb} by {receipt.by}{why}"


def list_text(executions: list[Execution]) -> str:
    """Tell of each campaign what its search attributes say."""
    if not executions:
        return "no campaigns; `campaign start` starts one"
    heading = ("name", "state", "fleet", "wave", "changed", "failed", "started", "reason")
    return table([heading, *(_listed(execution) for execution in executions)])


_LISTED = (FLEET, WAVE, CHANGED, FAILED, REASON)


def _listed(execution: Execution) -> tuple[str, ...]:
    return (
        execution.workflow_id.removeprefix("campaign/"),
        listed_state(execution),
        *(execution.word(key.name) for key in _LISTED[:-1]),
        clock(execution.started_at),
        execution.word(REASON.name),
    )


def listed(execution: Execution) -> dict[str, object]:
    """Return one row of the list as JSON values."""
    return {
        "name": execution.workflow_id.removeprefix("campaign/"),
        "state": listed_state(execution),
        **{key.name.removeprefix("Sf").lower(): execution.attributes.get(key.name) for key in _LISTED},
        "status": execution.status,
        "run": execution.run_id,
        "startedAt": execution.started_at.isoformat(),
        "endedAt": execution.ended_at.isoformat() if execution.ended_at else None,
    }


def listed_state(execution: Execution) -> str:
    """Trust the campaign's own word only while Temporal's does not contradict it."""
    said = execution.word(STATE.name)
    reported = execution.status in {"running", "completed", "failed"}
    return said if said and reported else execution.status


def report_document(standing: Standing) -> dict[str, object]:
    """Return the report as JSON values; an open campaign has no end."""
    return {
        "status": dump(standing.status),
        "started_at": standing.started_at.isoformat(),
        "ended_at": standing.ended_at.isoformat() if standing.ended_at else None,
    }
