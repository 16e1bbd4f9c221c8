"""What a drill's report holds, as tables: the pictures say nothing that is not in them."""

from collections.abc import Iterator
from datetime import datetime

from steadfleet_cli.drill.clock_scale import deciding
from steadfleet_cli.drill.markup import Html, element, joined, moment, pairs, table, took
from steadfleet_cli.drill.objective_words import silence_words
from steadfleet_cli.drill.trend import is_measured, reaches_no_further
from steadfleet_core.drill.measuring import DataLoss, Observation, SealedLedger, Stretch
from steadfleet_core.drill.order import ResolvedService, ResolvedStore
from steadfleet_core.drill.report import CheckResult, DrillReport, DrillStatus, Finding, IsolationResult
from steadfleet_core.drill.steps import StepProgress


def moments_table(report: DrillReport) -> Html:
    status, declared = report.status, report.status.declared_at
    known: dict[str, object] = {"drill began": moment(status.started_at, declared)}
    if declared is None:
        known["disaster declared"] = "never: the clock did not start"
    else:
        known["disaster declared"] = moment(declared)
        known["RTO"] = moment(declared + status.objectives.rto, declared)
        known["recovered"] = _recovered(status, declared)
    known["drill ended"] = moment(report.ended_at, declared)
    return table(("Moment", "At"), known.items())


def _recovered(status: DrillStatus, declared: datetime) -> str:
    if status.recovery_time is None:
        return "-"
    seen = deciding(status)
    sure = f" ± {took(seen.uncertainty)}, by {seen.service}" if seen else ""
    return f"{moment(declared + status.recovery_time, declared)}{sure}"


def steps_table(status: DrillStatus) -> Html:
    if not status.steps:
        return Html()
    critical = {segment.name for segment in status.critical_path}
    rows = (_step(status, one, critical=one.step.name in critical) for one in status.steps)
    return table(("Step", "State", "Began", "Ended", "Took", "About it"), rows)


def _step(status: DrillStatus, one: StepProgress, *, critical: bool) -> tuple[object, ...]:
    time = one.ended_at - one.started_at if one.started_at and one.ended_at else None
    name = element("strong", f"▸ {one.step.name}") if critical else one.step.name
    about = [
        "on the critical path" if critical else "",
        "stood before the clock started" if one.step.standing else "",
        f"after {', '.join(one.step.needs)}" if one.step.needs else "",
        one.reason,
        pairs(one.facts),
    ]
    tries = f", {one.attempts} attempts" if one.attempts != 1 else ""
    began, ended = (moment(at, status.declared_at) for at in (one.started_at, one.ended_at))
    return name, f"{one.state}{tries}", began, ended, took(time), joined("; ", about)


def path_table(status: DrillStatus) -> Html:
    if not status.critical_path:
        return Html()
    rows = (
        (
            one.name,
            one.phase,
            *(moment(at, status.declared_at) for at in (one.started_at, one.ended_at)),
            took(one.time),
        )
        for one in status.critical_path
    )
    return table(("Critical path", "Phase", "From", "To", "Time"), rows)


def witness_tables(status: DrillStatus) -> Iterator[Html]:
    for seen in status.observations:
        yield element("h3", f"Probes of {seen.service}")
        yield element("p", _watched(seen))
        if seen.stretches:
            rows = (_stretch(seen, one) for one in seen.stretches)
            yield table(("Answers", "Probes", "First", "Last", "Reason"), rows)


def _watched(seen: Observation) -> str:
    recovered = (
        f"recovered {moment(seen.recovered_at, seen.declared_at)}, "
        f"the first of the good row at {moment(seen.first_good_at, seen.declared_at)}"
        if seen.recovered_at
        else "did not recover"
    )
    return (
        f"{recovered}. {seen.probes} probes from {moment(seen.declared_at)} to "
        f"{moment(seen.last_probe_at, seen.declared_at)}, every {took(seen.interval)}; recovered means "
        f"{seen.successes} good ones in a row. Longest time without a probe: {took(seen.longest_gap)}."
    )


def _stretch(seen: Observation, one: Stretch) -> tuple[object, ...]:
    first, last = (moment(at, seen.declared_at) for at in (one.first_at, one.last_at))
    return "good" if one.good else "bad", one.count, first, last, one.reason


def checks_table(checks: tuple[CheckResult, ...]) -> Html:
    if not checks:
        return element("p", "No validation was carried out.")
    rows = ((one.name, one.type, _outcome(one), f"{one.seconds:.3g}s", one.reason) for one in checks)
    return table(("Validation", "Type", "Outcome", "Took", "Reason"), rows)


def _outcome(check: CheckResult) -> Html:
    if not check.proven:
        return element("span", "? not proven", class_="verdict not_proven")
    name, mark = ("passed", "✓") if check.passed else ("failed", "✗")
    return element("span", f"{mark} {name}", class_=f"verdict {name}")


def isolation_table(isolation: IsolationResult | None, *, enforced: bool) -> Html:
    rule = (
        "enforced: a way to production fails the drill" if enforced else "observed: a way is told, not failed"
    )
    if isolation is None:
        return element("p", f"It was not probed. Isolation is {rule}.")
    addresses = dict.fromkeys([*isolation.probed, *isolation.reached])
    rows = [
        (address, "REACHED" if address in isolation.reached else "not reached", _probe(isolation, address))
        for address in addresses
    ]
    told = joined(
        " ", (f"Isolation is {rule}.", isolation.problem or "", "" if rows else "Nothing was probed.")
    )
    return joined(
        "\n", (element("p", told), table(("Production address", "From inside", ""), rows) if rows else "")
    )


def _probe(isolation: IsolationResult, address: str) -> str:
    return "" if address in isolation.probed else "it is not among those that were probed"


def loss_table(status: DrillStatus) -> Html:
    if not status.losses:
        return element("p", "No data loss was measured.")
    heading = ("Store", "Ledger", "Lost", "Oldest lost", "Recovered", "More than once", "Ledger reaches back")
    return table((*heading, "Also"), (_loss(status, one) for one in status.losses))


def _loss(status: DrillStatus, loss: DataLoss) -> tuple[object, ...]:
    least = "at least " if reaches_no_further(loss) else ""
    newest = loss.newest_recovered_at
    also = [
        f"newest recovered {moment(newest, status.declared_at)}" if newest else "",
        f"{loss.unacknowledged} recovered that nobody had been told were safe" if loss.unacknowledged else "",
        silence_words(loss) if loss.uncertainty else "",
        loss.problem,
        "" if is_measured(loss) else "not measured",
    ]
    lost = f"{least}{loss.lost} of {loss.acknowledged}"
    age = f"{least}{took(loss.oldest_lost_age)}"
    numbers = (lost, age, loss.recovered, loss.duplicates, took(loss.covered))
    return loss.store, loss.ledger, *numbers, joined("; ", also)


def ledgers_table(status: DrillStatus) -> Html:
    if not status.ledgers:
        return element("p", "No ledger was sealed.")
    heading = ("Ledger", "Entries", "First", "Last", "Digest", "Problem")
    return table(heading, (_ledger(status, one) for one in status.ledgers))


def _ledger(status: DrillStatus, one: SealedLedger) -> tuple[object, ...]:
    first, last = (moment(at, status.declared_at) for at in (one.first_at, one.last_at))
    return one.name, one.entries, first, last, element("code", one.digest or "-"), one.problem


def findings_table(findings: tuple[Finding, ...]) -> Html:
    rows = [(("BLOCKS: " if one.blocks else "") + one.what, one.predicts, one.advice) for one in findings]
    return table(("Finding", "Will fail", "What to do"), rows) if rows else Html()


def skipped_table(status: DrillStatus) -> Html:
    rows = [(one.step, one.by, one.reason) for one in status.skipped]
    return table(("Skipped step", "By", "Reason"), rows) if rows else Html()


def recovered_tables(status: DrillStatus) -> Iterator[Html]:
    """Say exactly what was recovered, and from what."""
    if status.stores:
        stores = ("Store", "Source", "Engine", "Point", "From", "Copy", "Facts")
        yield table(stores, map(_store, status.stores))
    if status.services:
        services = ("Service", "Image", "Content", "Found at", "Facts")
        yield table(services, map(_service, status.services))


def _store(one: ResolvedStore) -> tuple[object, ...]:
    point = moment(one.point) if one.point else "live"
    return one.name, one.source, one.engine, point, one.point_id, one.copy_id, pairs(one.facts)


def _service(one: ResolvedService) -> tuple[object, ...]:
    content = element("code", one.content) if one.content else "-"
    return one.name, one.image, content, f"{one.address}:{one.port}", pairs(one.facts)
