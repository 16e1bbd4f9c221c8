"""What the witness saw, and what it says of recovery time and data loss."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from steadfleet_core.model import Digest, Duration, Model


class Sample(Model):
    """One probe: when it began, and whether the service answered as it should."""

    at: datetime
    good: bool
    reason: str = ""


class Stretch(Model):
    """Probes in a row with the same answer: all that has to be kept of them."""

    good: bool
    first_at: datetime
    last_at: datetime
    count: int = 1
    reason: str = ""


def stretched(stretches: Sequence[Stretch], sample: Sample) -> tuple[Stretch, ...]:
    """Append a sample to what is kept."""
    last = stretches[-1] if stretches else None
    if last is not None and last.good == sample.good and (sample.good or last.reason == sample.reason):
        longer = last.model_copy(update={"last_at": sample.at, "count": last.count + 1})
        return (*stretches[:-1], longer)
    new = Stretch(good=sample.good, first_at=sample.at, last_at=sample.at, reason=sample.reason)
    return (*stretches, new)


class Observation(Model):
    """What the witness saw of one service, by its own clock.

    `recovered_at` is the k-th success in a row after the declared start, and `first_good_at` the first
    of that row. `interval` is the uncertainty of both. `longest_gap` is the longest time between two
    probes: where it exceeds the interval by far, the witness was blind.
    """

    service: str
    declared_at: datetime
    interval: Duration
    successes: int
    first_good_at: datetime | None = None
    recovered_at: datetime | None = None
    last_probe_at: datetime | None = None
    probes: int = 0
    longest_gap: Duration = timedelta(0)
    stretches: tuple[Stretch, ...] = ()

    @property
    def recovery_time(self) -> timedelta | None:
        return self.recovered_at - self.declared_at if self.recovered_at else None

    @property
    def uncertainty(self) -> timedelta:
        """How far off the recovery time may be: a probe interval, or the longest gap there was."""
        return max(self.interval, self.longest_gap)

    def seen(self, sample: Sample) -> "Observation":
        """Add a probe."""
        if self.recovered_at is not None:
            return self
        stretches = stretched(self.stretches, sample)
        last = stretches[-1]
        row = _good_row(stretches)
        done = sample.good and row[0] >= self.successes
        gap = sample.at - (self.last_probe_at or self.declared_at)
        return self.model_copy(
            update={
                "stretches": stretches[-MOST_STRETCHES:],
                "probes": self.probes + 1,
                "last_probe_at": last.last_at,
                "longest_gap": max(self.longest_gap, gap),
                "first_good_at": row[1] if done else None,
                "recovered_at": sample.at if done else None,
            }
        )


MOST_STRETCHES = 100
"""That are kept of one service: a service that flaps for hours must fit into a payload."""


def _good_row(stretches: Sequence[Stretch]) -> tuple[int, datetime | None]:
    last = stretches[-1]
    return (last.count, last.first_at) if last.good else (0, None)


class LedgerEntry(Model):
    """One write: acknowledged by the database, and then noted and fsynced by the witness."""

    sequence: int
    acknowledged_at: datetime


class SealedLedger(Model):
    """A ledger as it stood when disaster was declared: the entries lie by digest in the object store."""

    name: str
    digest: Digest | None = None
    entries: int = 0
    first_at: datetime | None = None
    last_at: datetime | None = None
    problem: str = ""


class DataLoss(Model):
    """Acknowledged and not recovered: how many, and how old the oldest was when disaster was declared.

    `duplicates` are rows beyond the first of a write; `unacknowledged` were recovered although nobody
    had been told that they were safe, which is no loss. `covered` is how far the ledger reaches back:
    of what lies before it nothing is known. `uncertainty` is how much older a lost write may be than
    `oldest_lost_age`: the time before the oldest that is known to be lost, back to a recovered one, in
    which the ledger says nothing; if none is lost, the time since its last entry.
    """

    store: str
    ledger: str
    acknowledged: int
    recovered: int
    lost: int
    oldest_lost_age: Duration = timedelta(0)
    newest_recovered_at: datetime | None = None
    duplicates: int = 0
    unacknowledged: int = 0
    covered: Duration = timedelta(0)
    uncertainty: Duration = timedelta(0)
    problem: str = ""


def loss_of(
    store: str,
    ledger: str,
    acknowledged: Iterable[LedgerEntry],
    recovered: Sequence[int],
    declared_at: datetime,
) -> DataLoss:
    """Hold what was acknowledged before the declared start against the sequence numbers found."""
    known = {
        entry.sequence: entry.acknowledged_at
        for entry in acknowledged
        if entry.acknowledged_at <= declared_at
    }
    found = set(recovered)
    lost = [at for sequence, at in known.items() if sequence not in found]
    kept = [at for sequence, at in known.items() if sequence in found]
    oldest = min(lost, default=declared_at)
    before = max((at for at in kept if at <= oldest), default=oldest)
    return DataLoss(
        store=store,
        ledger=ledger,
        acknowledged=len(known),
        recovered=len(kept),
        lost=len(lost),
        oldest_lost_age=declared_at - oldest,
        newest_recovered_at=max(kept, default=None),
        duplicates=len(recovered) - len(found),
        unacknowledged=len(found - known.keys()),
        covered=declared_at - min(known.values(), default=declared_at),
        uncertainty=oldest - before,
    )
