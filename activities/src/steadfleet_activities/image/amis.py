"""The AMIs of one region and their snapshots. Every method is one look or one act, and blocks."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from steadfleet_activities.fleet.errors import code_of
from steadfleet_activities.fleet.machines import PAGE, pages
from steadfleet_activities.image import tags
from steadfleet_activities.image.clients import RegionalAws

if TYPE_CHECKING:
    from mypy_boto3_ec2.literals import ResourceTypeType
    from mypy_boto3_ec2.type_defs import (
        FilterTypeDef,
        ImageTypeDef,
        SnapshotTypeDef,
        TagSpecificationTypeDef,
        TagTypeDef,
    )

_UNKNOWN = frozenset({"InvalidAMIID.NotFound", "InvalidAMIID.Malformed", "InvalidAMIID.Unavailable"})
_OURS = ("self",)


@dataclass(frozen=True)
class Ami:
    """An image as it was at one look."""

    id: str
    name: str
    state: str
    tags: dict[str, str]
    created_at: datetime | None = None
    snapshots: tuple[str, ...] = ()
    description: str = ""
    reason: str = ""
    unencrypted: bool = False

    @property
    def released(self) -> bool:
        return tags.FAMILY in self.tags

    @property
    def lost(self) -> bool:
        """It will never become available."""
        return self.state not in {"pending", "transient", "available"}

    def is_of(self, run: str) -> bool:
        return self.tags.get(tags.RUN) == run


class Amis:
    """The images of one region."""

    def __init__(self, aws: RegionalAws) -> None:
        self._aws = aws
        self.region = aws.region

    def find(self, image_id: str) -> Ami | None:
        """Describe one, whosever it is."""
        try:
            found = self._aws.ec2.describe_images(ImageIds=[image_id])["Images"]
        except ClientError as error:
            if code_of(error) not in _UNKNOWN:
                raise
            return None
        return _read(found[0]) if found else None

    def named(self, name: str, owner: str | None = None) -> list[Ami]:
        """Find by name, newest first: ours, unless another owner is named."""
        return self._matching({"name": [name]}, [owner] if owner else _OURS)

    def tagged(self, wanted: Mapping[str, str]) -> list[Ami]:
        """Find ours by tags, newest first."""
        return self._matching({f"tag:{key}": [value] for key, value in wanted.items()}, _OURS)

    def with_tag(self, key: str) -> list[Ami]:
        return self._matching({"tag-key": [key]}, _OURS)

    def of_run(self, run: str, name: str) -> list[Ami]:
        """Find ours by run, and by name what was not tagged yet: packer 1.6 tags after it creates."""
        found = {ami.id: ami for ami in self.tagged({tags.RUN: run})}
        found |= {ami.id: ami for ami in self.named(name) if tags.RUN not in ami.tags}
        return list(found.values())

    def snapshots_of(self, ami: Ami) -> set[str]:
        """Find its snapshots, also before the platform shows them in the image."""
        # Not by every mention: a copy's snapshot names its source too.
        patterns = [f"Created by CreateImage(*) for {ami.id}*", f"Copied for DestinationAmi {ami.id} *"]
        return {*ami.snapshots, *self.snapshots({"description": patterns})}

    def snapshots(self, filters: Mapping[str, Sequence[str]]) -> dict[str, dict[str, str]]:
        """Find our snapshots and their tags."""
        answers = self._aws.ec2.get_paginator("describe_snapshots").paginate(
            OwnerIds=list(_OURS), Filters=filters_of(filters)
        )
        return {one["SnapshotId"]: read_tags(one) for answer in answers for one in answer["Snapshots"]}

    def tag(self, resources: Iterable[str], given: Mapping[str, str]) -> None:
        """Set tags, as often as one likes."""
        for page in pages(sorted(set(resources)), PAGE):
            self._aws.ec2.create_tags(Resources=list(page), Tags=written_tags(given))

    def untag(self, resources: Iterable[str], key: str) -> None:
        for page in pages(sorted(set(resources)), PAGE):
            self._aws.ec2.delete_tags(Resources=list(page), Tags=[{"Key": key}])

    def remove(self, ami: Ami, identity: Mapping[str, str]) -> None:
        """Deregister it and delete its snapshots; a second try finds what a first one left."""
        snapshots = self.snapshots_of(ami)
        # Once the image is gone, only a tag tells whose its snapshots were.
        self.tag(snapshots, identity)
        try:
            self._aws.ec2.deregister_image(ImageId=ami.id)
        except ClientError as error:
            if code_of(error) not in _UNKNOWN:
                raise
        self.delete_snapshots(snapshots)

    def delete_snapshots(self, snapshots: Iterable[str]) -> None:
        for snapshot in sorted(set(snapshots)):
            try:
                self._aws.ec2.delete_snapshot(SnapshotId=snapshot)
            except ClientError as error:
                if code_of(error) != "InvalidSnapshot.NotFound":
                    raise

    def _matching(self, filters: Mapping[str, Sequence[str]], owners: Sequence[str]) -> list[Ami]:
        answers = self._aws.ec2.get_paginator("describe_images").paginate(
            Owners=list(owners), Filters=filters_of(filters)
        )
        found = [_read(image) for answer in answers for image in answer["Images"]]
        return sorted(found, key=lambda ami: (str(ami.created_at), ami.id), reverse=True)


def filters_of(filters: Mapping[str, Sequence[str]]) -> "list[FilterTypeDef]":
    return [{"Name": name, "Values": list(values)} for name, values in filters.items()]


def written_tags(given: Mapping[str, str]) -> "list[TagTypeDef]":
    return [{"Key": key, "Value": value} for key, value in given.items()]


def specifications(given: Mapping[str, str], *kinds: "ResourceTypeType") -> "list[TagSpecificationTypeDef]":
    """Tag what a call creates in that same call: what exists can always be found."""
    return [{"ResourceType": kind, "Tags": written_tags(given)} for kind in kinds]


def read_tags(described: "ImageTypeDef | SnapshotTypeDef") -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in described.get("Tags", [])}


def _read(image: "ImageTypeDef") -> Ami:
    disks = [one["Ebs"] for one in image.get("BlockDeviceMappings", []) if "Ebs" in one]
    created = image.get("CreationDate")
    return Ami(
        id=image["ImageId"],
        name=image.get("Name", ""),
        state=image["State"],
        tags=read_tags(image),
        created_at=datetime.fromisoformat(created) if created else None,
        snapshots=tuple(disk["SnapshotId"] for disk in disks if "SnapshotId" in disk),
        description=image.get("Description", ""),
        reason=image.get("StateReason", {}).get("Message", ""),
        unencrypted=any(disk.get("Encrypted") is False for disk in disks),
    )
