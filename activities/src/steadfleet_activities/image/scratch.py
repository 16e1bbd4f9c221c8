"""Folders for work in progress: they go when it ends, and of a killed worker when the next one begins.

What lies in them may be the key to a machine. A folder is held by a lock that the kernel lets go of with
its holder; so nobody has to know who is still alive.
"""

import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Literal

from steadfleet_durable import get_logger, unbroken

Work = Literal["sources", "build", "examine", "tests", "sbom", "judge"]

_OURS = re.compile(r"steadfleet-(sources|build|examine|tests|sbom|judge)-\w{8}")
_log = get_logger(__name__)


@contextmanager
def scratch(work: Work, parent: Path | None = None) -> Iterator[Path]:
    """Give a folder for this work alone. Blocks."""
    folder, held = _made(work, parent)
    try:
        yield folder
    finally:
        _remove(folder, held)


@asynccontextmanager
async def scratch_of(work: Work, parent: Path | None = None) -> AsyncIterator[Path]:
    """Do as `scratch`, in an event loop."""
    folder, held = _made(work, parent)  # not in a thread: a cancellation could come between it and us
    try:
        yield folder
    finally:
        await unbroken(_remove, folder, held)


def remove_abandoned(parent: Path | None = None) -> list[Path]:
    """Remove the folders that nobody holds any more, and name them; call it when a worker begins."""
    found = [path for path in (parent or Path(tempfile.gettempdir())).iterdir() if _OURS.fullmatch(path.name)]
    removed = [path for path in found if _removed_if_free(path)]
    if removed:
        _log.warning("removed what a killed worker left", folders=[str(path) for path in removed])
    return removed


def _made(work: Work, parent: Path | None) -> tuple[Path, int]:
    # Held before it has a name that others look for.
    hidden = Path(tempfile.mkdtemp(prefix=f".steadfleet-{work}-", dir=parent))
    held = os.open(hidden, os.O_RDONLY | os.O_DIRECTORY)
    fcntl.flock(held, fcntl.LOCK_SH)  # packer's keeper holds it too
    return hidden.rename(hidden.with_name(hidden.name.removeprefix("."))), held


def _remove(folder: Path, held: int) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    os.close(held)


def _removed_if_free(folder: Path) -> bool:
    try:
        held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:  # somebody else's, or just gone
        return False
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(held)
        return False
    _remove(folder, held)
    return not folder.exists()
