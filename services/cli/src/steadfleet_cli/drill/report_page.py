"""A drill's report as one HTML page that needs no other file, for the night and for auditors."""

from collections.abc import Iterator, Sequence

from steadfleet_cli.drill import page_tables as tables
from steadfleet_cli.drill.breakdown import breakdown_svg, named, spent
from steadfleet_cli.drill.markup import (
    Html,
    element,
    facts,
    joined,
    listed,
    marked,
    moment,
    pairs,
    section,
    table,
    text,
    took,
    verdict_mark,
)
from steadfleet_cli.drill.objective_words import loss_words, recovery_words
from steadfleet_cli.drill.page_style import STYLE
from steadfleet_cli.drill.timeline import timeline_svg
from steadfleet_cli.drill.trend import (
    NAMES,
    drills_of,
    loss_points,
    measured,
    recovery_points,
    regressions,
)
from steadfleet_cli.drill.trend_picture import MOST_SHOWN, trend_svg
from steadfleet_core.drill.plan import Mode
from steadfleet_core.drill.report import DrillReport, DrillState, DrillStatus, Preflight


def write_page(report: DrillReport, past: Sequence[DrillReport] = ()) -> str:
    """
    Compose the page of a drill, with `past` ones of the same plan for its trend.

    Every word that comes from a report is escaped. The page is well-formed as XML too.
    """
    title = text(f"Drill {report.status.plan}: {overall_words(report.status)}")
    # The style is ours: in it, an escaped quote or sign would no longer be one.
    head = f'<meta charset="utf-8"/><title>{title}</title>\n<style>{STYLE}</style>'
    view = '<meta name="viewport" content="width=device-width, initial-scale=1"/>'
    body = joined("\n", (element("h1", title), *_parts(report, drills_of(report, past))))
    page = f'<html lang="en"><head>{head}\n{view}</head>\n<body>\n{body}\n</body></html>'
    return f"<!doctype html>\n{page}\n"


def overall_words(status: DrillStatus) -> str:
    """Say how a drill ended: one that was refused or broken off says so first."""
    words = status.judgement.words if status.judgement else status.state.value
    first = ""
    if status.state is DrillState.REFUSED:
        first = "refused before it began"
    elif status.aborted or status.state is DrillState.ABORTED:
        first = "aborted"
    elif status.mode is Mode.TABLETOP:
        first = "tabletop"
    return f"{first}, {words}" if first and words not in {"aborted", "refused"} else first or words


def _parts(report: DrillReport, past: Sequence[DrillReport]) -> Iterator[Html]:
    status = report.status
    yield _urgent(status)
    yield _verdicts(status)
    yield section("Objectives", _objectives(status), anchor="objectives")
    yield section("The drill", _head(report), anchor="drill")
    yield section("Timeline", *_timeline(report), anchor="timeline")
    yield section("Trend", *_trend(report, past), anchor="trend")
    yield section("Validations", tables.checks_table(status.validations), anchor="validations")
    isolation = tables.isolation_table(status.isolation, enforced=status.isolation_enforced)
    yield section("Isolation", isolation, anchor="isolation")
    yield section("Data", tables.loss_table(status), tables.ledgers_table(status), anchor="data")
    found = (tables.findings_table(status.findings), tables.skipped_table(status))
    yield section("Findings", *(found if any(found) else ("None.",)), anchor="findings")
    yield section("Preflight", *_preflight(status.preflight), anchor="preflight")
    yield section("Clean-up", *_cleanup(status), anchor="clean-up")
    yield section("What it recovers, from what", *tables.recovered_tables(status), anchor="recovered")


def _urgent(status: DrillStatus) -> Html:
    """Say first what somebody has to do now."""
    todo = [f"To put right: {one}" for one in status.obligations]
    todo += [f"Left behind: {one}" for one in status.residue]
    if not todo:
        return Html()
    return element("div", joined("\n", (element("strong", "Do now"), listed(todo))), class_="urgent")


def _verdicts(status: DrillStatus) -> Html:
    judgement = status.judgement
    if judgement is None:
        return element("p", joined(" ", (verdict_mark(None), status.reason)))
    judged = (judgement.recovery, judgement.data, judgement.cleanup, judgement.isolation)
    rows: list[tuple[object, ...]] = [
        (name, verdict_mark(one.verdict), listed(one.reasons))
        for name, one in zip(NAMES, judged, strict=True)
    ]
    rows.append(
        (
            "overall",
            marked(judgement.overall, judgement.words),
            "failed where any failed, else not proven where any is not",
        )
    )
    return table(("Verdict on", "", "Why"), rows, class_="verdicts")


def _objectives(status: DrillStatus) -> Html:
    return facts({"Recovery time": recovery_words(status), "Data loss": listed(loss_words(status))})


def _head(report: DrillReport) -> Html:
    status = report.status
    return facts(
        {
            "Plan": status.plan,
            "Run": element("code", status.run),
            "State": status.state.value,
            "Reason": status.reason,
            "Aborted": status.aborted,
            "Asked for by": status.requested_by or "nobody is named",
            "From": moment(status.started_at),
            "To": f"{moment(report.ended_at)}, {took(report.time)} in all",
            "Region": status.region,
            "Strategy": status.strategy.value,
            "Mode": f"{status.mode}{' (nothing was made)' if status.mode is Mode.TABLETOP else ''}",
            "RTO, RPO": f"{took(status.objectives.rto)}, {took(status.objectives.rpo)}",
            "Labels": pairs(status.labels),
            "Order": element("code", status.order),
        }
    )


def _timeline(report: DrillReport) -> Iterator[Html]:
    status, path = report.status, report.status.critical_path
    picture = timeline_svg(report)
    yield picture or element("p", "There is no picture: no step began.")
    if picture:
        yield element("p", _LEGEND)
    if path:
        yield element("p", f"Critical path: {named(path)}.", class_="path")
        yield element("p", f"The recovery time by phase: {spent(path)}.")
        yield breakdown_svg(path)
    yield tables.moments_table(report)
    yield tables.path_table(status)
    yield tables.steps_table(status)
    yield from tables.witness_tables(status)


_LEGEND = (
    "▸ and a thick edge: on the critical path. Hatched: stood before the clock started. "
    "Dashed edge: not done. "
    "Probes: a full bar is good, a low one bad. The band around the recovery is its uncertainty. "
    "On a grey ground time is not to scale. Times with a sign count from the declared start."
)


def _trend(report: DrillReport, past: Sequence[DrillReport]) -> Iterator[Html]:
    if not past:
        yield element("p", "This is the first drill of this plan: there is nothing to compare it with.")
        return
    drills = [*past, report]
    shown = drills[-MOST_SHOWN:]
    worse = regressions(report, past)
    yield listed(element("strong", f"Worse: {one}") for one in worse)
    yield Html() if worse else element("p", f"Nothing got worse, beside {_drills(len(past))} before.")
    if len(shown) < len(drills):
        yield element("p", f"The last {len(shown)} of {len(drills)} drills.")
    yield trend_svg(recovery_points(shown), "RTO", "recovery time")
    yield trend_svg(loss_points(shown), "RPO", "age of the oldest lost write")
    heading = ("Drill", "Run", "How", "Verdict", "Recovery time", "RTO", "Oldest lost write", "RPO")
    yield table(heading, map(_drill, shown))


def _drills(count: int) -> str:
    return "the one" if count == 1 else f"the {count}"


def _drill(report: DrillReport) -> tuple[object, ...]:
    status, loss = report.status, measured(report.status.losses)
    verdict = marked(status.overall, overall_words(status))
    kept = f"{loss.words} ({loss.lost} of {loss.acknowledged} lost)" if loss else "-"
    how = f"{status.mode}, {status.strategy}"
    when, rto, rpo = moment(status.started_at), took(status.objectives.rto), took(status.objectives.rpo)
    return when, element("code", status.run), how, verdict, took(status.recovery_time), rto, kept, rpo


def _preflight(preflight: Preflight | None) -> Iterator[Html]:
    if preflight is None:
        yield element("p", "There was none: the drill ended before it.")
        return
    blocking = len(preflight.blocking)
    said = f"findings: {len(preflight.findings)}, blocking: {blocking}"
    yield element("p", f"Looked at {moment(preflight.at)}: {said}.")
    yield tables.findings_table(preflight.findings)
    if preflight.checked:
        yield element("p", "Looked at, without touching anything:")
        yield listed(preflight.checked)


def _cleanup(status: DrillStatus) -> Iterator[Html]:
    yield element("p", f"Removed of what the drill made: {status.removed}.")
    yield listed(f"Left behind: {one}" for one in status.residue)
    yield listed(f"To put right: {one}" for one in status.obligations)
    if not status.residue and not status.obligations:
        yield element("p", "Nothing is left behind, nothing has to be put right.")
