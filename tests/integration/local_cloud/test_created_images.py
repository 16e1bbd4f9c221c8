"""Images made of instances, asked for as packer's Amazon plugin asks."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from integration.local_cloud.aws import Aws

from steadfleet_local_cloud import LocalCloud

RUN = [{"Key": "run", "Value": "7"}]


def error_code(call: Callable[[], object]) -> str:
    with pytest.raises(ClientError) as refused:
        call()
    return refused.value.response["Error"]["Code"]


def specifications(*kinds: str) -> Any:
    return [{"ResourceType": kind, "Tags": RUN} for kind in kinds]


def test_all_that_a_launch_makes_is_tagged_in_the_same_call(cloud: LocalCloud, aws: Aws, image: str) -> None:
    aws.launch(image, TagSpecifications=specifications("instance", "volume", "network-interface"))

    held = cloud.inventory()
    assert [one["tags"] for kind in ("instances", "volumes", "network_interfaces") for one in held[kind]] == [
        {"run": "7"}
    ] * 3


def test_an_image_and_its_snapshot_are_tagged_in_the_same_call(
    cloud: LocalCloud, aws: Aws, image: str
) -> None:
    disk = {"VolumeSize": 20, "VolumeType": "gp3", "DeleteOnTermination": True}
    (instance,) = aws.launch(image, BlockDeviceMappings=[{"DeviceName": "/dev/sda1", "Ebs": disk}])
    aws.ec2.stop_instances(InstanceIds=[instance])

    made = aws.ec2.create_image(
        InstanceId=instance,
        Name="web-2.0",
        Description="built",
        NoReboot=True,
        TagSpecifications=specifications("image", "snapshot"),
    )["ImageId"]

    described = aws.image(made)
    (snapshot,) = aws.ec2.describe_snapshots(SnapshotIds=[aws.snapshot_of(made)])["Snapshots"]
    assert (described["Tags"], snapshot["Tags"]) == (RUN, RUN)
    assert (described["State"], described["Description"]) == ("available", "built")
    assert described["SourceInstanceId"] == instance
    (device,) = described["BlockDeviceMappings"]
    assert (device["DeviceName"], device["Ebs"]["VolumeSize"], device["Ebs"]["VolumeType"]) == (
        "/dev/sda1",
        20,
        "gp3",
    )
    assert (snapshot["VolumeSize"], snapshot["State"]) == (20, "completed")
    assert aws.ebs.list_snapshot_blocks(SnapshotId=snapshot["SnapshotId"])["VolumeSize"] == 20


def test_what_a_build_made_can_be_found_by_its_tag_and_deleted(
    cloud: LocalCloud, aws: Aws, image: str
) -> None:
    before = cloud.inventory()
    (instance,) = aws.launch(
        image, TagSpecifications=specifications("instance", "volume", "network-interface")
    )
    made = aws.ec2.create_image(
        InstanceId=instance, Name="web-2.0", TagSpecifications=specifications("image", "snapshot")
    )["ImageId"]
    aws.ec2.terminate_instances(InstanceIds=[instance])
    mine: Any = [{"Name": "tag:run", "Values": ["7"]}]

    (found,) = aws.ec2.describe_images(Filters=mine)["Images"]
    assert found["ImageId"] == made
    (snapshot,) = aws.ec2.describe_snapshots(Filters=mine)["Snapshots"]
    aws.ec2.deregister_image(ImageId=made)
    aws.ec2.delete_snapshot(SnapshotId=str(snapshot["SnapshotId"]))

    assert aws.ec2.describe_images(Filters=mine)["Images"] == []
    assert cloud.inventory() == before


def test_a_name_is_taken_once(aws: Aws, image: str) -> None:
    (instance,) = aws.launch(image)
    aws.ec2.create_image(InstanceId=instance, Name="web-2.0")

    assert (
        error_code(lambda: aws.ec2.create_image(InstanceId=instance, Name="web-2.0"))
        == "InvalidAMIName.Duplicate"
    )


def test_an_encrypted_disk_gives_an_encrypted_image(aws: Aws, image: str) -> None:
    key = aws.kms.create_key()["KeyMetadata"]["Arn"]
    disk = {"VolumeSize": 8, "Encrypted": True, "KmsKeyId": key}
    (instance,) = aws.launch(image, BlockDeviceMappings=[{"DeviceName": "/dev/sda1", "Ebs": disk}])

    made = aws.ec2.create_image(InstanceId=instance, Name="web-2.0")["ImageId"]

    (snapshot,) = aws.ec2.describe_snapshots(SnapshotIds=[aws.snapshot_of(made)])["Snapshots"]
    assert aws.image(made)["BlockDeviceMappings"][0]["Ebs"]["Encrypted"]
    assert (snapshot["Encrypted"], snapshot["KmsKeyId"]) == (True, key)
