"""What snapshots hold, block by block: the content of the images that they belong to."""

from __future__ import annotations

import base64
import hashlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from steadfleet_local_cloud.errors import ContentError
from steadfleet_local_cloud.images import ImageContent

BLOCK_SIZE = 512 * 1024  # bytes, as on AWS
_ZEROS = bytes(BLOCK_SIZE)


@dataclass(frozen=True)
class Holding:
    """A snapshot holds the content of an image, with some bytes altered."""

    image_id: str
    flips: tuple[int, ...] = ()


@dataclass(frozen=True)
class Stream:
    """An image's content in a file, and which of its blocks are not all zeros."""

    path: Path
    size: int
    written: tuple[int, ...]

    def block(self, index: int) -> bytes:
        with self.path.open("rb") as stream:
            stream.seek(index * BLOCK_SIZE)
            return stream.read(BLOCK_SIZE).ljust(BLOCK_SIZE, b"\0")


class Blocks:
    """
    Snapshots by id, each holding an image's content; read only when somebody reads them.

    An image's content lives until neither the image nor a snapshot of it is there: on AWS too
    a snapshot outlives its image. Copies of an image share one file.
    """

    def __init__(self, folder: Path, images: ImageContent) -> None:
        self._folder = folder
        self._images = images
        self._holdings: dict[str, Holding] = {}
        self._registered: set[str] = set()
        self._origins: dict[str, str] = {}  # image → the image that it is a copy of, however far back
        self._streams: dict[str, Stream] = {}  # by origin
        shutil.rmtree(folder, ignore_errors=True)  # an earlier cloud's, whose ids are forgotten
        folder.mkdir(parents=True)

    def hold(self, snapshot_id: str, image_id: str) -> None:
        """Let a new image's snapshot hold the image's content."""
        if image_id in self._images:
            self._holdings[snapshot_id] = Holding(image_id)
            self._registered.add(image_id)

    def copy_image(self, source_id: str, source_snapshot: str, image_id: str, snapshot_id: str) -> None:
        """Let the content follow to a copied image and its snapshot, whatever was altered in it included."""
        if source_id not in self._images:
            return
        self._images.copy(source_id, image_id)
        self._registered.add(image_id)
        self._origins[image_id] = self._origin(source_id)
        self._holdings[snapshot_id] = Holding(image_id, self._holdings[source_snapshot].flips)

    def copy_snapshot(self, source_snapshot: str, snapshot_id: str) -> None:
        if source_snapshot in self._holdings:
            self._holdings[snapshot_id] = self._holdings[source_snapshot]

    def deregister(self, image_id: str) -> None:
        """Let an image go; its content stays while a snapshot holds it."""
        self._registered.discard(image_id)
        self._forget(image_id)

    def drop(self, snapshot_id: str) -> None:
        """Let a snapshot go, if it holds anything."""
        if holding := self._holdings.pop(snapshot_id, None):
            self._forget(holding.image_id)

    def tamper(self, snapshot_id: str) -> int:
        """Flip a bit of one byte in the middle, another one each time; the byte's place."""
        holding = self._holdings.get(snapshot_id)
        if holding is None:
            raise ContentError(f"{snapshot_id} has no content that could be tampered with")
        place = self._stream(holding.image_id).size // 2 + len(holding.flips)
        self._holdings[snapshot_id] = Holding(holding.image_id, (*holding.flips, place))
        return place

    def written(self, snapshot_id: str) -> list[int]:
        """List the numbers of the blocks that are not all zeros, in order."""
        holding = self._holdings[snapshot_id]
        stream = self._stream(holding.image_id)
        touched = {place // BLOCK_SIZE for place in holding.flips}
        clean = [index for index in stream.written if index not in touched]
        return sorted([*clean, *(index for index in touched if self.read(snapshot_id, index) is not None)])

    def read(self, snapshot_id: str, index: int) -> bytes | None:
        """Give one block; None if it is all zeros."""
        holding = self._holdings[snapshot_id]
        block = bytearray(self._stream(holding.image_id).block(index))
        for place in holding.flips:
            if place // BLOCK_SIZE == index:
                block[place % BLOCK_SIZE] ^= 1
        return None if block == _ZEROS else bytes(block)

    def describe(self) -> list[dict[str, object]]:
        """List what is kept for images and snapshots, for the inventory."""
        return [
            {
                "id": image_id,
                "registered": image_id in self._registered,
                "snapshots": sorted(
                    snapshot for snapshot, held in self._holdings.items() if held.image_id == image_id
                ),
            }
            for image_id in self._images.ids()
        ]

    def __contains__(self, snapshot_id: object) -> bool:
        return snapshot_id in self._holdings

    def _origin(self, image_id: str) -> str:
        return self._origins.get(image_id, image_id)

    def _stream(self, image_id: str) -> Stream:
        origin = self._origin(image_id)
        if origin not in self._streams:
            path = self._folder / origin
            with path.open("wb") as target:
                self._images.write_stream(image_id, target)
            written = tuple(index for index, block in enumerate(_blocks(path)) if block != _ZEROS)
            self._streams[origin] = Stream(path, path.stat().st_size, written)
        return self._streams[origin]

    def _forget(self, image_id: str) -> None:
        held = {holding.image_id for holding in self._holdings.values()} | self._registered
        if image_id in held:
            return
        self._images.remove(image_id)
        origin = self._origin(image_id)
        if not any(self._origin(one) == origin for one in held) and origin in self._streams:
            self._streams.pop(origin).path.unlink()


def checksum(block: bytes) -> str:
    """EBS's own: SHA-256 in base64."""
    return base64.b64encode(hashlib.sha256(block).digest()).decode()


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        while block := stream.read(BLOCK_SIZE):
            yield block.ljust(BLOCK_SIZE, b"\0")
