"""The content of images as the Docker engine's own images: a whole system each, not only a program."""

from __future__ import annotations

import shutil
import tempfile
import threading
from pathlib import Path
from typing import BinaryIO

from python_on_whales.exceptions import DockerException

from steadfleet_local_cloud.canonical import write_saved_image
from steadfleet_local_cloud.engine import Engine, sentence
from steadfleet_local_cloud.errors import EngineError
from steadfleet_local_cloud.images import ImageContent, check_content
from steadfleet_local_cloud.ownership import Ownership

MACHINE_FOLDER = "/opt/machine"


class DockerImages(ImageContent):
    """One Docker image for each, tagged with its id; the base image has a tag that all clouds share."""

    def __init__(self, engine: Engine, ownership: Ownership, base: str) -> None:
        self._engine = engine
        self._ownership = ownership
        self._base = base
        self._lock = threading.Lock()
        self._references: dict[str, str] = {}

    def add_base(self, image_id: str) -> None:
        """Let an image be the base image itself."""
        with self._lock:
            self._references[image_id] = self._base

    def add(self, image_id: str, content: Path) -> None:
        """Put a folder into the base image, following links out of it: an image must be self-contained."""
        check_content(content)
        docker = self._engine.docker
        with tempfile.TemporaryDirectory(prefix="local-cloud-image-") as folder:
            shutil.copytree(content, Path(folder) / "content")
            try:
                blank = docker.create(self._base, pull="never", labels=self._ownership.labels)
                try:
                    docker.copy(Path(folder) / "content", (blank, MACHINE_FOLDER))
                    self.commit(image_id, blank.id)
                finally:
                    docker.remove(blank, force=True)
            except DockerException as error:
                raise EngineError(f"no image could be made from {content}: {sentence(error)}") from error

    def commit(self, image_id: str, container: str) -> None:
        """Make the image from all that is on a container's disk; its labels are inherited."""
        reference = self._own_reference(image_id)
        self._engine.docker.commit(container, reference)
        with self._lock:
            self._references[image_id] = reference

    def copy(self, source_id: str, image_id: str) -> None:
        with self._lock:
            source = self._references.get(source_id)
        if source is None:
            return
        reference = source
        if source != self._base:  # whose tag all share, and none of us may remove
            reference = self._own_reference(image_id)
            self._engine.docker.tag(source, reference)
        with self._lock:
            self._references[image_id] = reference

    def remove(self, image_id: str) -> None:
        with self._lock:
            reference = self._references.pop(image_id, None)
        if reference in {None, self._base}:
            return
        done = self._engine.call("image", "rm", "--force", str(reference))
        if done.exit_code != 0 and "No such image" not in done.stderr:
            raise EngineError(f"{image_id} could not be removed: {done.stderr.strip()}")

    def write_stream(self, image_id: str, target: BinaryIO) -> None:
        with tempfile.TemporaryDirectory(prefix="local-cloud-image-") as folder:
            saved = Path(folder) / "saved.tar"
            self._engine.docker.image.save(self.reference(image_id), output=saved)
            with saved.open("rb") as archive:
                write_saved_image(archive, target)

    def ids(self) -> list[str]:
        with self._lock:
            return sorted(self._references)

    def reference(self, image_id: str) -> str:
        with self._lock:
            return self._references[image_id]

    def __contains__(self, image_id: object) -> bool:
        with self._lock:
            return image_id in self._references

    def _own_reference(self, image_id: str) -> str:
        return f"local-cloud-{self._ownership.cloud}:{image_id}"
