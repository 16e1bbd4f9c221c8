import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from integration.local_cloud.aws import RELEASES, Aws, ask
from integration.local_cloud.waiting import until

from steadfleet_local_cloud import LocalCloud

HOME, OTHER = "eu-west-1", "eu-central-1"


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[LocalCloud]:
    with LocalCloud(state=tmp_path / "state", regions=(HOME, OTHER)) as cloud:
        yield cloud


@pytest.fixture
def other(cloud: LocalCloud) -> Aws:
    return Aws(cloud.endpoint, OTHER)


def error_code(call: Callable[[], object]) -> str:
    with pytest.raises(ClientError) as refused:
        call()
    return refused.value.response["Error"]["Code"]


def tags(described: Any) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in described.get("Tags", [])}


def specification(kind: Any, **tags: str) -> Any:
    return {"ResourceType": kind, "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}


def test_a_copy_in_another_region_has_the_content_and_boots(
    cloud: LocalCloud, aws: Aws, other: Aws, image: str
) -> None:
    copied = other.copy(image, "web-1.0")
    aws.ec2.deregister_image(ImageId=image, DeleteAssociatedSnapshots=True)

    (instance,) = other.launch(copied)
    answer = until(lambda: ask(other.address(instance)))
    assert answer is not None
    assert (answer["version"], answer["zone"]) == ("1.0", "eu-central-1a")
    assert other.stream(other.snapshot_of(copied)) == aws.stream(
        aws.snapshot_of(cloud.register_image("again", RELEASES / "good-1.0"))
    )


def test_a_copy_is_pending_at_first(aws: Aws, other: Aws, image: str) -> None:
    copied = other.ec2.copy_image(SourceImageId=image, SourceRegion=HOME, Name="copy")["ImageId"]
    aws.image(image)  # looking elsewhere does not help
    assert error_code(lambda: other.launch(copied)) == "InvalidAMIID.Unavailable"
    assert (
        error_code(lambda: aws.ec2.copy_image(SourceImageId=copied, SourceRegion=OTHER, Name="of a copy"))
        == "InvalidAMIID.Unavailable"
    )

    first = other.image(copied)
    assert first["State"] == "pending"
    snapshot = first["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    assert error_code(lambda: other.ebs.list_snapshot_blocks(SnapshotId=snapshot)) == "ValidationException"

    assert other.image(copied)["State"] == "available"
    (described,) = other.ec2.describe_snapshots(SnapshotIds=[snapshot])["Snapshots"]
    assert described["State"] == "completed"


def test_a_copys_snapshot_is_pending_with_it(other: Aws, image: str) -> None:
    other.ec2.copy_image(SourceImageId=image, SourceRegion=HOME, Name="copy")

    def state() -> str:
        (snapshot,) = other.ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]
        return snapshot["State"]

    assert [state(), state()] == ["pending", "completed"]


def test_the_waiter_of_the_sdk_sees_a_copy_through(other: Aws, image: str) -> None:
    copied = other.ec2.copy_image(SourceImageId=image, SourceRegion=HOME, Name="copy")["ImageId"]

    other.ec2.get_waiter("image_available").wait(ImageIds=[copied], WaiterConfig={"Delay": 0})

    assert other.launch(copied)


def test_a_slow_copy_takes_its_time_however_often_it_is_looked_at(
    cloud: LocalCloud, other: Aws, image: str
) -> None:
    cloud.add_fault("slow-copy", seconds=1.0, region=OTHER)
    began = time.monotonic()
    copied = other.ec2.copy_image(SourceImageId=image, SourceRegion=HOME, Name="copy")["ImageId"]

    states = [other.image(copied)["State"] for _ in range(3)]
    until(lambda: other.image(copied)["State"], lambda state: state == "available")

    assert states == ["pending"] * 3
    assert time.monotonic() - began >= 1.0


def test_copies_may_be_there_at_once(tmp_path: Path) -> None:
    with LocalCloud(state=tmp_path, pending_describes=0) as cloud:
        aws = Aws(cloud.endpoint)
        image = cloud.register_image("web-1.0", RELEASES / "good-1.0")
        copied = aws.ec2.copy_image(SourceImageId=image, SourceRegion=HOME, Name="copy")["ImageId"]

        assert aws.image(copied)["State"] == "available"


def test_tags_are_copied_only_when_asked(cloud: LocalCloud, aws: Aws, other: Aws) -> None:
    image = cloud.register_image("web-1.0", RELEASES / "good-1.0", tags={"version": "1.0"})

    plain = other.copy(image, "plain")
    tagged = other.copy(
        image,
        "tagged",
        CopyImageTags=True,
        TagSpecifications=[specification("image", run="7"), specification("snapshot", run="8")],
    )

    assert tags(other.image(plain)) == {}
    assert tags(other.image(tagged)) == {"Name": "web-1.0", "version": "1.0", "run": "7"}
    (snapshot,) = other.ec2.describe_snapshots(SnapshotIds=[other.snapshot_of(tagged)])["Snapshots"]
    assert tags(snapshot) == {"run": "8"}


def test_an_encrypted_copy_says_so_and_is_read_in_the_clear(aws: Aws, other: Aws, image: str) -> None:
    key = other.kms.create_key()["KeyMetadata"]["Arn"]

    plain = other.copy(image, "plain")
    encrypted = other.copy(image, "encrypted", Encrypted=True, KmsKeyId=key)
    by_default = other.copy(image, "default", Encrypted=True)
    again = aws.copy(encrypted, "again", source_region=OTHER)

    def state(aws: Aws, image_id: str) -> tuple[bool, bool, str | None]:
        disk = aws.image(image_id)["BlockDeviceMappings"][0]["Ebs"]
        (snapshot,) = aws.ec2.describe_snapshots(SnapshotIds=[disk["SnapshotId"]])["Snapshots"]
        return disk["Encrypted"], snapshot["Encrypted"], snapshot.get("KmsKeyId")

    assert state(other, plain) == (False, False, None)
    assert state(other, encrypted) == (True, True, key)
    assert state(other, by_default)[:2] == (True, True)
    assert state(aws, again)[:2] == (True, True)
    assert other.stream(other.snapshot_of(encrypted)) == aws.stream(aws.snapshot_of(image))


def test_a_copy_for_a_key_that_is_not_there_fails_later(aws: Aws, other: Aws, image: str) -> None:
    elsewhere = aws.kms.create_key()["KeyMetadata"]["Arn"]

    for name, key in (("unknown", "alias/none"), ("elsewhere", elsewhere)):
        copied = other.ec2.copy_image(
            SourceImageId=image, SourceRegion=HOME, Name=name, Encrypted=True, KmsKeyId=key
        )["ImageId"]
        assert [other.image(copied)["State"] for _ in range(2)] == ["pending", "failed"]


def test_the_same_client_token_copies_once(cloud: LocalCloud, other: Aws, image: str) -> None:
    def copy(name: str) -> str:
        return other.ec2.copy_image(SourceImageId=image, SourceRegion=HOME, Name=name, ClientToken="one")[
            "ImageId"
        ]

    assert copy("copy") == copy("copy")
    assert error_code(lambda: copy("other")) == "IdempotentParameterMismatch"
    assert len([one for one in cloud.inventory()["images"] if one["region"] == OTHER]) == 1


def test_a_lost_copy_is_found_by_its_name(cloud: LocalCloud, other: Aws, image: str) -> None:
    other.copy(image, "copy")

    assert error_code(lambda: other.copy(image, "copy")) == "InvalidAMIName.Duplicate"


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"SourceImageId": "ami-12345678"}, "InvalidAMIID.NotFound"),
        ({"SourceRegion": "mars-north-1"}, "InvalidParameterValue"),
        ({"SourceRegion": OTHER}, "InvalidAMIID.NotFound"),
        ({"KmsKeyId": "alias/any"}, "InvalidParameterDependency"),
        ({"DryRun": True}, "DryRunOperation"),
    ],
)
def test_a_copy_that_cannot_be_is_refused_and_leaves_nothing(
    cloud: LocalCloud, other: Aws, image: str, options: dict[str, Any], code: str
) -> None:
    before = cloud.inventory()
    request = {"SourceImageId": image, "SourceRegion": HOME, "Name": "copy"} | options

    assert error_code(lambda: other.ec2.copy_image(**request)) == code
    assert cloud.inventory() == before


def test_a_tampered_copy_differs_from_its_source(cloud: LocalCloud, aws: Aws, other: Aws, image: str) -> None:
    cloud.add_fault("tampered-copy", region=OTHER, after=1, count=1)

    good, bad, later = (other.copy(image, name) for name in ("good", "bad", "later"))
    home = aws.copy(image, "home")
    of_bad = aws.copy(bad, "of bad", source_region=OTHER)

    source = aws.stream(aws.snapshot_of(image))
    streams = {
        name: where.stream(where.snapshot_of(one))
        for name, where, one in [
            ("good", other, good),
            ("bad", other, bad),
            ("later", other, later),
            ("home", aws, home),
            ("of bad", aws, of_bad),
        ]
    }
    assert {name for name, stream in streams.items() if stream != source} == {"bad", "of bad"}
    assert sum(one != two for one, two in zip(streams["bad"], source, strict=True)) == 1
    events = [entry for entry in cloud.record() if entry.get("event") == "tampered"]
    assert [(entry["image"], entry["region"]) for entry in events] == [(bad, OTHER)]


def test_deregistering_deletes_the_snapshot_only_when_asked(cloud: LocalCloud, aws: Aws, image: str) -> None:
    copied = aws.copy(image, "copy")
    kept, gone = aws.snapshot_of(image), aws.snapshot_of(copied)

    aws.ec2.deregister_image(ImageId=image)
    answer = aws.ec2.deregister_image(ImageId=copied, DeleteAssociatedSnapshots=True)

    assert answer["DeleteSnapshotResults"] == [{"SnapshotId": gone, "ReturnCode": "success"}]
    assert [one["id"] for one in cloud.inventory()["snapshots"]] == [kept]
    assert [one["id"] for one in cloud.inventory()["content"]] == [image]


def test_a_snapshot_in_use_by_an_image_is_not_deleted(aws: Aws, other: Aws, image: str) -> None:
    copied = other.copy(image, "copy")
    snapshot = other.snapshot_of(copied)

    assert error_code(lambda: other.ec2.delete_snapshot(SnapshotId=snapshot)) == "InvalidSnapshot.InUse"
    assert (
        error_code(lambda: aws.ec2.delete_snapshot(SnapshotId=aws.snapshot_of(image)))
        == "InvalidSnapshot.InUse"
    )


def test_launch_permissions_are_given_taken_and_not_copied(aws: Aws, image: str) -> None:
    def permissions(image_id: str) -> list[Any]:
        answer = aws.ec2.describe_image_attribute(ImageId=image_id, Attribute="launchPermission")
        return list(answer.get("LaunchPermissions", []))

    accounts = [{"UserId": "111122223333"}, {"UserId": "444455556666"}]
    aws.ec2.modify_image_attribute(ImageId=image, LaunchPermission={"Add": accounts})  # type: ignore[typeddict-item]
    assert permissions(image) == accounts
    assert permissions(aws.copy(image, "copy")) == []

    aws.ec2.modify_image_attribute(ImageId=image, OperationType="remove", UserIds=["111122223333"])
    assert permissions(image) == [{"UserId": "444455556666"}]
    assert (
        error_code(
            lambda: aws.ec2.modify_image_attribute(
                ImageId=image, LaunchPermission={"Add": [{"UserId": "nobody"}]}
            )
        )
        == "InvalidAMIAttributeItemValue"
    )
    unknown = "ami-12345678"
    assert error_code(lambda: permissions(unknown)) == "InvalidAMIID.NotFound"
    assert (
        error_code(
            lambda: aws.ec2.modify_image_attribute(ImageId=unknown, OperationType="add", UserIds=["1" * 12])
        )
        == "InvalidAMIID.NotFound"
    )


def test_an_image_tells_what_a_builder_looks_at(aws: Aws, image: str) -> None:
    described = aws.image(image)

    assert {
        name: described[name]
        for name in ("RootDeviceType", "VirtualizationType", "Architecture", "EnaSupport")
    } == {"RootDeviceType": "ebs", "VirtualizationType": "hvm", "Architecture": "x86_64", "EnaSupport": True}
    assert described["RootDeviceName"] == described["BlockDeviceMappings"][0]["DeviceName"]
