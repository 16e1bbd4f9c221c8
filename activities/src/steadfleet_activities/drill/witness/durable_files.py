"""Write files so that what was written is still there after a power cut."""

import os
from pathlib import Path


def sync_folder(folder: Path) -> None:
    """Make names that were created, renamed or removed in it durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_durably(path: Path, content: bytes) -> None:
    """Replace a file as a whole: a reader sees the old content or the new."""
    draft = path.with_name(f".{path.name}.draft")
    _write(draft, content)
    draft.replace(path)
    sync_folder(path.parent)


def write_once(path: Path, content: bytes) -> bytes:
    """Write a file that is not there yet; return what it holds, which is another's if that came first."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    _write(draft, content)
    try:
        path.hardlink_to(draft)
    except FileExistsError:
        content = path.read_bytes()
    finally:
        draft.unlink()
    sync_folder(path.parent)
    return content


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
