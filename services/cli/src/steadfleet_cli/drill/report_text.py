"""A drill's report as text."""

from collections.abc import Iterator

from steadfleet_cli.drill.status_text import finding_text, headline, result_lines, words
from steadfleet_cli.output import clock, section
from steadfleet_core.drill.report import DrillReport


def report_text(report: DrillReport) -> str:
    return "\n".join(_lines(report))


def _lines(report: DrillReport) -> Iterator[str]:
    status = report.status
    yield headline(status)
    yield f"{status.mode} · {status.strategy} · in {status.region}" + (
        f" · run {status.run}" if status.run else ""
    )
    yield f"requested by {status.requested_by}; {clock(status.started_at)}, took {words(report.time)}"
    yield from (f"{key}: {value}" for key, value in status.labels.items())
    yield from result_lines(status, report.ended_at, ended=True)
    yield from section("findings", [finding_text(finding) for finding in status.findings])
    yield from section("to put right", status.obligations)
    yield from section("left behind", status.residue)
