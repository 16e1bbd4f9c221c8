"""What the witness knows to be safe: a journal of acknowledged writes, fsynced line by line.

A ledger's folder holds segments, each named after its first sequence number, and `reserved`: numbers
up to that one may have been used, whatever became of them, so none is ever used again.
"""

import os
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import IO

from steadfleet_activities.drill.witness.durable_files import sync_folder, write_durably
from steadfleet_core.drill.measuring import LedgerEntry
from steadfleet_core.errors import RefusedError

SEGMENT_LINES = 10_000
RESERVED_AT_ONCE = 1_000
_RESERVED = "reserved"
_ENDING = ".journal"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Journal:
    """
    One ledger's journal; its folder has one writer.

    A line counts with its newline only: a write that tore is as if it had not been. `sealed` and
    `acknowledge` exclude each other, so no entry can appear later with a time before a seal.
    """

    def __init__(self, folder: Path, segment_lines: int = SEGMENT_LINES) -> None:
        self._folder = folder
        self._segment_lines = segment_lines
        self._lock = threading.Lock()
        folder.mkdir(parents=True, exist_ok=True)
        sync_folder(folder.parent)
        self._mend()
        last = self.last()
        self._highest = max(self._reserved(), last.sequence if last else 0)
        self._limit = self._highest
        self._file: IO[bytes] | None = None
        self._lines = 0

    def next_after(self, sequence: int) -> int:
        """Take a number that was never taken before, beyond `sequence`."""
        taken = max(self._highest, sequence) + 1
        if taken > self._limit:
            limit = taken + RESERVED_AT_ONCE
            write_durably(self._folder / _RESERVED, str(limit).encode())
            self._limit = limit
        self._highest = taken
        return taken

    def acknowledge(self, sequence: int, now: Callable[[], datetime]) -> LedgerEntry:
        """Note a write that the store has confirmed; it is acknowledged when this returns."""
        with self._lock:
            entry = LedgerEntry(sequence=sequence, acknowledged_at=now())
            file = self._segment(sequence)
            before = file.tell()
            try:
                file.write(_line(entry))
                file.flush()
                os.fsync(file.fileno())
            except OSError:
                self._abandon(file, before)
                raise
            self._lines += 1
            return entry

    def sealed(self, moment: datetime) -> tuple[LedgerEntry, ...]:
        """Return what was acknowledged up to `moment`; nothing can be added to that any more."""
        with self._lock:
            return tuple(entry for entry in self.entries() if entry.acknowledged_at <= moment)

    def entries(self) -> Iterator[LedgerEntry]:
        return read_journal(self._folder)

    def last(self) -> LedgerEntry | None:
        for segment in reversed(self._segments()):
            entries = list(_read(segment))
            if entries:
                return entries[-1]
        return None

    def first_sequence(self) -> int | None:
        return next((entry.sequence for entry in self.entries()), None)

    def prune(self, before: datetime) -> None:
        """Forget whole segments whose entries are all older; the newest segment stays."""
        with self._lock:
            segments = self._segments()
            for segment, following in pairwise(segments):
                first = next(_read(following), None)
                if first is None or first.acknowledged_at >= before:
                    break
                segment.unlink()
            sync_folder(self._folder)

    def close(self) -> None:
        with self._lock:
            if self._file is not None:
                self._file.close()
                self._file = None

    def _segment(self, sequence: int) -> IO[bytes]:
        if self._file is not None and self._lines >= self._segment_lines:
            self._file.close()
            self._file = None
        if self._file is None:
            # A process begins a segment of its own: what another left is only read.
            self._file = (self._folder / f"{sequence:020}{_ENDING}").open("ab")
            self._lines = 0
            sync_folder(self._folder)
        return self._file

    def _abandon(self, file: IO[bytes], length: int) -> None:
        """Take back half a line, so that the next one is not spoiled by it."""
        self._file = None
        try:
            os.ftruncate(file.fileno(), length)
            file.close()
        except OSError:
            # What is left is the end of a segment that nothing is added to: it counts as torn.
            pass

    def _mend(self) -> None:
        for segment in self._segments():
            content = segment.read_bytes()
            whole = content.rfind(b"\n") + 1
            if whole < len(content):
                os.truncate(segment, whole)
            if not whole:
                segment.unlink()

    def _reserved(self) -> int:
        file = self._folder / _RESERVED
        if not file.exists():
            return 0
        said = file.read_text()
        if not said.isdecimal():
            raise RefusedError(
                f"{file} holds {said!r}, expected a number: restore it from a backup of the folder"
            )
        return int(said)

    def _segments(self) -> list[Path]:
        return _segments(self._folder)


def read_journal(folder: Path) -> Iterator[LedgerEntry]:
    """Read what was acknowledged, also while another writes: nothing is mended."""
    for segment in _segments(folder):
        yield from _read(segment)


def _segments(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"*{_ENDING}"))


def _line(entry: LedgerEntry) -> bytes:
    return f"{entry.sequence},{(entry.acknowledged_at - _EPOCH) // _MICROSECOND}\n".encode()


def _read(segment: Path) -> Iterator[LedgerEntry]:
    with segment.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.endswith(b"\n"):
                return
            sequence, _, at = line.strip().partition(b",")
            if not (sequence.isdigit() and at.isdigit()):
                raise RefusedError(
                    f"{segment}:{number} is {line!r}, expected a number and microseconds: the journal was "
                    "changed; restore it from a backup, or begin a ledger under another name"
                )
            moment = _EPOCH + int(at) * _MICROSECOND
            yield LedgerEntry.model_construct(sequence=int(sequence), acknowledged_at=moment)
