"""A backup as it lies in a folder: `base/` or `base.tar[.gz]`, `backup_manifest`, and the archive `wal/`."""

import hashlib
import json
import re
import tarfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from steadfleet_activities.drill.postgres.wal import Archive, Segment
from steadfleet_core.errors import NotBuiltError, RefusedError

_TARS = ("base.tar", "base.tar.gz")
_FIRST = re.compile(r"^START WAL LOCATION: (\S+) \(file ([0-9A-F]{24})\)", re.MULTILINE)
_STOPPED = re.compile(r"^STOP TIME: (\S+ \S+) (?:UTC|GMT)$", re.MULTILINE)
_SEGMENT_SIZE = 16 * 1024 * 1024
_EXPECTED = (
    "expected a folder with base.tar, base.tar.gz or base/ (a base backup by pg_basebackup), its "
    "backup_manifest, and wal/ (the archive of WAL since)"
)


class BackupError(RefusedError):
    """A backup that cannot be restored."""


class MissingWalError(BackupError):
    """An archive that breaks off before what was asked for."""


@dataclass(frozen=True)
class Label:
    """What a base backup says of itself: where it begins, and the major version that made it."""

    first: str
    major: int | None


class Backup:
    """One base backup and its archive. Raises `BackupError` where it is not what it must be."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        if not folder.is_dir():
            raise BackupError(f"there is no backup at {folder}: {_EXPECTED}")
        self.plain = folder / "base" if (folder / "base" / "PG_VERSION").is_file() else None
        homes = (folder / "base", folder)
        self.tar = next((home / name for home in homes for name in _TARS if (home / name).is_file()), None)
        if self.plain is None and self.tar is None:
            raise BackupError(f"{folder} has no base backup: {_EXPECTED}")
        self._refuse_what_is_not_built()

    @classmethod
    def at(cls, place: str) -> "Backup":
        if "://" in place:
            raise NotBuiltError(
                f"backup: {place} cannot be restored by this release: expected a folder on the drill "
                "worker's host; mount or copy it there"
            )
        if not place.startswith("/"):
            raise BackupError(
                f"backup: {place}: expected the full path of a folder on the drill worker's host"
            )
        return cls(Path(place))

    @property
    def base(self) -> Path:
        return self.plain or self.tar or self.folder

    @property
    def wal(self) -> Path | None:
        return self.folder / "wal" if (self.folder / "wal").is_dir() else None

    @property
    def manifest(self) -> Path | None:
        places = (self.base.parent if self.plain is None else self.base, self.folder)
        return next(
            (place / "backup_manifest" for place in places if (place / "backup_manifest").is_file()), None
        )

    @property
    def wal_tar(self) -> Path | None:
        """Return the WAL that pg_basebackup wrote beside a tar, if any."""
        home = self.base.parent
        names = ("pg_wal.tar", "pg_wal.tar.gz") if self.plain is None else ()
        return next((home / name for name in names if (home / name).is_file()), None)

    @cached_property
    def label(self) -> Label:
        """Read where it begins. Blocks: of a tar it reads as much as it needs."""
        texts = dict(self._texts())
        found = _FIRST.search(texts.get("backup_label", ""))
        if found is None:
            raise BackupError(f"{self.base} has no backup_label that says where its WAL begins: {_EXPECTED}")
        major = texts.get("PG_VERSION", "").strip()
        return Label(found[2], int(major) if major.isdigit() else None)

    @cached_property
    def archive(self) -> Archive:
        """Look at the archive, with the segments that the backup itself brings. Blocks."""
        return Archive(self.wal, self._own_segments())

    @cached_property
    def first(self) -> Segment:
        size = max(
            (one.size for one in self.archive.segments), default=_SEGMENT_SIZE
        )  # one may be half written
        segment = Segment.named(self.label.first, size)
        if segment is None:
            raise BackupError(f"{self.base} begins with {self.label.first}, which names no segment of WAL")
        return segment

    def ended_at(self) -> datetime | None:
        """Return the first moment that it can be restored to, to the second, if that is known."""
        for path in sorted((self.wal or self.folder).glob(f"{self.label.first}.*.backup")):
            if found := _STOPPED.search(path.read_text()):
                return datetime.fromisoformat(found[1]).replace(tzinfo=UTC)
        # Unknown, or in a time zone that its letters do not tell: the manifest is written last of all.
        return datetime.fromtimestamp(self.manifest.stat().st_mtime, UTC) if self.manifest else None

    def size(self) -> int:
        """Return how much room the copy needs without WAL, in bytes. Blocks."""
        packed = sum(path.stat().st_size for path in (self.tar, self.wal_tar) if path is not None)
        listed = sum(file["Size"] for file in self._listed().get("Files", ()))
        return max(packed, listed) or _size_of(self.base)

    def manifest_problem(self) -> str | None:
        """Hold the manifest against its own checksum; None if it is whole. Blocks."""
        if self.manifest is None:
            return "it has no backup_manifest: a damaged file would not be noticed"
        text = self.manifest.read_bytes()
        said = self._listed().get("Manifest-Checksum")
        summed, _, _ = text.rpartition(b'"Manifest-Checksum"')
        if not said or hashlib.sha256(summed).hexdigest() != said:
            return f"{self.manifest} does not match its own checksum: it is cut off or was changed"
        return None

    def _refuse_what_is_not_built(self) -> None:
        spaces = [path.name for path in self.base.parent.glob("[0-9]*.tar*")] if self.plain is None else []
        if self.plain is not None:
            spaces = [path.name for path in (self.plain / "pg_tblspc").glob("*")]
            if (self.plain / "pg_wal").is_symlink():
                raise BackupError(f"{self.plain}/pg_wal is a link out of the backup: expected a folder")
        if spaces:
            raise NotBuiltError(
                f"{self.base} has tablespaces ({', '.join(spaces)}), which are not restored yet"
            )
        if self.archive.packed:
            raise NotBuiltError(
                f"{self.wal} is compressed ({self.archive.packed}): expected segments as "
                "PostgreSQL writes them"
            )

    def _listed(self) -> dict[str, Any]:
        with suppress(OSError, ValueError):
            if self.manifest is not None:
                listed: dict[str, Any] = json.loads(self.manifest.read_bytes())
                return listed
        return {}

    def _own_segments(self) -> Iterator[tuple[str, int]]:
        if self.plain is not None and (self.plain / "pg_wal").is_dir():
            yield from ((path.name, path.stat().st_size) for path in (self.plain / "pg_wal").iterdir())
        if self.wal_tar is not None:
            with tarfile.open(self.wal_tar) as tar:
                yield from (
                    (member.name.rpartition("/")[2], member.size) for member in tar if member.isfile()
                )

    def _texts(self) -> Iterator[tuple[str, str]]:
        wanted = {"backup_label", "PG_VERSION"}
        if self.plain is not None:
            yield from (
                (name, (self.plain / name).read_text()) for name in wanted if (self.plain / name).is_file()
            )
            return
        try:
            with tarfile.open(self.base, "r|*") as tar:
                for member in tar:
                    name = member.name.removeprefix("./")
                    if name in wanted and (file := tar.extractfile(member)) is not None:
                        yield name, file.read().decode()
                        wanted.remove(name)
                    if not wanted:
                        return
        except (tarfile.TarError, OSError, EOFError) as error:
            raise BackupError(f"{self.base} cannot be read: {error}") from error


def _size_of(path: Path) -> int:
    return sum(one.stat().st_size for one in path.rglob("*") if one.is_file())
