"""Restore a base backup with its archive into an empty folder, and bring it up."""

from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from steadfleet_activities.drill.drivers import Facts, Say
from steadfleet_activities.drill.postgres.backups import Backup, BackupError, MissingWalError
from steadfleet_activities.drill.postgres.programs import ProgramError
from steadfleet_activities.drill.postgres.server import NotReadyError, Server, ServerEndedError, writable
from steadfleet_activities.drill.postgres.settings import Replay
from steadfleet_activities.drill.postgres.wal import Reach, Segment, end_of
from steadfleet_core.drill.plan import utc
from steadfleet_core.model import Model
from steadfleet_durable import unbroken

_STOPPED_EARLY = "recovery ended before configured recovery target was reached"
_TOO_EARLY = "requested recovery stop point is before consistent recovery point"
_INCOMPLETE = "WAL ends before"


class _Expected(Model):
    """The last segment that the archive had when its replay began."""

    timeline: int
    number: int
    size: int


@dataclass(frozen=True)
class Restore:
    """What is restored: up to a moment, or the latest. `promised` is what the archive was seen to have."""

    backup: Backup
    until: datetime | None
    promised: datetime | None
    limit: timedelta


async def restore(server: Server, what: Restore, say: Say) -> Facts:
    """Bring the data up until the server takes writes; call it again after a crash, and it goes on.

    Raises:
        BackupError: the backup is damaged, or its archive does not reach what was asked for.
    """
    replay = Replay(what.backup.wal, what.until)
    if not server.data.exists():
        await _copy(server, what, replay, say)
    if not server.running:
        say("replaying WAL")
    try:
        await server.start(replay)
        await server.until(writable, what.limit, "all of its WAL was replayed")
    except ServerEndedError as error:
        raise _explained(error, what) from error
    facts = await _reached(server)
    await _hold_against_archive(server, what, facts)
    return facts


def reach_of(backup: Backup) -> Reach:
    """Say how far the archive goes; MissingWalError if it does not even begin. Blocks."""
    reach = backup.archive.reach(backup.first)
    if reach.last is None:
        raise MissingWalError(
            f"{backup.wal or backup.folder} does not have {backup.first.name}, with which the base backup "
            "begins: expected all WAL from there on; without it the backup is worth nothing"
        )
    return reach


def refuse_gap(reach: Reach, archive: Path | None) -> None:
    if reach.missing is not None:
        missing, newest = reach.missing.name, reach.newest.name if reach.newest else "?"
        raise MissingWalError(
            f"{archive} has no {missing}, although it goes on to {newest}: all that was committed from there "
            "on would be lost; look for the segment, or take a new base backup"
        )


async def _copy(server: Server, what: Restore, replay: Replay, say: Say) -> None:
    reach = await unbroken(reach_of, what.backup)
    if what.until is None:
        refuse_gap(reach, what.backup.wal)
    say("unpacking the base backup")
    part = await server.empty_part()
    await _unpack(server, what, part)
    if what.backup.manifest is not None:
        say("verifying the base backup")
        await _verify(server, what, part, what.backup.manifest)
    await server.configure(part, replay)
    for name in ("standby.signal", "postmaster.pid", "postmaster.opts"):
        (part / name).unlink(missing_ok=True)
    server.programs.write(part / "recovery.signal", "")
    if what.until is None and reach.last is not None:
        _expect(server, reach.last)
    part.rename(server.data)  # from here on it is whole: an attempt that finds it only starts it


async def _unpack(server: Server, what: Restore, part: Path) -> None:
    backup, programs = what.backup, server.programs
    try:
        if backup.plain is not None:
            await programs.copy(backup.plain, part, what.limit)
        if backup.tar is not None and backup.plain is None:
            await programs.unpack(backup.tar, part, what.limit)
        if backup.wal_tar is not None:
            wal = part / "pg_wal"
            wal.mkdir(mode=0o700, exist_ok=True)
            await programs.unpack(backup.wal_tar, programs.own(wal), what.limit)
    except ProgramError as error:
        if "No space left" in error.said:
            raise
        raise BackupError(f"{backup.base} cannot be unpacked: {error.said}") from error
    await unbroken(part.chmod, 0o700)


async def _verify(server: Server, what: Restore, part: Path, manifest: Path) -> None:
    # The copy, not the original: so it is read once, and what the way here damaged is noticed too.
    try:
        await server.programs.run(
            *("pg_verifybackup", "--no-parse-wal", "--quiet", "--manifest-path", manifest, part),
            cwd=server.folder,
            limit=what.limit,
        )
    except ProgramError as error:
        raise BackupError(
            f"{what.backup.base} is not what its manifest says: {error.said}; it must not be restored: take "
            "another base backup"
        ) from error


async def _reached(server: Server) -> Facts:
    (replayed,) = await server.ask("SELECT pg_last_xact_replay_timestamp()")
    last = replayed or server.last_commit()
    end = await unbroken(end_of, server.data)
    facts = {"last_commit": last.astimezone(UTC).isoformat() if last else "none since the base backup"}
    if end is not None:
        facts["wal_position"] = f"{end[1] >> 32:X}/{end[1] & 0xFFFFFFFF:X}"
    return facts


async def _hold_against_archive(server: Server, what: Restore, facts: Facts) -> None:
    """Notice that there was more: a damaged segment looks to PostgreSQL like the end of WAL."""
    if what.until is not None:
        facts["recovered_to"] = what.until.astimezone(UTC).isoformat()
        return  # PostgreSQL itself promotes at the moment asked for, or not at all
    end = await unbroken(end_of, server.data)
    last = await unbroken(_expected, server)
    behind = end is None or end[1] <= last.start
    late = None
    with suppress(ValueError):
        late = datetime.fromisoformat(facts["last_commit"])
    short = what.promised is not None and (late is None or late < what.promised)
    if behind or short:
        await server.discard()
        until = f", with commits until {utc(what.promised)}" if what.promised else ""
        raise MissingWalError(
            f"the copy ended at {facts.get('wal_position')} (last commit {facts['last_commit']}), although "
            f"{what.backup.wal} goes on to {last.name}{until}: a segment is damaged or cannot be read; "
            "expected all of it to be replayed"
        )


def _expect(server: Server, last: Segment) -> None:
    # Kept, for a later attempt would see an archive that has gone on since.
    server.programs.write(server.folder / "expected.json", _Expected(**asdict(last)).model_dump_json())


def _expected(server: Server) -> Segment:
    said = _Expected.model_validate_json((server.folder / "expected.json").read_text())
    return Segment(said.timeline, said.number, said.size)


def _explained(error: ServerEndedError, what: Restore) -> Exception:
    backup = what.backup
    if _STOPPED_EARLY in error.log:
        reach = reach_of(backup)
        gap = f": {reach.missing.name} is not there" if reach.missing else ""
        asked = utc(what.until) if what.until else "its end"
        return MissingWalError(
            f"{backup.wal} ends before {asked}, which was asked for{gap}; expected all WAL up to a commit "
            f"after that moment: look for what is missing, or choose an earlier one ({error.log[-400:]})"
        )
    if _TOO_EARLY in error.log:
        return BackupError(
            f"the base backup in {backup.folder} had not ended at the moment asked for: choose a later"
        )
    if _INCOMPLETE in error.log:
        return MissingWalError(f"{backup.wal} ends before the base backup itself did: {error.log[-400:]}")
    return NotReadyError(str(error))
