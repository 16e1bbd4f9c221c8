"""What was measured, held against the objectives: the two lines that everybody asks for first."""

from collections.abc import Iterator

from steadfleet_cli.drill.clock_scale import deciding
from steadfleet_cli.drill.markup import took
from steadfleet_cli.drill.trend import is_measured, reaches_no_further
from steadfleet_core.drill.measuring import DataLoss
from steadfleet_core.drill.report import DrillStatus


def recovery_words(status: DrillStatus) -> str:
    """Say the recovery time, how sure it is, and how it stands against the RTO."""
    rto = status.objectives.rto
    if status.recovery_time is None:
        return f"no recovery time: {_unrecovered(status)}; RTO {took(rto)}"
    seen = deciding(status)
    sure = f"± {took(seen.uncertainty)}, by the witness" if seen else "by the steps' own times, no witness"
    spare = rto - status.recovery_time
    against = f"{took(spare)} to spare" if spare.total_seconds() >= 0 else f"{took(-spare)} too long"
    doubt = ", nearer than the witness can tell" if seen and abs(spare) < seen.uncertainty else ""
    return f"{took(status.recovery_time)} ({sure}); RTO {took(rto)}: {against}{doubt}"


def _unrecovered(status: DrillStatus) -> str:
    if status.declared_at is None:
        return "the clock never started"
    known = {seen.service for seen in status.observations if seen.recovered_at}
    missing = [service.name for service in status.services if service.name not in known]
    return f"{', '.join(missing)} did not recover" if missing else "not every step was done"


def loss_words(status: DrillStatus) -> Iterator[str]:
    """Say what each store lost, and how that stands against the RPO."""
    known = {loss.store: loss for loss in status.losses}
    names = dict.fromkeys([*(store.name for store in status.stores), *known])
    for name in names:
        yield f"{name}: {_kept(known.get(name))}; RPO {took(status.objectives.rpo)}"
    if not names:
        yield f"no stores, no data to lose; RPO {took(status.objectives.rpo)}"


def silence_words(loss: DataLoss) -> str:
    """Say what the ledger leaves open: nothing was written then, or nothing was noted."""
    silent = took(loss.uncertainty)
    if loss.lost:
        return f"it may be {silent} older, as long was the ledger silent before"
    return f"of the last {silent} before the declared start the ledger says nothing"


def _kept(loss: DataLoss | None) -> str:
    if loss is None:
        return "not measured"
    if not is_measured(loss):
        return f"not measured: {loss.problem or 'its ledger is empty'}"
    more = f", {loss.duplicates} there more than once" if loss.duplicates else ""
    more += f"; {silence_words(loss)}" if loss.uncertainty else ""
    if not loss.lost:
        return (
            f"lost none of {loss.acknowledged} acknowledged writes, known for {took(loss.covered)} back{more}"
        )
    least = "at least " if reaches_no_further(loss) else ""
    why = f" (the ledger reaches back {took(loss.covered)} only)" if least else ""
    lost = f"lost {least}{loss.lost} of {loss.acknowledged} acknowledged writes"
    return f"{lost}, the oldest {least}{took(loss.oldest_lost_age)} old{why}{more}"
