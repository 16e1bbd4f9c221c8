"""Residue of every type, planted in the local cloud, and what only looks like it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import boto3
from botocore.exceptions import ClientError

from steadfleet_activities.janitor.aws import AwsJanitor
from steadfleet_activities.janitor.clients import JanitorAws
from steadfleet_local_cloud import LocalCloud
from steadfleet_ports.lease import Residue, Sweep

RUN = "image-web-1.2.0-0a1b"
NAME = "web-1.2.0-0a1b"
HOME, OTHER = "eu-west-1", "eu-central-1"
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)

RESOURCES = (
    "instances",
    "volumes",
    "network_interfaces",
    "images",
    "snapshots",
    "key_pairs",
    "security_groups",
    "machines",
)

Planted = Literal["instance", "volume", "image", "snapshot", "key-pair", "security-group"]


def tags_of(run: str, *, expires_in: timedelta | None = timedelta(hours=1), **more: str) -> dict[str, str]:
    at = datetime.now(UTC) + (expires_in or timedelta(0))
    expiry = {"steadfleet:expires-at": at.isoformat(timespec="seconds")} if expires_in else {}
    return {"steadfleet:run": run, **expiry, **{f"steadfleet:{key}": value for key, value in more.items()}}


@dataclass(frozen=True)
class Site:
    """One region of the local cloud: plants things there, by plain boto3."""

    cloud: LocalCloud
    region: str
    base: str

    @property
    def ec2(self) -> Any:
        return boto3.client("ec2", **{**self.cloud.client_settings, "region_name": self.region})

    def instance(self, tags: dict[str, str]) -> str:
        made = self.ec2.run_instances(
            ImageId=self.base, MinCount=1, MaxCount=1, TagSpecifications=_given("instance", tags)
        )
        return str(made["Instances"][0]["InstanceId"])

    def volume(self, tags: dict[str, str]) -> str:
        made = self.ec2.create_volume(
            Size=1, AvailabilityZone=f"{self.region}a", TagSpecifications=_given("volume", tags)
        )
        return str(made["VolumeId"])

    def image(self, name: str, instance: str, tags: dict[str, str]) -> str:
        made = self.ec2.create_image(
            InstanceId=instance, Name=name, TagSpecifications=_given("image", tags) if tags else []
        )
        return str(made["ImageId"])

    def snapshot(self, tags: dict[str, str], description: str = "") -> str:
        volume = self.volume({})
        made = self.ec2.create_snapshot(
            VolumeId=volume,
            Description=description,
            TagSpecifications=_given("snapshot", tags) if tags else [],
        )
        self.ec2.delete_volume(VolumeId=volume)
        return str(made["SnapshotId"])

    def key_pair(self, name: str, tags: dict[str, str]) -> str:
        given = _given("key-pair", tags) if tags else []
        return str(self.ec2.create_key_pair(KeyName=name, TagSpecifications=given)["KeyPairId"])

    def security_group(self, name: str, tags: dict[str, str]) -> str:
        vpc = self.ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
        given = _given("security-group", tags) if tags else []
        made = self.ec2.create_security_group(
            GroupName=name, Description="for a build", VpcId=vpc, TagSpecifications=given
        )
        return str(made["GroupId"])

    def plant(self, run: str = RUN, name: str = NAME, **tags: Any) -> None:
        """Leave one of everything that a build makes, tagged and, where it may be, untagged."""
        given = tags_of(run, **tags)
        builder = self.instance(given)
        self.volume(given)
        self.image(f"{name}-tagged", builder, given)
        self.image(name, builder, {})  # packer tags after the create
        self.snapshot(given)
        self.snapshot({}, description=name)
        self.key_pair(f"{name}-key", given)
        self.key_pair(run, {})
        self.security_group(f"{name}-group", given)
        self.security_group(f"{run}-examine", {})

    def holdings(self) -> dict[str, list[str]]:
        """Return all that exists in this region, by type."""
        inventory = self.cloud.inventory()
        return {
            kind: sorted(one["id"] for one in inventory.get(kind, []) if one.get("region") == self.region)
            for kind in RESOURCES
        }

    def tags(self, thing: str) -> dict[str, str]:
        found = self.ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [thing]}])["Tags"]
        return {tag["Key"]: tag["Value"] for tag in found}


def janitor_of(cloud: LocalCloud, patience: timedelta = timedelta(seconds=5)) -> AwsJanitor:
    """Return a janitor whose calls are not tried again by boto3 itself."""

    def regional(region: str) -> JanitorAws:
        return JanitorAws.connect(**{**cloud.client_settings, "region_name": region or cloud.region})

    return AwsJanitor(regional, patience=patience)


def sweep_of(*regions: str, run: str = RUN, since: datetime | None = LONG_AGO) -> Sweep:
    return Sweep(run=run, regions=regions or (HOME,), names=(NAME,), since=since)


def types(found: Iterable[Any]) -> list[str]:
    return sorted(one.type for one in found)


def refuse(client: Any, operation: str, code: str, *, count: int | None = None) -> None:
    """Let AWS refuse an operation of this client, as its permissions or its dependencies would."""
    struck = 0

    def answer(**_call: Any) -> None:
        nonlocal struck
        struck += 1
        if count is None or struck <= count:
            raise ClientError({"Error": {"Code": code, "Message": "said the test"}}, operation)

    client.meta.events.register(f"before-call.{client.meta.service_model.service_name}.{operation}", answer)


def nothing_left(residue: Residue) -> bool:
    return residue.left == ()


def _given(kind: Planted | str, tags: dict[str, str]) -> list[dict[str, Any]]:
    said = [{"Key": key, "Value": value} for key, value in tags.items()]
    return [{"ResourceType": kind, "Tags": said}] if said else []
