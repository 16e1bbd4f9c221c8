"""The descriptor says which AMI it is, by what can never change of it."""

import hashlib
import json
from copy import deepcopy
from typing import Any

import pytest

from steadfleet_core.errors import RefusedError
from steadfleet_signing.ami import Disk, describe

# As DescribeImages answers for an image of Debian's, with a second disk.
RECORDED: dict[str, Any] = {
    "Architecture": "x86_64",
    "BlockDeviceMappings": [
        {"DeviceName": "/dev/xvdb", "Ebs": {"SnapshotId": "snap-0b", "VolumeSize": 20, "VolumeType": "gp3"}},
        {
            "DeviceName": "/dev/xvda",
            "Ebs": {
                "DeleteOnTermination": True,
                "SnapshotId": "snap-0a",
                "VolumeSize": 8,
                "VolumeType": "gp3",
            },
        },
        {"DeviceName": "/dev/sdb", "VirtualName": "ephemeral0"},
    ],
    "BootMode": "uefi-preferred",
    "CreationDate": "2026-10-01T00:00:00.000Z",
    "Description": "web 1.4.2",
    "EnaSupport": True,
    "Hypervisor": "xen",
    "ImageId": "ami-0123456789abcdef0",
    "ImageLocation": "111122223333/web",
    "ImageType": "machine",
    "ImdsSupport": "v2.0",
    "Name": "web-1.4.2",
    "OwnerId": "111122223333",
    "Public": False,
    "RootDeviceName": "/dev/xvda",
    "RootDeviceType": "ebs",
    "State": "available",
    "Tags": [{"Key": "steadfleet:run", "Value": "x"}],
    "VirtualizationType": "hvm",
}


def changed(**fields: Any) -> Any:
    return {**deepcopy(RECORDED), **fields}


def digest(image: Any = RECORDED, region: str = "eu-west-1") -> str:
    return describe(image, region).digest


def test_it_is_what_the_documentation_says() -> None:
    described = describe(RECORDED, "eu-west-1")
    content = {
        "type": "https://steadfleet.dev/ami-descriptor/v1",
        "ImageId": "ami-0123456789abcdef0",
        "OwnerId": "111122223333",
        "Region": "eu-west-1",
        "Architecture": "x86_64",
        "BootMode": "uefi-preferred",
        "TpmSupport": None,
        "VirtualizationType": "hvm",
        "RootDeviceName": "/dev/xvda",
        "RootDeviceType": "ebs",
        "EnaSupport": True,
        "BlockDeviceMappings": [
            {"DeviceName": "/dev/sdb", "SnapshotId": None, "VirtualName": "ephemeral0", "VolumeSize": None},
            {"DeviceName": "/dev/xvda", "SnapshotId": "snap-0a", "VirtualName": None, "VolumeSize": 8},
            {"DeviceName": "/dev/xvdb", "SnapshotId": "snap-0b", "VirtualName": None, "VolumeSize": 20},
        ],
    }
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":")).encode()

    assert described.canonical == canonical
    assert described.digest == f"sha256:{hashlib.sha256(canonical).hexdigest()}"
    assert described.arn == "arn:aws:ec2:eu-west-1:111122223333:image/ami-0123456789abcdef0"
    assert described.disks == (Disk("/dev/xvda", "snap-0a"), Disk("/dev/xvdb", "snap-0b"))


@pytest.mark.parametrize(
    "fields",
    [
        {"Name": "other"},
        {"Tags": []},
        {"Public": True},
        {"ImdsSupport": None},
        {"Description": "other"},
        {"DeprecationTime": "2027-10-01T00:00:00.000Z"},
        {"BlockDeviceMappings": list(reversed(RECORDED["BlockDeviceMappings"]))},
    ],
)
def test_what_may_change_does_not_count(fields: dict[str, Any]) -> None:
    assert digest(changed(**fields)) == digest()


@pytest.mark.parametrize(
    "fields",
    [
        {"ImageId": "ami-0123456789abcdef1"},
        {"OwnerId": "444455556666"},
        {"Architecture": "arm64"},
        {"BootMode": "legacy-bios"},
        {"TpmSupport": "v2.0"},
        {"VirtualizationType": "paravirtual"},
        {"RootDeviceName": "/dev/xvdb"},
        {"EnaSupport": False},
        {"BlockDeviceMappings": RECORDED["BlockDeviceMappings"][:2]},
    ],
)
def test_what_can_never_change_counts(fields: dict[str, Any]) -> None:
    assert digest(changed(**fields)) != digest()


@pytest.mark.parametrize("field", ["SnapshotId", "VolumeSize"])
def test_the_disks_count(field: str) -> None:
    other = changed()
    other["BlockDeviceMappings"][1]["Ebs"][field] = "snap-0c" if field == "SnapshotId" else 9

    assert digest(other) != digest()


def test_the_region_counts() -> None:
    assert digest(region="us-east-1") != digest()


def test_an_image_without_snapshots_is_refused() -> None:
    with pytest.raises(RefusedError, match="nothing of it could be measured"):
        describe(changed(BlockDeviceMappings=[]), "eu-west-1")
