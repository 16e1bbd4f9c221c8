"""A build's status as text."""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime

from steadfleet_cli.image.reading import Standing
from steadfleet_cli.output import clock, dump, section, table, whole
from steadfleet_cli.pending import Step
from steadfleet_core.image.report import (
    CheckResult,
    Examination,
    Finding,
    GateReport,
    ImageReceipt,
    ImageState,
    ImageStatus,
    Place,
    PlaceState,
)
from steadfleet_core.model import format_duration


def standing_text(standing: Standing, now: datetime | None = None) -> str:
    return "\n".join(_lines(standing, now or datetime.now(UTC)))


def headline(status: ImageStatus) -> str:
    """Say it in one line."""
    reason = f" — {status.reason}" if status.reason else ""
    return f"image {status.family} {status.version}: {status.state}{reason}"


def _lines(standing: Standing, now: datetime) -> Iterator[str]:
    status = standing.status
    yield headline(status)
    if standing.silent:
        yield f"note: {standing.silent}"
    yield f"requested by {status.requested_by} at {clock(status.started_at)}, {_lasted(standing, now)}"
    yield from (f"{key}: {value}" for key, value in status.labels.items())
    yield from (f"now: {step_text(step, now)}" for step in standing.steps)
    yield from _inputs(status)
    if status.examination:
        yield from _examined(status.examination)
    if status.gate:
        yield from _judged(status.gate)
    yield from _places(status.places)
    yield from section("to put right", status.obligations)
    yield from section("warnings", status.warnings)
    yield from next_steps(status)


def _lasted(standing: Standing, now: datetime) -> str:
    ended = standing.execution.ended_at
    lasted = format_duration(whole((ended or now) - standing.status.started_at))
    return f"took {lasted}" if ended else f"{lasted} ago"


def step_text(step: Step, now: datetime) -> str:
    """Say what an activity does, in its own last words."""
    since = f", {format_duration(whole(now - step.since))}" if step.since else ", waits for a worker"
    again = f", attempt {step.attempt}" if step.attempt > 1 else ""
    said = f": {step.said}" if step.said else ""
    before = f" (before: {step.failure})" if step.failure else ""
    return f"{step.activity}{again}{since}{said}{before}"


def _inputs(status: ImageStatus) -> Iterator[str]:
    yield f"order {status.order}"
    if status.base:
        name = f" ({status.base.name})" if status.base.name else ""
        yield f"built on {status.base.id}{name}; inputs {status.key}"
    if status.built:
        built = status.built
        took = format_duration(whole(built.ended_at - built.started_at))
        log = f"; packer's log {built.log}" if built.log else ""
        yield f"packer made {built.id} in {took}{log}"
        yield from (f"packer warns: {warning}" for warning in built.warnings)


def _examined(examination: Examination) -> Iterator[str]:
    yield ""
    yield examination_text(examination)


def examination_text(examination: Examination) -> str:
    failed = len(examination.failures)
    lines = [f"tests: {len(examination.results) - failed} passed, {failed} did not"]
    if examination.results:
        rows = [_check_row(result) for result in examination.results]
        lines.append(table([("check", "type", "verdict", "seconds", "why"), *rows]))
    counted = (
        f"{examination.components} packages, {examination.sbom}" if examination.sbom else "none was made"
    )
    return "\n".join([*lines, f"sbom: {counted}"])


def _check_row(result: CheckResult) -> tuple[str, ...]:
    return result.name, result.type, result.verdict, f"{result.seconds:.1f}", result.reason


def _judged(gate: GateReport) -> Iterator[str]:
    yield ""
    yield (
        f"vulnerabilities: {gate.found} found in {gate.looked_up} packages looked up, "
        f"{gate.blocking} block, {gate.waived} waived"
    )
    if gate.findings:
        rows = [_finding_row(finding) for finding in gate.findings]
        yield table([("advisory", "package", "severity", "fixed in", "effect"), *rows])
    if gate.found > len(gate.findings):
        yield f"the first {len(gate.findings)} of {gate.found} are shown"


def _finding_row(finding: Finding) -> tuple[str, ...]:
    effect = "blocks" if finding.blocks else "told"
    if finding.waived_until:
        effect = f"{effect}, waived until {finding.waived_until}: {finding.waiver_reason}"
    package = f"{finding.package} {finding.version}"
    return finding.id, package, finding.severity or "unknown", finding.fixed_in or "", effect


def _places(places: tuple[Place, ...]) -> Iterator[str]:
    if not places:
        return
    yield ""
    rows = [_place_row(place) for place in places]
    yield table([("place", "wanted", "state", "image", "content", "why"), *rows])
    yield from section(
        "attestations", [f"{place.name}: {where}" for place in places for where in place.attestations]
    )


def _place_row(place: Place) -> tuple[str, ...]:
    wanted = "required" if place.required else "best effort"
    return place.name, wanted, place.state, place.id, (place.content or "")[:19], place.reason


def next_steps(status: ImageStatus) -> Iterator[str]:
    """Say what a person can do now; nothing while it goes on by itself."""
    name = f"{status.family} {status.version}"
    match status.state:
        case ImageState.HALTED if releasing(status):
            yield f"next: steadfleet image retry {name}; what is released is no longer undone"
        case ImageState.HALTED:
            yield f"next: steadfleet image retry {name}, or abort; undone after a day without either"
        case ImageState.PUBLISHED if not status.channel:
            yield f"next: steadfleet image promote {name} --channel dev|staging|prod"
        case ImageState.FAILED | ImageState.ABORTED:
            yield "next: mend what is said above, then `steadfleet image build` again under the same version"


def releasing(status: ImageStatus) -> bool:
    """Whether a halted build has begun to release: then no required place is missing."""
    return not any(place.required and place.state is PlaceState.FAILED for place in status.places)


def receipt_text(family: str, version: str, receipt: ImageReceipt) -> str:
    """Say who asked, why, and what will happen."""
    why = f": {receipt.reason}" if receipt.reason else ""
    return "\n".join(
        [
            f"{receipt.verb} of image {family} {version} accepted at {clock(receipt.at)}",
            f"by: {receipt.by}{why}",
            f"then: {receipt.effect}",
        ]
    )


def document_of(standing: Standing) -> dict[str, object]:
    """Return where a build stands as JSON values; an open one has no end."""
    ended = standing.execution.ended_at
    return {
        "status": dump(standing.status),
        "steps": [
            {**asdict(step), "since": step.since.isoformat() if step.since else None}
            for step in standing.steps
        ],
        "ended_at": ended.isoformat() if ended else None,
        "answered": not standing.silent,
        "note": standing.silent,
    }
