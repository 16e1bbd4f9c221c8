"""What an image of a Docker machine holds, and what it must not."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from integration.local_cloud.aws import RELEASES, Aws, ask
from integration.local_cloud.docker.secure_shell import Key, host_key, ssh, told
from integration.local_cloud.waiting import until

from steadfleet_local_cloud import LocalCloud
from steadfleet_local_cloud.base_image import BaseImage
from steadfleet_local_cloud.engine import Engine

pytestmark = pytest.mark.docker


def files(engine: Engine, image: str, folder: Path) -> dict[str, int]:
    """Every file in every layer of an image, and its size; what a later layer removed included."""
    (reference,) = engine.docker.image.list(filters=[("reference", f"local-cloud-*:{image}")])
    engine.docker.image.save(reference, output=folder / "saved.tar")
    with tarfile.open(folder / "saved.tar") as archive:
        return dict(_files(archive))


def _files(archive: tarfile.TarFile) -> Iterator[tuple[str, int]]:
    for layer in (one for one in archive if one.name.endswith("layer.tar") and one.isfile()):
        with tarfile.open(fileobj=archive.extractfile(layer)) as content:
            for entry in content:
                if entry.isfile():
                    yield entry.name.removeprefix("./"), entry.size


@pytest.mark.parametrize("state", ["running", "stopped"])
def test_an_image_keeps_what_was_put_on_the_machine_but_nothing_of_its_identity(
    aws: Aws, base: str, tmp_path: Path, engine: Engine, state: str
) -> None:
    builder, operator = Key(aws, tmp_path, "builder"), Key(aws, tmp_path, "operator")
    (instance,) = aws.launch(base, KeyName=builder.name)
    address = aws.address(instance)
    told(address, builder.file, "mkdir -p /opt/app && echo made >/opt/app/file && sync")
    host = host_key(address)
    if state == "stopped":
        aws.ec2.stop_instances(InstanceIds=[instance])

    image = aws.ec2.create_image(InstanceId=instance, Name="made")["ImageId"]

    held = files(engine, image, tmp_path)
    assert "opt/app/file" in held
    assert "var/lib/dpkg/status" in held
    assert [name for name in held if "ssh_host" in name or "authorized_keys" in name] == []
    assert [name for name in held if name.startswith("run/")] == []
    # the machine itself is as it was
    assert aws.state(instance) == state
    if state == "stopped":
        assert host_key(address) == ""
        aws.ec2.start_instances(InstanceIds=[instance])
    assert told(address, builder.file, "cat /opt/app/file") == "made\n"
    assert host_key(address) == host
    # and another has its content, with keys of its own
    (fresh,) = aws.launch(image, KeyName=operator.name)
    assert told(aws.address(fresh), operator.file, "cat /opt/app/file") == "made\n"
    assert ssh(aws.address(fresh), builder.file, "true").returncode == 255
    assert host_key(aws.address(fresh)) != host


def test_keys_that_belong_to_the_image_stay_in_it(aws: Aws, base: str, tmp_path: Path) -> None:
    builder, staff = Key(aws, tmp_path, "builder"), Key(aws, tmp_path, "staff")
    (material,) = [one["PublicKey"] for one in _public(aws, staff.name)]
    (instance,) = aws.launch(base, KeyName=builder.name)
    told(aws.address(instance), builder.file, f"echo '{material}' >>/root/.ssh/authorized_keys")

    image = aws.ec2.create_image(InstanceId=instance, Name="made")["ImageId"]
    (fresh,) = aws.launch(image)

    assert told(aws.address(fresh), staff.file, "cat /root/.ssh/authorized_keys").strip() == material
    assert ssh(aws.address(fresh), builder.file, "true").returncode == 255


def _public(aws: Aws, name: str) -> list[dict[str, str]]:
    found = aws.ec2.describe_key_pairs(KeyNames=[name], IncludePublicKey=True)["KeyPairs"]
    return [{"PublicKey": one["PublicKey"].strip()} for one in found]


def test_a_program_that_a_provisioner_installed_is_started_at_boot(
    aws: Aws, base: str, tmp_path: Path
) -> None:
    key = Key(aws, tmp_path, "builder")
    (instance,) = aws.launch(base, KeyName=key.name)
    program = "#!/bin/sh\nexec python3 -m http.server --bind 0.0.0.0 $PORT\n"
    told(
        aws.address(instance),
        key.file,
        f"mkdir -p /opt/machine && cd /opt/machine && printf '{program}' >run && chmod 755 run && "
        """echo '{"version": "3.0"}' >healthz""",
    )

    image = aws.ec2.create_image(InstanceId=instance, Name="made")["ImageId"]
    (fresh,) = aws.launch(image)

    assert until(partial(ask, aws.address(fresh))) == {"version": "3.0"}


def test_an_image_goes_with_the_last_that_needs_it(aws: Aws, image: str, engine: Engine) -> None:
    def tags() -> int:
        return len(engine.docker.image.list(filters=[("reference", f"local-cloud-*:{image}")]))

    copied = aws.ec2.copy_image(SourceImageId=image, SourceRegion="eu-west-1", Name="copy")["ImageId"]
    (snapshot,) = [
        mapping["Ebs"]["SnapshotId"]
        for mapping in aws.ec2.describe_images(ImageIds=[image])["Images"][0]["BlockDeviceMappings"]
    ]
    until(lambda: aws.ec2.describe_images(ImageIds=[copied])["Images"][0]["State"] == "available")
    (running,) = aws.launch(image)

    aws.ec2.deregister_image(ImageId=image)
    assert tags() == 1  # its snapshot can still be read
    aws.ec2.delete_snapshot(SnapshotId=snapshot)

    assert tags() == 0
    assert until(partial(ask, aws.address(running)))
    (fresh,) = aws.launch(copied)
    assert until(partial(ask, aws.address(fresh)))


def test_every_region_has_the_base_image_and_none_can_take_it_away(tmp_path: Path, engine: Engine) -> None:
    regions = ("eu-west-1", "us-east-1")
    with LocalCloud(state=tmp_path / "state", machines="docker", regions=regions) as cloud:
        for region in regions:
            ec2 = Aws(cloud.endpoint, region).ec2
            (found,) = ec2.describe_images(Owners=["self"])["Images"]
            assert found["Name"] == BaseImage.of_this_system().name
            (snapshot,) = [mapping["Ebs"]["SnapshotId"] for mapping in found["BlockDeviceMappings"]]
            ec2.deregister_image(ImageId=found["ImageId"])
            ec2.delete_snapshot(SnapshotId=snapshot)

    assert engine.docker.image.exists(BaseImage.of_this_system().tag)


def test_machines_of_two_regions_reach_each_others_images_only_by_copy(
    tmp_path: Path, engine: Engine
) -> None:
    with LocalCloud(machines="docker", regions=("eu-west-1", "us-east-1")) as cloud:
        here, there = Aws(cloud.endpoint), Aws(cloud.endpoint, "us-east-1")
        image = cloud.register_image("web-1.0", RELEASES / "good-1.0")
        copied = there.ec2.copy_image(SourceImageId=image, SourceRegion="eu-west-1", Name="copy")["ImageId"]
        until(lambda: there.ec2.describe_images(ImageIds=[copied])["Images"][0]["State"] == "available")

        addresses = [here.address(*here.launch(image)), there.address(*there.launch(copied))]

        assert len({address.split(".")[1] for address in addresses}) == 2
        zones = [(until(partial(ask, address)) or {})["zone"] for address in addresses]
        assert zones == ["eu-west-1a", "us-east-1a"]


def test_a_snapshots_blocks_end_with_what_was_put_on_the_base(aws: Aws, image: str) -> None:
    (found,) = aws.ec2.describe_images(ImageIds=[image])["Images"]
    snapshot = found["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    blocks = aws.ebs.list_snapshot_blocks(SnapshotId=snapshot, MaxResults=10_000)["Blocks"]

    content = b"".join(
        aws.ebs.get_snapshot_block(
            SnapshotId=snapshot, BlockIndex=block["BlockIndex"], BlockToken=block["BlockToken"]
        )["BlockData"].read()
        for block in blocks[-2:]
    )

    assert len(blocks) > 100  # a whole system
    assert (RELEASES / "good-1.0" / "release.json").read_bytes() in content
