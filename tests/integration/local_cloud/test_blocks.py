import io
import json
import os
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from integration.local_cloud.aws import RELEASES, Aws

from steadfleet_local_cloud import LocalCloud

BLOCK = 512 * 1024


def refusal(call: Callable[[], object]) -> tuple[str, str | None]:
    with pytest.raises(ClientError) as refused:
        call()
    response: dict[str, Any] = dict(refused.value.response)
    return response["Error"]["Code"], response.get("Reason")


@pytest.fixture
def release(tmp_path: Path) -> Path:
    folder = tmp_path / "release"
    folder.mkdir()
    (folder / "run.py").write_text("print('hello')")
    return folder


def test_an_images_snapshot_is_the_images_content(aws: Aws, image: str) -> None:
    stream = aws.stream(aws.snapshot_of(image))

    with tarfile.open(fileobj=io.BytesIO(stream)) as archive:
        names = sorted(archive.getnames())
        program = archive.extractfile("./run")
        assert program is not None
        assert program.read() == (RELEASES / "good-1.0" / "run").read_bytes()
    assert names == sorted([".", *(f"./{path.name}" for path in (RELEASES / "good-1.0").iterdir())])


def test_equal_content_has_equal_blocks_wherever_it_came_from(
    cloud: LocalCloud, aws: Aws, release: Path
) -> None:
    first = cloud.register_image("first", release)
    os.utime(release / "run.py", (1, 1))
    again = cloud.register_image("again", release)
    (release / "run.py").write_text("print('hallo')")
    other = cloud.register_image("other", release)

    streams = [aws.stream(aws.snapshot_of(one)) for one in (first, again, other)]

    assert streams[0] == streams[1]
    assert streams[0] != streams[2]


def test_the_image_of_a_changed_machine_has_other_blocks(
    cloud: LocalCloud, aws: Aws, image: str, tmp_path: Path
) -> None:
    (instance,) = aws.launch(image)
    (tmp_path / "state" / "machines" / instance / "content" / "release.json").write_text(
        json.dumps({"version": "patched"})
    )

    patched = aws.ec2.create_image(InstanceId=instance, Name="patched")["ImageId"]

    assert b'"patched"' in aws.stream(aws.snapshot_of(patched))
    assert b'"patched"' not in aws.stream(aws.snapshot_of(image))


def test_blocks_of_zeros_are_not_listed(cloud: LocalCloud, aws: Aws, release: Path) -> None:
    with (release / "disk").open("wb") as disk:
        disk.truncate(4 * BLOCK)
        disk.seek(2 * BLOCK)
        disk.write(b"in the middle")
    snapshot = aws.snapshot_of(cloud.register_image("sparse", release))

    listed = aws.ebs.list_snapshot_blocks(SnapshotId=snapshot)

    assert [block["BlockIndex"] for block in listed["Blocks"]] == [0, 2, 4]
    assert (listed["BlockSize"], listed["VolumeSize"]) == (BLOCK, 8)
    assert b"in the middle" in aws.stream(snapshot)


def test_many_blocks_come_in_pages(cloud: LocalCloud, aws: Aws, release: Path) -> None:
    with (release / "disk").open("wb") as disk:
        for number in range(230):
            disk.write(number.to_bytes(2, "big").ljust(BLOCK, b"x"))
    snapshot = aws.snapshot_of(cloud.register_image("large", release))

    first = aws.ebs.list_snapshot_blocks(SnapshotId=snapshot, MaxResults=100)
    second = aws.ebs.list_snapshot_blocks(SnapshotId=snapshot, MaxResults=100, NextToken=first["NextToken"])
    third = aws.ebs.list_snapshot_blocks(SnapshotId=snapshot, MaxResults=100, NextToken=second["NextToken"])

    pages = [[block["BlockIndex"] for block in page["Blocks"]] for page in (first, second, third)]
    assert [len(page) for page in pages] == [100, 100, 31]
    assert [index for page in pages for index in page] == list(range(231))
    assert "NextToken" not in third
    tail = aws.ebs.list_snapshot_blocks(SnapshotId=snapshot, StartingBlockIndex=228)["Blocks"]
    assert [block["BlockIndex"] for block in tail] == [228, 229, 230]


def test_tokens_hold_for_their_own_block_only(cloud: LocalCloud, aws: Aws, image: str) -> None:
    snapshot = aws.snapshot_of(image)
    token = aws.ebs.list_snapshot_blocks(SnapshotId=snapshot)["Blocks"][0]["BlockToken"]
    other = aws.snapshot_of(cloud.register_image("other", RELEASES / "good-1.0"))

    def read(snapshot_id: str, index: int) -> Callable[[], object]:
        return lambda: aws.ebs.get_snapshot_block(SnapshotId=snapshot_id, BlockIndex=index, BlockToken=token)

    assert refusal(read(snapshot, 1)) == ("ValidationException", "INVALID_BLOCK_TOKEN")
    assert refusal(read(other, 0)) == ("ValidationException", "INVALID_BLOCK_TOKEN")
    assert refusal(lambda: aws.ebs.list_snapshot_blocks(SnapshotId=snapshot, NextToken="forged")) == (
        "ValidationException",
        "INVALID_PAGE_TOKEN",
    )


def test_a_snapshot_that_is_not_there_or_holds_nothing_is_refused(aws: Aws) -> None:
    hollow = aws.snapshot_of(aws.ec2.register_image(Name="hollow")["ImageId"])

    for snapshot in ("snap-0123456789abcdef0", hollow):
        assert refusal(lambda one=snapshot: aws.ebs.list_snapshot_blocks(SnapshotId=one)) == (  # type: ignore[misc]
            "ResourceNotFoundException",
            "SNAPSHOT_NOT_FOUND",
        )


def test_a_snapshot_outlives_its_image(cloud: LocalCloud, aws: Aws, image: str) -> None:
    snapshot = aws.snapshot_of(image)
    aws.ec2.deregister_image(ImageId=image)

    assert len(aws.stream(snapshot)) == BLOCK
    (kept,) = cloud.inventory()["content"]
    assert (kept["id"], kept["registered"], kept["snapshots"]) == (image, False, [snapshot])

    aws.ec2.delete_snapshot(SnapshotId=snapshot)
    assert cloud.inventory()["content"] == []
    assert refusal(lambda: aws.ebs.list_snapshot_blocks(SnapshotId=snapshot))[1] == "SNAPSHOT_NOT_FOUND"


def test_a_copied_snapshot_holds_the_same(cloud: LocalCloud, aws: Aws, image: str) -> None:
    source = aws.snapshot_of(image)
    copied = aws.ec2.copy_snapshot(SourceRegion="eu-west-1", SourceSnapshotId=source)["SnapshotId"]
    aws.ec2.deregister_image(ImageId=image)
    before = aws.stream(source)
    aws.ec2.delete_snapshot(SnapshotId=source)

    assert aws.stream(copied) == before


def test_a_tampered_image_differs_by_one_bit_each_time(cloud: LocalCloud, aws: Aws, image: str) -> None:
    snapshot = aws.snapshot_of(image)
    before = aws.stream(snapshot)

    places = [cloud.tamper_image(image), cloud.tamper_image(image)]

    after = aws.stream(snapshot)
    changed = [place for place, pair in enumerate(zip(before, after, strict=True)) if pair[0] != pair[1]]
    assert changed == places


def test_what_is_written_through_the_same_api_is_read_alike(aws: Aws) -> None:
    data = b"x" * BLOCK
    started = aws.ebs.start_snapshot(VolumeSize=1)["SnapshotId"]
    aws.ebs.put_snapshot_block(
        SnapshotId=started,
        BlockIndex=3,
        BlockData=data,
        DataLength=BLOCK,
        Checksum="unused",
        ChecksumAlgorithm="SHA256",
    )
    aws.ebs.complete_snapshot(SnapshotId=started, ChangedBlocksCount=1)

    assert aws.stream(started) == bytes(3 * BLOCK) + data
