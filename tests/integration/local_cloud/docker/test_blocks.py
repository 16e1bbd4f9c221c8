"""The snapshot of a Docker machine's image holds the image itself: its configuration and all its layers."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from integration.local_cloud.aws import RELEASES, Aws
from integration.local_cloud.docker.secure_shell import Key, told

from steadfleet_local_cloud import LocalCloud
from steadfleet_local_cloud.engine import Engine

pytestmark = pytest.mark.docker

BLOCK = 512 * 1024


def test_a_machines_change_is_in_the_blocks_of_its_image_and_of_a_copy(
    aws: Aws, base: str, tmp_path: Path
) -> None:
    key = Key(aws, tmp_path, "builder")
    (instance,) = aws.launch(base, KeyName=key.name)
    told(aws.address(instance), key.file, "printf %s a-mark-of-ours >/opt/mark && sync")

    made = aws.ec2.create_image(InstanceId=instance, Name="made")["ImageId"]
    copied = aws.copy(made, "copied")

    stream = aws.stream(aws.snapshot_of(made))
    assert b"a-mark-of-ours" in stream
    assert aws.stream(aws.snapshot_of(copied)) == stream
    assert layers(stream)[:-1] == layers(first_block(aws, aws.snapshot_of(base)))


def first_block(aws: Aws, snapshot: str) -> bytes:
    token = aws.ebs.list_snapshot_blocks(SnapshotId=snapshot)["Blocks"][0]["BlockToken"]
    return aws.ebs.get_snapshot_block(SnapshotId=snapshot, BlockIndex=0, BlockToken=token)["BlockData"].read()


def layers(stream: bytes) -> list[str]:
    """Read the digests of an image's layers from its configuration, with which the stream begins."""
    configuration, _ = json.JSONDecoder().raw_decode(stream[:BLOCK].decode(errors="replace"))
    return list(configuration["rootfs"]["diff_ids"])


def test_two_savings_of_one_image_are_the_same_bytes(cloud: LocalCloud, image: str, engine: Engine) -> None:
    images = cloud._context.images

    first, second = io.BytesIO(), io.BytesIO()
    images.write_stream(image, first)
    images.write_stream(image, second)

    assert first.getvalue() == second.getvalue()
    assert (RELEASES / "good-1.0" / "release.json").read_bytes() in first.getvalue()
