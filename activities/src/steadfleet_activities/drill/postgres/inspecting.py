"""Predict what will fail, by looking: nothing is made."""

import shutil
import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import psycopg

from steadfleet_activities.drill.drivers import Inspected
from steadfleet_activities.drill.postgres.backups import Backup
from steadfleet_activities.drill.postgres.folders import FOLDER, marker_of, run_folder
from steadfleet_activities.drill.postgres.points import point_of
from steadfleet_activities.drill.postgres.programs import BIN, ProgramError, Programs
from steadfleet_activities.drill.postgres.replicating import Source
from steadfleet_core.drill.plan import RecoveryPoint
from steadfleet_core.drill.report import Finding
from steadfleet_core.errors import RefusedError
from steadfleet_core.model import format_duration
from steadfleet_durable import unbroken

_ROOM = 2
"""How many times its own size a copy needs, with its WAL."""
_LOOK_TIME = timedelta(minutes=10)
_GIB = 2**30
_SIZE = """
SELECT sum(pg_database_size(oid)) FROM pg_database
WHERE datallowconn AND (has_database_privilege(oid, 'CONNECT') OR pg_has_role('pg_read_all_stats', 'MEMBER'))
"""
_MAY = "SELECT rolreplication OR rolsuper FROM pg_roles WHERE rolname = current_user"


@dataclass(frozen=True)
class Site:
    """Where copies are made: a folder and an address of this host."""

    programs: Programs
    folder: Path
    address: str


def inspect_host(site: Site, run: str, step: str) -> Inspected:
    """Look at this host. Blocks."""
    return Inspected(
        tuple(_host_findings(site, run, step)),
        (f"PostgreSQL's programs are on {socket.gethostname()}", f"{site.address} has a free port"),
    )


@dataclass(frozen=True)
class Wanted:
    """What a backup must give: a recovery point, seen from a moment, and its age."""

    point: RecoveryPoint
    at: datetime
    rpo: timedelta


async def inspect_backup(site: Site, backup: Backup, wanted: Wanted, step: str) -> Inspected:
    """Look at a backup and its archive, as far as that is possible without restoring it."""
    findings = [*await unbroken(_backup_findings, site, backup, wanted, step)]
    findings += await _verified(site, backup, step)
    try:
        await point_of(backup, wanted.point, wanted.at, site.programs)
    except RefusedError as error:
        findings.append(Finding(what=str(error), blocks=True, predicts=step))
    checked = f"the backup in {backup.folder}: its manifest, its size, and that its WAL is unbroken"
    return Inspected(tuple(findings), (checked,))


async def inspect_source(site: Site, source: Source, step: str) -> Inspected:
    """Look whether the source answers, and lets the user copy it."""
    findings = []
    try:
        async with await source.connect() as connection:
            version = connection.info.server_version // 10000
            findings += await _version_findings(site, version, source.place, step)
            if await _first(connection, _MAY) is not True:
                findings.append(_no_replication(source, step))
            size = await _first(connection, _SIZE)
            findings += _room(site.folder, int(str(size or 0)), step)
        async with await source.connect(replication=True):
            pass
    except RefusedError as error:
        findings.append(Finding(what=str(error), blocks=True, predicts=step))
    except psycopg.Error as error:
        what = f"{source.place} does not answer {source.store.user}: {str(error).strip()}"
        advice = "look whether it runs, and whether this worker's host may reach it"
        findings.append(Finding(what=what, blocks=True, predicts=step, advice=advice))
    return Inspected(tuple(findings), (f"{source.place} lets {source.store.user} copy it",))


def _host_findings(site: Site, run: str, step: str) -> Iterator[Finding]:
    if missing := site.programs.missing():
        yield Finding(
            what=f"{', '.join(missing)} not found on {socket.gethostname()}",
            blocks=True,
            predicts=step,
            advice=f"install PostgreSQL's server programs there, and set {BIN} to their folder",
        )
    try:
        socket.create_server((site.address, 0)).close()
    except OSError as error:
        yield Finding(
            what=f"no server can listen on {site.address}: {error}",
            blocks=True,
            predicts=step,
            advice="expected a loopback address of this host",
        )
    ours = run_folder(site.folder, run)
    marker = marker_of(ours)
    foreign = marker is None or marker.run != run
    if ours.exists() and foreign and any(ours.iterdir()):
        what = f"{ours} is not empty, and not this drill's"
        yield Finding(what=what, blocks=True, predicts=step, advice=f"move it away, or set {FOLDER}")


def _backup_findings(site: Site, backup: Backup, wanted: Wanted, step: str) -> Iterator[Finding]:
    if problem := backup.manifest_problem():
        advice = "take base backups with pg_basebackup, which writes a manifest"
        damaged = backup.manifest is not None
        yield Finding(what=f"{backup.base}: {problem}", blocks=damaged, predicts=step, advice=advice)
    yield from _room(site.folder, backup.size(), step)
    newest = backup.archive.newest_at()
    if wanted.point.latest and newest is not None and wanted.at - newest > wanted.rpo:
        age = format_duration(timedelta(seconds=int((wanted.at - newest).total_seconds())))
        rpo = format_duration(wanted.rpo)
        yield Finding(
            what=f"the newest WAL in {backup.wal} is {age} old, which is more than the RPO of {rpo}",
            predicts=step,
            advice="look whether the source still archives (pg_stat_archiver), and set its archive_timeout",
        )


async def _verified(site: Site, backup: Backup, step: str) -> list[Finding]:
    """Hold a plain backup against its manifest, but for the contents: those are read when it is restored."""
    if backup.plain is None or backup.manifest is None:
        return []
    try:
        await site.programs.run(
            *("pg_verifybackup", "--no-parse-wal", "--skip-checksums", "--quiet"),
            *("--manifest-path", backup.manifest, backup.plain),
            cwd=Path("/"),
            limit=_LOOK_TIME,
        )
    except ProgramError as error:
        what = f"{backup.plain} is not what its manifest says: {error.said}"
        return [Finding(what=what, blocks=True, predicts=step, advice="take another base backup")]
    except RefusedError:  # told of the host already
        return []
    return []


async def _version_findings(site: Site, wanted: int, what: str, step: str) -> list[Finding]:
    with suppress(RefusedError, ProgramError):
        here = await site.programs.major()
        if here != wanted:
            advice = f"install PostgreSQL {wanted} beside it, and set {BIN} to its folder"
            said = f"{what} is of PostgreSQL {wanted}, and the programs on this host are of {here}"
            return [Finding(what=said, blocks=True, predicts=step, advice=advice)]
    return []


def _room(folder: Path, size: int, step: str) -> list[Finding]:
    place = next(path for path in (folder, *folder.parents) if path.is_dir())
    free, needed = shutil.disk_usage(place).free, size * _ROOM
    if free >= needed:
        return []
    what = (
        f"{place} has {free / _GIB:.1f} GiB free: expected at least {needed / _GIB:.1f} GiB, twice the size"
    )
    return [
        Finding(what=what, blocks=True, predicts=step, advice=f"free some, or set {FOLDER} to another disk")
    ]


def _no_replication(source: Source, step: str) -> Finding:
    user = source.store.user
    return Finding(
        what=f"{user} may not copy {source.place}: it has not the attribute REPLICATION",
        blocks=True,
        predicts=step,
        advice=f'ALTER ROLE "{user}" REPLICATION, and a line for replication in its pg_hba.conf',
    )


async def _first(connection: psycopg.AsyncConnection[tuple[object, ...]], query: str) -> object:
    row = await (await connection.execute(query.encode())).fetchone()
    return row[0] if row else None
