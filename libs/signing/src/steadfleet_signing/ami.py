"""Which AMI it is: a digest over what can never change of it, as EC2 describes it now.

An AMI has no digest of its own. That its id always means the same snapshots is AWS's word, on which
this rests; what the snapshots hold is another digest, which only whoever may read them can take.
Pure: an auditor measures a saved answer exactly as the signer measured EC2's own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import rfc8785

from steadfleet_core.errors import RefusedError
from steadfleet_core.model import Digest, digest_of

DESCRIPTOR_TYPE = "https://steadfleet.dev/ami-descriptor/v1"

# Neither the name nor tags, permissions, deprecation or IMDS support: those may be changed.
_FIXED = (
    "ImageId",
    "OwnerId",
    "Architecture",
    "BootMode",
    "TpmSupport",
    "VirtualizationType",
    "RootDeviceName",
    "RootDeviceType",
    "EnaSupport",
)


@dataclass(frozen=True)
class Disk:
    device: str
    snapshot: str


@dataclass(frozen=True)
class Descriptor:
    """An AMI's fixed fields, in the bytes that are hashed; `arn` is how people call it."""

    arn: str
    canonical: bytes
    disks: tuple[Disk, ...]

    @property
    def digest(self) -> Digest:
        return digest_of(self.canonical)


def describe(image: Mapping[str, Any], region: str) -> Descriptor:
    """Read it from an answer of DescribeImages. What is absent there is null here."""
    disks = sorted(image.get("BlockDeviceMappings", []), key=lambda one: one.get("DeviceName", ""))
    described: list[dict[str, Any]] = [
        {
            "DeviceName": disk.get("DeviceName"),
            "SnapshotId": disk.get("Ebs", {}).get("SnapshotId"),
            "VirtualName": disk.get("VirtualName"),
            "VolumeSize": disk.get("Ebs", {}).get("VolumeSize"),
        }
        for disk in disks
    ]
    found = tuple(
        Disk(one["DeviceName"], one["SnapshotId"])
        for one in described
        if one["DeviceName"] and one["SnapshotId"]
    )
    if not found:
        raise RefusedError(
            f"image {image['ImageId']} in {region} has no snapshot, so nothing of it could be measured: "
            "expected an image that is backed by EBS"
        )
    fixed = {field: image.get(field) for field in _FIXED}
    content: dict[str, Any] = {
        "type": DESCRIPTOR_TYPE,
        "Region": region,
        "BlockDeviceMappings": described,
        **fixed,
    }
    arn = f"arn:aws:ec2:{region}:{image.get('OwnerId', '')}:image/{image['ImageId']}"
    return Descriptor(arn, rfc8785.dumps(content), found)
