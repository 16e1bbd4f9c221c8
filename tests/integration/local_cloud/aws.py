"""The AWS clients that the tests talk with: plain boto3, without its retries."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

import boto3
from botocore.config import Config
from integration.local_cloud.waiting import until

if TYPE_CHECKING:
    from mypy_boto3_autoscaling.client import AutoScalingClient
    from mypy_boto3_ebs.client import EBSClient
    from mypy_boto3_ec2.client import EC2Client
    from mypy_boto3_elbv2.client import ElasticLoadBalancingv2Client
    from mypy_boto3_kms.client import KMSClient
    from mypy_boto3_s3.client import S3Client
    from mypy_boto3_ssm.client import SSMClient

RELEASES = Path(__file__).parents[3] / "examples" / "web"
_SESSION = boto3.Session("local", "local")


class Aws:
    """One client a service, made when first used."""

    def __init__(self, endpoint: str, region: str = "eu-west-1", **config: Any) -> None:
        self._settings: dict[str, Any] = {
            "endpoint_url": endpoint,
            "region_name": region,
            "config": Config(**{"retries": {"total_max_attempts": 1}} | config),
        }

    @cached_property
    def ec2(self) -> EC2Client:
        return _SESSION.client("ec2", **self._settings)

    @cached_property
    def scaling(self) -> AutoScalingClient:
        return _SESSION.client("autoscaling", **self._settings)

    @cached_property
    def balancing(self) -> ElasticLoadBalancingv2Client:
        return _SESSION.client("elbv2", **self._settings)

    @cached_property
    def ssm(self) -> SSMClient:
        return _SESSION.client("ssm", **self._settings)

    @cached_property
    def ebs(self) -> EBSClient:
        return _SESSION.client("ebs", **self._settings)

    @cached_property
    def kms(self) -> KMSClient:
        return _SESSION.client("kms", **self._settings)

    @cached_property
    def s3(self) -> S3Client:
        return _SESSION.client("s3", **self._settings)

    def launch(self, image: str, count: int = 1, **options: Any) -> list[str]:
        """Run instances; their ids."""
        made = self.ec2.run_instances(ImageId=image, MinCount=count, MaxCount=count, **options)
        return [instance["InstanceId"] for instance in made["Instances"]]

    def address(self, instance_id: str) -> str:
        reservation = self.ec2.describe_instances(InstanceIds=[instance_id])["Reservations"][0]
        return reservation["Instances"][0]["PrivateIpAddress"]

    def state(self, instance_id: str) -> str:
        reservation = self.ec2.describe_instances(InstanceIds=[instance_id])["Reservations"][0]
        return str(reservation["Instances"][0]["State"]["Name"])

    def image(self, image_id: str) -> Any:
        return self.ec2.describe_images(ImageIds=[image_id])["Images"][0]

    def snapshot_of(self, image_id: str) -> str:
        return str(self.image(image_id)["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"])

    def copy(self, source: str, name: str, source_region: str = "eu-west-1", **options: Any) -> str:
        """Copy an image and wait until it is available; its id."""
        made = self.ec2.copy_image(SourceImageId=source, SourceRegion=source_region, Name=name, **options)
        copied = str(made["ImageId"])
        until(lambda: self.image(copied)["State"], lambda state: state == "available")
        return copied

    def stream(self, snapshot_id: str) -> bytes:
        """Read a whole snapshot through the EBS direct API, as a careful reader does."""
        blocks: dict[int, bytes] = {}
        for page in self._pages(snapshot_id):
            for block in page["Blocks"]:
                index, token = block["BlockIndex"], block["BlockToken"]
                answer = self.ebs.get_snapshot_block(
                    SnapshotId=snapshot_id, BlockIndex=index, BlockToken=token
                )
                blocks[index] = answer["BlockData"].read()
                assert len(blocks[index]) == answer["DataLength"] == page["BlockSize"]
                assert answer["ChecksumAlgorithm"] == "SHA256"
                assert base64.b64decode(answer["Checksum"]) == hashlib.sha256(blocks[index]).digest()
        empty = bytes(512 * 1024)
        return b"".join(blocks.get(index, empty) for index in range(max(blocks, default=-1) + 1))

    def _pages(self, snapshot_id: str) -> Iterator[Any]:
        page: Any = self.ebs.list_snapshot_blocks(SnapshotId=snapshot_id)
        yield page
        while token := page.get("NextToken"):
            page = self.ebs.list_snapshot_blocks(SnapshotId=snapshot_id, NextToken=token)
            yield page

    def subnets(self) -> dict[str, str]:
        """Zone to subnet, found by tag as any client would."""
        found = self.ec2.describe_subnets(Filters=[{"Name": "tag:Name", "Values": ["local-cloud-*"]}])[
            "Subnets"
        ]
        return {subnet["AvailabilityZone"]: subnet["SubnetId"] for subnet in found}

    def target_group(self, **options: Any) -> str:
        """Make a target group that probes /healthz every 5 s (scaled), and drains at once."""
        vpc = self.ec2.describe_vpcs(Filters=[{"Name": "tag:Name", "Values": ["local-cloud"]}])["Vpcs"][0]
        settings: dict[str, Any] = {
            "Name": "web",
            "Protocol": "HTTP",
            "HealthCheckPath": "/healthz",
            "HealthCheckIntervalSeconds": 5,
            "HealthCheckTimeoutSeconds": 2,
            "HealthyThresholdCount": 2,
            "UnhealthyThresholdCount": 2,
        }
        made = self.balancing.create_target_group(Port=8080, VpcId=vpc["VpcId"], **settings | options)
        arn = made["TargetGroups"][0]["TargetGroupArn"]
        self.drain_time(arn, 0)
        return arn

    def drain_time(self, target_group: str, seconds: int) -> None:
        self.balancing.modify_target_group_attributes(
            TargetGroupArn=target_group,
            Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": str(seconds)}],
        )

    def health(self, target_group: str) -> dict[str, tuple[str, str | None]]:
        """Every listed target's state and reason."""
        listed = self.balancing.describe_target_health(TargetGroupArn=target_group)[
            "TargetHealthDescriptions"
        ]
        return {
            one["Target"]["Id"]: (one["TargetHealth"]["State"], one["TargetHealth"].get("Reason"))
            for one in listed
        }

    def group(
        self, image: str, size: int, *, max_size: int | None = None, target_groups: tuple[str, ...] = ()
    ) -> str:
        """Make a group `web` over all zones from a launch template `web`."""
        self.ec2.create_launch_template(
            LaunchTemplateName="web", LaunchTemplateData={"ImageId": image, "InstanceType": "t3.micro"}
        )
        self.scaling.create_auto_scaling_group(
            AutoScalingGroupName="web",
            MinSize=0,
            MaxSize=size if max_size is None else max_size,
            DesiredCapacity=size,
            LaunchTemplate={"LaunchTemplateName": "web", "Version": "1"},
            VPCZoneIdentifier=",".join(self.subnets().values()),
            TargetGroupARNs=list(target_groups),
        )
        return "web"

    def members(self, group: str = "web") -> dict[str, Any]:
        """Members by instance id."""
        found = self.scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[group])["AutoScalingGroups"][
            0
        ]
        return {member["InstanceId"]: member for member in found["Instances"]}


def ask(address: str, path: str = "/healthz") -> dict[str, Any] | None:
    """Ask a machine who it is; None if it does not answer."""
    try:
        with urlopen(f"http://{address}:8080{path}", timeout=2) as answer:
            found: dict[str, Any] = json.load(answer)
            return found
    except HTTPError as error:
        error.close()
        return {"status": error.code}
    except (URLError, OSError):
        return None
