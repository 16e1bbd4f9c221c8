"""Which moment a restore recovers."""

from dataclasses import dataclass
from datetime import datetime
from random import Random

from steadfleet_activities.drill.postgres.backups import Backup, BackupError
from steadfleet_activities.drill.postgres.programs import BIN, Programs
from steadfleet_activities.drill.postgres.restoring import reach_of, refuse_gap
from steadfleet_core.drill.plan import RecoveryPoint, utc
from steadfleet_durable import unbroken


@dataclass(frozen=True)
class Span:
    """The moments that a backup can be restored to; `last` is the time of the archive's last commit."""

    first: datetime | None
    last: datetime | None


async def span_of(backup: Backup, programs: Programs) -> Span:
    """Look at how far unbroken WAL goes; `BackupError` if the backup cannot be restored at all."""
    await _refuse_other_version(backup, programs)
    reach = await unbroken(reach_of, backup)
    archive = backup.archive
    last = await archive.last_commit(programs, reach.last, backup.first) if reach.last else None
    return Span(await unbroken(backup.ended_at), last)


async def point_of(
    backup: Backup, wanted: RecoveryPoint, at: datetime, programs: Programs
) -> datetime | None:
    """
    Return the moment that is recovered, or, of the latest, the one that the archive promises.

    A random moment depends on `at` alone, so that stores which have it all recover the same one.
    """
    span = await span_of(backup, programs)
    if wanted.latest:
        refuse_gap(await unbroken(reach_of, backup), backup.wal)
        return span.last
    if wanted.at is not None:
        return _within(backup, span, wanted.at)
    if wanted.random_within is None or span.last is None:
        raise BackupError(f"{backup.wal or backup.folder} has no commit: there is no moment to choose from")
    moment = at - wanted.random_within * Random(at.isoformat()).random()  # noqa: S311 - not for secrecy
    earliest = max(span.first or at - wanted.random_within, at - wanted.random_within)
    if earliest >= span.last:
        raise BackupError(
            f"{backup.folder} can be restored from {utc(earliest)} to {utc(span.last)}: expected a moment "
            "between them; widen randomWithin, or look why the archive has nothing newer"
        )
    if earliest <= moment < span.last:
        return moment
    return earliest + (span.last - earliest) * ((at - moment) / wanted.random_within)


async def _refuse_other_version(backup: Backup, programs: Programs) -> None:
    here, wanted = await programs.major(), backup.label.major
    if wanted is not None and here != wanted:
        raise BackupError(
            f"the backup in {backup.folder} is of PostgreSQL {wanted}, and the programs on this host are of "
            f"{here}: install PostgreSQL {wanted}, and set {BIN} to the folder of its programs"
        )


def _within(backup: Backup, span: Span, moment: datetime) -> datetime:
    # PostgreSQL refuses a moment after which there is no commit: nobody knows whether that was all.
    first, last = span.first, span.last
    if (first is not None and moment < first) or last is None or moment >= last:
        reach = reach_of(backup)
        gap = f" ({reach.missing.name} is missing)" if reach.missing else ""
        begin, end = (utc(one) if one else "?" for one in (first, last))
        raise BackupError(
            f"{backup.folder} cannot be restored to {utc(moment)}: it reaches from {begin} to {end}{gap}; "
            "choose a moment between, or look for what is missing"
        )
    return moment
