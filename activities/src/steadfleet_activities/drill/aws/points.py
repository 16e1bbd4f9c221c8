"""Which recovery point is meant: a snapshot, or a time between two. Pure."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from steadfleet_activities.drill.aws.sources import Backup, Window
from steadfleet_core.drill.plan import RecoveryPoint, utc
from steadfleet_core.errors import RefusedError


@dataclass(frozen=True)
class Point:
    """`backup` is None where the source's log is replayed up to `at`."""

    at: datetime
    backup: Backup | None = None
    window: Window | None = None


@dataclass(frozen=True)
class Points:
    """What there is of one source: snapshots, newest first, and where any time can be restored."""

    store: str
    backups: Sequence[Backup]
    window: Window | None

    def chosen(self, wanted: RecoveryPoint, run: str, now: datetime) -> Point:
        """Choose; the same run draws the same. Raises `RefusedError` where there is nothing to choose."""
        if wanted.at is not None:
            return self._at(wanted.at)
        if wanted.random_within is not None:
            return self._drawn(now - wanted.random_within, now, run)
        return self._latest()

    def _latest(self) -> Point:
        newest = self.backups[0] if self.backups else None
        if self.window and (newest is None or self.window.latest > newest.taken_at):
            return Point(self.window.latest, window=self.window)
        if newest is None:
            raise self._nothing("a finished snapshot")
        return Point(newest.taken_at, newest)

    def _at(self, moment: datetime) -> Point:
        if self.window and self.window.earliest <= moment <= self.window.latest:
            return Point(moment, window=self.window)
        earlier = [one for one in self.backups if one.taken_at <= moment]
        if not earlier:
            raise self._nothing(f"a snapshot not later than {utc(moment)}")
        return Point(earlier[0].taken_at, earlier[0])

    def _drawn(self, earliest: datetime, latest: datetime, run: str) -> Point:
        fraction = int.from_bytes(hashlib.sha256(f"{run}/{self.store}".encode()).digest()[:8]) / 2**64
        if self.window and self.window.latest >= earliest:
            first, last = max(earliest, self.window.earliest), min(latest, self.window.latest)
            # Whole seconds: RDS takes no others.
            span = timedelta(seconds=int((last - first).total_seconds() * fraction))
            return Point(max(first, (first + span).replace(microsecond=0)), window=self.window)
        among = [one for one in self.backups if earliest <= one.taken_at <= latest]
        if not among:
            raise self._nothing(f"a snapshot between {utc(earliest)} and {utc(latest)}")
        one = among[int(fraction * len(among))]
        return Point(one.taken_at, one)

    def _nothing(self, expected: str) -> RefusedError:
        newest = f"the newest is of {utc(self.backups[0].taken_at)}" if self.backups else "there is none"
        return RefusedError(
            f"store {self.store}: expected {expected}, at home or in the recovery region, and {newest}: "
            "turn on its backups, copy them to the recovery region, or choose another recoveryPoint"
        )
