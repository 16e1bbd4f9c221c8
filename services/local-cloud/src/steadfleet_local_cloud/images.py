"""The content of images: a folder for each, holding the program that its machines run."""

from __future__ import annotations

import os
import shutil
from abc import ABC, abstractmethod
from pathlib import Path
from typing import BinaryIO

from steadfleet_local_cloud.canonical import write_folder
from steadfleet_local_cloud.errors import ContentError

PROGRAMS = ("run", "run.py")


class ImageContent(ABC):
    """
    Content by image id: what machines are made from, and what an image's snapshot holds.

    It stays for as long as the image is registered or a snapshot of it exists. An image that was
    made without content has none, and cannot be launched.
    """

    @abstractmethod
    def add(self, image_id: str, content: Path) -> None:
        """Take a folder as an image's content, following links out of it: an image must be self-contained."""

    @abstractmethod
    def copy(self, source_id: str, image_id: str) -> None:
        """Give one image the content of another, if that has any."""

    @abstractmethod
    def remove(self, image_id: str) -> None:
        """Forget an image's content, if it is there."""

    @abstractmethod
    def write_stream(self, image_id: str, target: BinaryIO) -> None:
        """Write the content as bytes: the same for the same content, others after any change of it."""

    @abstractmethod
    def ids(self) -> list[str]:
        """Name every image that has content."""

    @abstractmethod
    def __contains__(self, image_id: object) -> bool: ...


class Images(ImageContent):
    """Folders."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def add(self, image_id: str, content: Path) -> None:
        """Copy a folder, following links out of it: an image must be self-contained."""
        check_content(content)
        shutil.copytree(content, self._folder / image_id)

    def copy(self, source_id: str, image_id: str) -> None:
        if source_id in self:
            shutil.copytree(self._folder / source_id, self._folder / image_id)

    def remove(self, image_id: str) -> None:
        shutil.rmtree(self._folder / image_id, ignore_errors=True)

    def content(self, image_id: str) -> Path:
        return self._folder / image_id

    def write_stream(self, image_id: str, target: BinaryIO) -> None:
        write_folder(self._folder / image_id, target)

    def ids(self) -> list[str]:
        return sorted(folder.name for folder in self._folder.iterdir())

    def __contains__(self, image_id: object) -> bool:
        return isinstance(image_id, str) and image_id != "" and (self._folder / image_id).is_dir()


def check_content(content: Path) -> None:
    """Refuse a folder that no machine could run."""
    if not content.is_dir():
        raise ContentError(
            f"{content} is not a folder: an image is made from a folder that holds its program"
        )
    if not any(_runnable(content / name) for name in PROGRAMS):
        raise ContentError(
            f"{content} has no program: put an executable file `run` or a Python file `run.py` in it"
        )


def _runnable(program: Path) -> bool:
    return program.is_file() and (program.suffix == ".py" or os.access(program, os.X_OK))
