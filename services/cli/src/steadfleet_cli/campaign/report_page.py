"""A campaign's report as one HTML page that needs no other file."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from html import escape
from pathlib import Path

from steadfleet_cli.campaign.reading import Standing
from steadfleet_cli.campaign.status_text import counts_text, wave_state
from steadfleet_cli.campaign.timeline import timeline_svg
from steadfleet_cli.exits import CommandError, ExitCode
from steadfleet_cli.output import clock, whole
from steadfleet_core.campaign.report import CampaignStatus
from steadfleet_core.model import format_duration

_STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .25rem .75rem .25rem 0; }
th { border-bottom: 1px solid #8888; } td { border-bottom: 1px solid #8883; vertical-align: top; }
code { font-size: .9em; overflow-wrap: anywhere; } h2 { margin-top: 2rem; }
svg { width: 100%; height: auto; } svg text { font: 12px system-ui, sans-serif; fill: currentColor; }
.tick { text-anchor: middle; opacity: .7; } .grid { stroke: #8884; } .failed { fill: #c62828; }
.changing { fill: #1976d2; } .baking { fill: #f9a825; }
.restoring { fill: #8e24aa; } .receipt { fill: #2e7d32; }
.key-changing { color: #1976d2; } .key-baking { color: #f9a825; } .key-restoring { color: #8e24aa; }
.key-receipt { color: #2e7d32; } .key-failed { color: #c62828; }
""".strip()

_LEGEND = {"changing": "■", "baking": "■", "restoring": "■", "failed": "✗", "receipt": "●"}


def write_page(standing: Standing, file: Path) -> str:
    """Write the page; return what to tell."""
    try:
        file.write_text(report_page(standing), encoding="utf-8")
    except OSError as error:
        raise CommandError(f"report {file}: {error.strerror}", ExitCode.USAGE, "name another file") from error
    return f"report of campaign {standing.status.name} written to {file}"


def report_page(standing: Standing, now: datetime | None = None) -> str:
    """Compose the page; every word that comes from a campaign is escaped."""
    status, end = standing.status, standing.ended_at or now or datetime.now(UTC)
    title = escape(f"Campaign {status.name}: {status.state}")
    parts = [
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
        f"<title>{title}</title>\n<style>{_STYLE}</style></head><body>",
        f"<h1>{title}</h1>",
        f"<p>{escape(status.reason)}</p>" if status.reason else "",
        _facts(standing, end),
        "<h2>Timeline</h2>",
        timeline_svg(status, standing.started_at, end),
        _legend(),
        *_sections(status),
        "</body></html>",
    ]
    return "\n".join(filter(None, parts)) + "\n"


def _facts(standing: Standing, end: datetime) -> str:
    status = standing.status
    took = format_duration(whole(end - standing.started_at))
    ended = clock(end) if standing.ended_at else f"still open at {clock(end)}"
    facts = {
        "Fleet": status.fleet,
        "Image": status.image,
        "Plan": status.plan or "never frozen",
        "Order": status.order,
        "Requested by": status.requested_by,
        "Hosts": counts_text(status.counts),
        "From": clock(standing.started_at),
        "To": f"{ended}, {took} in all",
    }
    return _table((), facts.items())


def _legend() -> str:
    keys = (f'<span class="key-{kind}">{sign}</span> {kind}' for kind, sign in _LEGEND.items())
    return f"<p>{' &nbsp; '.join(keys)}. Times are UTC.</p>"


def _sections(status: CampaignStatus) -> Iterator[str]:
    waves = [
        (w.number, w.counts.total, w.counts.changed, w.counts.failed, w.counts.restored, wave_state(w))
        for w in status.waves
    ]
    yield _section("Waves", ("Wave", "Hosts", "Changed", "Failed", "Restored", "State"), waves)
    failures = [(f.host, f.zone, f.wave, f.reason, "yes" if f.restored else "NO") for f in status.failures]
    yield _section("Failures", ("Host", "Zone", "Wave", "Reason", "Restored"), failures)
    yield _section("To put right", (), [(obligation,) for obligation in status.obligations])
    approvals = [(clock(a.at), a.by, a.reason, a.plan) for a in status.approvals]
    yield _section("Approvals", ("At", "By", "Reason", "Plan"), approvals)
    receipts = [(clock(r.at), r.verb, r.by, r.reason, r.state, r.effect) for r in status.receipts]
    yield _section("Receipts", ("At", "Verb", "By", "Reason", "While", "Then"), receipts)
    yield _section("Warnings", (), [(warning,) for warning in status.warnings])


def _section(title: str, heading: tuple[str, ...], rows: Sequence[tuple[object, ...]]) -> str:
    return f"<h2>{title}</h2>\n{_table(heading, rows)}" if rows else ""


def _table(heading: tuple[str, ...], rows: Iterable[Iterable[object]]) -> str:
    head = f"<tr>{''.join(f'<th>{escape(cell)}</th>' for cell in heading)}</tr>" if heading else ""
    body = "\n".join(f"<tr>{''.join(f'<td>{escape(str(cell))}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table>{head}\n{body}</table>"
