"""Bytes that are equal exactly when two contents are: what a disk would hold."""

from __future__ import annotations

import json
import shutil
import tarfile
from pathlib import Path
from typing import BinaryIO


def write_folder(folder: Path, target: BinaryIO) -> None:
    """Write a folder as a tar: sorted, nobody's, timeless; names, modes, links and bytes are kept."""
    with tarfile.open(fileobj=target, mode="w", format=tarfile.PAX_FORMAT) as archive:
        archive.add(folder, arcname=".", filter=_timeless)  # a folder is added in the order of its names


def write_saved_image(saved: BinaryIO, target: BinaryIO) -> None:
    """
    Write what `docker save` gave for one image as its configuration and then its layers, lowest first.

    The archive around them holds tags and times of saving, which are no part of the image.
    """
    with tarfile.open(fileobj=saved, mode="r:") as archive:
        (image,) = json.loads(_member(archive, "manifest.json").read())
        for name in (image["Config"], *image["Layers"]):
            shutil.copyfileobj(_member(archive, name), target)


def _timeless(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.mtime = 0
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry


def _member(archive: tarfile.TarFile, name: str) -> BinaryIO:
    found = archive.extractfile(name)
    if found is None:
        raise ValueError(f"a saved image without {name}")
    return found  # type: ignore[return-value]
