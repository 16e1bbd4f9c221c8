"""The files that a build reads, as one canonical archive: the same files are the same bytes."""

import gzip
import io
import tarfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from stat import S_IXUSR

from steadfleet_core.errors import ContractError, RefusedError
from steadfleet_core.image.order import MOST_SOURCES

MOST_FILES = 1000
MOST_UNPACKED = 50_000_000
"""Bytes of all files: a small archive may hold very much of nothing."""

_TAR_OVERHEAD = MOST_FILES * 4096
_LARGEST_NAMED = 5


def pack(folder: Path, names: Iterable[str]) -> bytes:
    """Pack these files, and all that is below these folders, of `folder`; links are followed inside it.

    Raises `ContractError` with a line for each name that cannot be packed, and `RefusedError` when it
    is too much for one order.
    """
    root = folder.resolve()
    files: dict[str, Path] = {}
    problems = []
    for name in dict.fromkeys(names):
        for found in _files_of(root, name):
            if isinstance(found, str):
                problems.append(found)
            else:
                files[found.relative_to(root).as_posix()] = found
    if problems:
        raise ContractError(problems)
    _refuse_too_much(files)
    packed = gzip.compress(_tar(files), mtime=0)
    if len(packed) > MOST_SOURCES:
        raise RefusedError(
            f"the sources have {len(packed)} bytes packed: expected at most {MOST_SOURCES}, as they travel "
            f"with the order; the largest files are {_largest(files)}: let the template download them"
        )
    return packed


def unpack(content: bytes, into: Path) -> tuple[str, ...]:
    """Write the files of an archive below an empty folder, and name them; nothing else is in it.

    Raises `RefusedError` for what `pack` would not have made: links, devices, paths that lead out of
    the folder, too many files or too many bytes.
    """
    try:
        with tarfile.open(fileobj=io.BytesIO(_unzipped(content)), mode="r:") as archive:
            members = _checked(archive)
            for member in members:
                _write(archive, member, into)
    except (tarfile.TarError, EOFError, OSError, zlib.error, UnicodeError) as error:
        raise RefusedError(f"the sources cannot be unpacked: {error}; expected what `pack` made") from error
    return tuple(member.name for member in members)


def _files_of(root: Path, name: str) -> Iterator[Path | str]:
    """Yield each file that a name means, or a line that says why there is none."""
    path = root / name
    if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
        yield f"{name}: leads out of {root}: expected a path below it"
    elif not path.exists():
        yield f"{name}: there is no such file in {root}"
    elif path.is_dir() and path.resolve().is_relative_to(root):
        inside = sorted(one for one in path.rglob("*") if one.is_symlink() or not one.is_dir())
        if not inside:
            yield f"{name}: is a folder without files"
        for one in inside:
            yield _problem_of(root, one) or one
    else:
        yield _problem_of(root, path) or path


def _problem_of(root: Path, path: Path) -> str | None:
    name = path.relative_to(root).as_posix()
    if not path.resolve().is_relative_to(root):
        return f"{name}: is a link out of {root}: expected a file that the order can bring along"
    if path.is_dir():
        return f"{name}: is a link to a folder: name that folder itself"
    if not path.is_file():
        return f"{name}: is no file: expected a regular one"
    if not name.isprintable():
        return f"{name!r}: expected a name of printable letters"
    return None


def _refuse_too_much(files: dict[str, Path]) -> None:
    total = sum(path.stat().st_size for path in files.values())
    if len(files) > MOST_FILES or total > MOST_UNPACKED:
        raise RefusedError(
            f"the sources are {len(files)} files of {total} bytes: expected at most {MOST_FILES} files and "
            f"{MOST_UNPACKED} bytes; the largest are {_largest(files)}"
        )


def _largest(files: dict[str, Path]) -> str:
    sizes = sorted(((path.stat().st_size, name) for name, path in files.items()), reverse=True)
    return ", ".join(f"{name} ({size} bytes)" for size, name in sizes[:_LARGEST_NAMED])


def _tar(files: dict[str, Path]) -> bytes:
    # Nothing of who packed it, when, or under which umask: only names, contents and the executable bit.
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, path in sorted(files.items()):
            content = path.read_bytes()
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            entry.mode = 0o755 if path.stat().st_mode & S_IXUSR else 0o644
            archive.addfile(entry, io.BytesIO(content))
    return whole.getvalue()


def _unzipped(content: bytes) -> bytes:
    most = MOST_UNPACKED + _TAR_OVERHEAD
    with gzip.GzipFile(fileobj=io.BytesIO(content)) as stream:
        unzipped = stream.read(most + 1)
    if len(unzipped) > most:
        raise RefusedError(
            f"the sources have more than {MOST_UNPACKED} bytes unpacked: expected at most that"
        )
    return unzipped


def _checked(archive: tarfile.TarFile) -> list[tarfile.TarInfo]:
    members = archive.getmembers()
    if len(members) > MOST_FILES:
        raise RefusedError(f"the sources are {len(members)} files: expected at most {MOST_FILES}")
    names = [member.name for member in members]
    for member in members:
        path = PurePosixPath(member.name)
        if not member.isreg() or path.is_absolute() or ".." in path.parts or names.count(member.name) > 1:
            raise RefusedError(
                f"the sources hold {member.name!r}, which is no file below one folder, or there twice: "
                "expected what `pack` made"
            )
    return members


def _write(archive: tarfile.TarFile, member: tarfile.TarInfo, into: Path) -> None:
    content = archive.extractfile(member)
    if content is None:  # only what is no file has none, and that was refused
        raise tarfile.TarError(f"{member.name} has no content")
    path = into / member.name
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as file:
        file.write(content.read())
    path.chmod(0o755 if member.mode & S_IXUSR else 0o644)
