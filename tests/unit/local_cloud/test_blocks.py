from pathlib import Path
from typing import BinaryIO

import pytest

from steadfleet_local_cloud.blocks import BLOCK_SIZE, Blocks, checksum
from steadfleet_local_cloud.errors import ContentError
from steadfleet_local_cloud.images import ImageContent


class FakeImages(ImageContent):
    """Contents in memory, which remember how often they were written out."""

    def __init__(self, **contents: bytes) -> None:
        self.contents = contents
        self.written: list[str] = []

    def add(self, image_id: str, content: Path) -> None:
        self.contents[image_id] = content.read_bytes()

    def copy(self, source_id: str, image_id: str) -> None:
        self.contents[image_id] = self.contents[source_id]

    def remove(self, image_id: str) -> None:
        self.contents.pop(image_id, None)

    def write_stream(self, image_id: str, target: BinaryIO) -> None:
        self.written.append(image_id)
        target.write(self.contents[image_id])

    def ids(self) -> list[str]:
        return sorted(self.contents)

    def __contains__(self, image_id: object) -> bool:
        return image_id in self.contents


CONTENT = b"a" * BLOCK_SIZE + bytes(BLOCK_SIZE) + b"bc"


@pytest.fixture
def images() -> FakeImages:
    return FakeImages(image=CONTENT)


@pytest.fixture
def blocks(tmp_path: Path, images: FakeImages) -> Blocks:
    blocks = Blocks(tmp_path / "blocks", images)
    blocks.hold("snap", "image")
    return blocks


def whole(blocks: Blocks, snapshot: str) -> bytes:
    last = max(blocks.written(snapshot))
    return b"".join(blocks.read(snapshot, index) or bytes(BLOCK_SIZE) for index in range(last + 1))


def test_the_last_block_is_filled_up_and_zeros_are_left_out(blocks: Blocks) -> None:
    assert blocks.written("snap") == [0, 2]
    assert blocks.read("snap", 1) is None
    assert blocks.read("snap", 2) == b"bc".ljust(BLOCK_SIZE, b"\0")
    assert blocks.read("snap", 3) is None
    assert whole(blocks, "snap").rstrip(b"\0") == CONTENT


def test_content_is_written_out_when_first_read_and_once_for_all_copies(
    blocks: Blocks, images: FakeImages
) -> None:
    blocks.copy_image("image", "snap", "copy", "snap-copy")
    blocks.copy_image("copy", "snap-copy", "of-copy", "snap-of-copy")
    assert images.written == []

    assert whole(blocks, "snap-of-copy") == whole(blocks, "snap") == whole(blocks, "snap-copy")
    assert images.written == ["of-copy"]


def test_content_stays_while_an_image_or_a_snapshot_holds_it(
    blocks: Blocks, images: FakeImages, tmp_path: Path
) -> None:
    blocks.copy_image("image", "snap", "copy", "snap-copy")
    before = whole(blocks, "snap")

    blocks.deregister("image")
    assert images.ids() == ["copy", "image"]
    blocks.drop("snap")
    assert images.ids() == ["copy"]
    assert whole(blocks, "snap-copy") == before

    blocks.drop("snap-copy")
    blocks.deregister("copy")
    assert images.ids() == []
    assert list((tmp_path / "blocks").iterdir()) == []


def test_a_copy_is_read_from_itself_when_its_source_is_gone(blocks: Blocks, images: FakeImages) -> None:
    blocks.copy_image("image", "snap", "copy", "snap-copy")
    blocks.deregister("image")
    blocks.drop("snap")

    assert whole(blocks, "snap-copy").rstrip(b"\0") == CONTENT
    assert images.written == ["copy"]


def test_each_tampering_alters_another_byte_of_that_snapshot_alone(blocks: Blocks) -> None:
    blocks.copy_image("image", "snap", "copy", "snap-copy")
    places = [blocks.tamper("snap") for _ in range(3)]

    altered = [
        place
        for place, pair in enumerate(zip(whole(blocks, "snap"), whole(blocks, "snap-copy"), strict=True))
        if pair[0] != pair[1]
    ]
    assert altered == places
    blocks.copy_image("image", "snap", "later", "snap-later")
    assert whole(blocks, "snap-later") == whole(blocks, "snap")


def test_tampering_with_zeros_shows_them(tmp_path: Path) -> None:
    blocks = Blocks(tmp_path / "blocks", FakeImages(image=b"a" + bytes(3 * BLOCK_SIZE) + b"b"))
    blocks.hold("snap", "image")
    assert blocks.written("snap") == [0, 3]

    blocks.tamper("snap")

    assert blocks.written("snap") == [0, 1, 3]


def test_an_image_without_content_has_no_blocks(blocks: Blocks) -> None:
    blocks.hold("snap-hollow", "hollow")
    blocks.copy_image("hollow", "snap-hollow", "copy", "snap-copy")
    blocks.drop("snap-hollow")
    blocks.deregister("hollow")

    assert "snap-hollow" not in blocks
    assert "snap-copy" not in blocks
    with pytest.raises(ContentError, match="snap-hollow"):
        blocks.tamper("snap-hollow")


def test_a_checksum_is_sha256_in_base64() -> None:
    assert checksum(b"") == "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
