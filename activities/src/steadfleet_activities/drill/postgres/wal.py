"""An archive of WAL: which segments it has, where it breaks off, and what its last commit is."""

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from steadfleet_activities.drill.postgres.programs import ProgramError, Programs

_SEGMENT = re.compile(r"([0-9A-F]{8})([0-9A-F]{8})([0-9A-F]{8})")
_HISTORY = re.compile(r"([0-9A-F]{8})\.history")
_PACKED = re.compile(r"[0-9A-F]{24}\.(gz|bz2|xz|zst|lz4)")
_BRANCH = re.compile(r"^\s*(\d+)\s+([0-9A-F]+/[0-9A-F]+)", re.MULTILINE)
_COMMIT = re.compile(r"desc: (?:COMMIT|ABORT)\S* (?:\S+: )?(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?) UTC")
_LOOKED_BACK = 32
"""How many segments are read for a commit: one that was forced by a timeout may have none."""
_DUMP_TIME = timedelta(minutes=1)


def position(lsn: str) -> int:
    """Turn `16/B374D848` into a number of bytes."""
    high, low = lsn.split("/")
    return (int(high, 16) << 32) + int(low, 16)


@dataclass(frozen=True, order=True)
class Segment:
    """A file of WAL: its timeline, and its number counted from the first of all."""

    timeline: int
    number: int
    size: int

    @classmethod
    def named(cls, name: str, size: int) -> "Segment | None":
        match = _SEGMENT.fullmatch(name)
        if match is None:
            return None
        timeline, log, low = (int(part, 16) for part in match.groups())
        return cls(timeline, log * (2**32 // size) + low, size)

    @property
    def name(self) -> str:
        log, low = divmod(self.number, 2**32 // self.size)
        return f"{self.timeline:08X}{log:08X}{low:08X}"

    @property
    def start(self) -> int:
        return self.number * self.size


@dataclass(frozen=True)
class Reach:
    """How far unbroken WAL goes from a backup on. `missing` is the first segment that is not there."""

    last: Segment | None
    newest: Segment | None
    missing: Segment | None = None


class Archive:
    """A folder of segments, looked at once; `beside` are segments that the backup has itself."""

    def __init__(self, folder: Path | None, beside: Iterable[tuple[str, int]] = ()) -> None:
        self.folder = folder
        names = [(path.name, path) for path in folder.iterdir()] if folder and folder.is_dir() else []
        self.packed = next((name for name, _ in names if _PACKED.fullmatch(name)), None)
        self.archived = [
            one for name, path in names if _SEGMENT.fullmatch(name) and (one := _segment(path)) is not None
        ]
        own = (Segment.named(name, size) for name, size in beside)
        self.segments = {*self.archived, *filter(None, own)}
        self._histories = {
            int(found[1], 16): path for name, path in names if (found := _HISTORY.fullmatch(name))
        }

    def reach(self, first: Segment) -> Reach:
        """Follow the segments from a backup's first one, over to the newest timeline that comes of it."""
        line = self._line(first.timeline)
        there: dict[int, Segment] = {}
        for segment in sorted(self.segments):
            end = line.get(segment.timeline, -1)
            if segment.size == first.size and first.number <= segment.number and segment.start <= end:
                there[segment.number] = segment  # the newest timeline's, for it is sorted
        newest = there[max(there)] if there else None
        number = first.number
        while number in there:
            number += 1
        if newest is not None and number > newest.number:
            return Reach(newest, newest)
        missing = Segment(first.timeline, number, first.size)
        return Reach(there.get(number - 1), newest, missing)

    def newest_at(self) -> datetime | None:
        """Return when the newest segment was put here."""
        if self.folder is None or not self.archived:
            return None
        newest = max(self.archived, key=lambda one: (one.number, one.timeline))
        return datetime.fromtimestamp((self.folder / newest.name).stat().st_mtime, UTC)

    async def last_commit(self, programs: Programs, last: Segment, first: Segment) -> datetime | None:
        """Return the time of the last transaction up to a segment; None where none is found."""
        names = {segment.number: segment.name for segment in sorted(self.archived)}
        for number in range(last.number, max(first.number, last.number - _LOOKED_BACK) - 1, -1):
            if self.folder is not None and number in names:
                found = await _commits(programs, self.folder / names[number])
                if found:
                    return max(found)
        return None

    def _line(self, timeline: int) -> dict[int, float]:
        """Return the newest timeline that descends from this one, with its ancestors, and where each ends."""
        newest = timeline
        while newest + 1 in self._histories:  # as PostgreSQL looks for it
            newest += 1
        while newest > timeline and timeline not in self._branches(newest):
            newest -= 1
        return {**self._branches(newest), newest: float("inf")}

    def _branches(self, timeline: int) -> dict[int, float]:
        if timeline not in self._histories:
            return {}
        text = self._histories[timeline].read_text()
        return {int(parent): float(position(lsn)) for parent, lsn in _BRANCH.findall(text)}


def end_of(data: Path) -> tuple[int, int] | None:
    """Return the timeline and position at which this server's recovery ended, from its newest history."""
    histories = sorted(path for path in (data / "pg_wal").iterdir() if _HISTORY.fullmatch(path.name))
    branches = _BRANCH.findall(histories[-1].read_text()) if histories else []
    return (int(branches[-1][0]), position(branches[-1][1])) if branches else None


def _segment(path: Path) -> Segment | None:
    with suppress(OSError, ZeroDivisionError):
        return Segment.named(path.name, path.stat().st_size)
    return None


async def _commits(programs: Programs, segment: Path) -> list[datetime]:
    # It fails at the end of a segment that is not full, and says all the same what it has read before.
    try:
        said = await programs.run(
            "pg_waldump",
            "--rmgr=Transaction",
            segment,
            cwd=segment.parent,
            limit=_DUMP_TIME,
            env={"TZ": "UTC"},
        )
    except ProgramError as error:
        said = error.written
    return list(_times(said))


def _times(said: str) -> Iterator[datetime]:
    for found in _COMMIT.findall(said):
        yield datetime.fromisoformat(found).replace(tzinfo=UTC)
