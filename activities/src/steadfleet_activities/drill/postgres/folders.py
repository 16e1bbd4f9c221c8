"""The folders of a run on this host: marked with the run, so that whoever comes later finds and removes them.

<folder>/<run>/run.json         who it belongs to
<folder>/<run>/<store>/data     a server's data; `data.part` while it is being made
<folder>/<run>/<store>/*.json   what is known of it
"""

import fcntl
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pydantic import ValidationError

from steadfleet_activities.drill.postgres.processes import end_all_below
from steadfleet_activities.drill.postgres.programs import Programs
from steadfleet_core.errors import RefusedError
from steadfleet_core.model import Model
from steadfleet_durable import get_logger, unbroken
from steadfleet_ports.lease import Owner

FOLDER = "STEADFLEET_DRILL_FOLDER"
_MARKER = "run.json"
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,100}")
_log = get_logger(__name__)


class Marker(Model):
    """Whose folder it is. Without an owner nobody can tell whether it still lives."""

    run: str
    owner: Owner | None = None


class StillHeldError(Exception):
    """An attempt before this one has not ended yet; it will."""


def drill_folder(env: Mapping[str, str]) -> Path:
    """Return the folder that STEADFLEET_DRILL_FOLDER names, else one in the folder for temporary files."""
    return Path(env.get(FOLDER) or Path(tempfile.gettempdir()) / "steadfleet-drills")


def run_folder(folder: Path, run: str) -> Path:
    if _PLAIN.fullmatch(run):
        return folder / run
    return folder / f"run-{hashlib.sha256(run.encode()).hexdigest()[:32]}"


def claim(folder: Path, run: str, store: str, owner: Owner | None, programs: Programs) -> Path:
    """Return the store's folder in that of the run, made if it is not there.

    Raises:
        RefusedError: what lies there is not this run's.
    """
    ours = run_folder(folder, run)
    if not (ours / _MARKER).exists():
        _make(ours, Marker(run=run, owner=owner), programs)
    marker = marker_of(ours)
    if marker is None or marker.run != run:
        raise RefusedError(
            f"{ours} is not this drill's: it has no mark of {run}. A copy is restored into an empty folder "
            f"only: look at what it is, and move it away, or set {FOLDER} to another folder"
        )
    store_folder = ours / store
    store_folder.mkdir(mode=0o700, exist_ok=True)
    return programs.own(store_folder)


def marker_of(folder: Path) -> Marker | None:
    """Read whose folder it is; None if it is none of ours."""
    try:
        return Marker.model_validate_json((folder / _MARKER).read_text())
    except (OSError, ValueError, ValidationError):
        return None


@contextmanager
def held(store_folder: Path) -> Iterator[None]:
    """Keep every other attempt out, as long as this process lives; StillHeldError if one is at it."""
    lock = os.open(store_folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise StillHeldError(f"{store_folder} is still held by an attempt before this one") from error
    finally:
        os.close(lock)


def remove_run(folder: Path, run: str) -> bool:
    """Stop the run's servers and remove its folder; False if there is nothing of it. Blocks.

    It does not matter who started them. Safe to be called again, and while nothing is there.
    """
    ours = run_folder(folder, run)
    marker = marker_of(ours)
    if marker is None or marker.run != run:
        return False
    _remove(ours)
    return True


async def remove_abandoned(folder: Path, closed: Callable[[Owner], Awaitable[bool]]) -> list[str]:
    """Remove what drills that are closed left on this host, and name the runs; call it when a worker begins.

    `closed` says whether a workflow has. What has no owner, or no mark, stays.
    """
    removed = []
    for path in await unbroken(_listed, folder):
        marker = marker_of(path)
        if marker is not None and marker.owner is not None and await closed(marker.owner):
            await unbroken(_remove, path)
            removed.append(marker.run)
    if removed:
        _log.warning("removed what closed drills left on this host", runs=removed)
    return removed


def _listed(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _make(ours: Path, marker: Marker, programs: Programs) -> None:
    # Marked before it has its name, so that a folder without a mark is never ours.
    ours.parent.mkdir(parents=True, exist_ok=True)
    hidden = Path(tempfile.mkdtemp(prefix=".steadfleet-", dir=ours.parent))
    programs.own(hidden)
    (hidden / _MARKER).write_text(marker.model_dump_json())
    try:
        hidden.rename(ours)
    except OSError:  # another store of the run was quicker; or it is somebody else's, which the mark tells
        shutil.rmtree(hidden, ignore_errors=True)


def _remove(ours: Path) -> None:
    end_all_below(ours)
    # The mark goes last: what is left half removed is still known as ours.
    for path in ours.iterdir():
        if path.name != _MARKER:
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    shutil.rmtree(ours)
