"""Make a fleet with plain AWS calls: a launch template, a target group and a group over the zones."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import boto3

if TYPE_CHECKING:
    from mypy_boto3_autoscaling.type_defs import TagTypeDef
    from mypy_boto3_ec2.client import EC2Client
    from mypy_boto3_elbv2.client import ElasticLoadBalancingv2Client

PORT = 8080
HEALTH_PATH = "/healthz"


@dataclass(frozen=True)
class Fleet:
    """The ids of what was made."""

    name: str
    image: str
    launch_template: str
    target_group: str
    auto_scaling_group: str
    size: int
    zones: list[str]
    instances: list[str]

    def describe(self) -> dict[str, object]:
        return asdict(self)


def create_fleet(
    endpoint: str, region: str, *, name: str, image: str, size: int, zones: int, tags: dict[str, str]
) -> Fleet:
    """Make a fleet whose MaxSize is its size: a swap's headroom is for its owner to take and give back."""
    session = boto3.Session("local", "local", region_name=region)  # no credential is checked
    ec2 = session.client("ec2", endpoint_url=endpoint)
    scaling = session.client("autoscaling", endpoint_url=endpoint)
    subnets, vpc = _subnets(ec2, zones)
    template = ec2.create_launch_template(
        LaunchTemplateName=name, LaunchTemplateData={"ImageId": image, "InstanceType": "t3.micro"}
    )["LaunchTemplate"]["LaunchTemplateId"]
    target_group = _create_target_group(session.client("elbv2", endpoint_url=endpoint), name, vpc)
    scaling.create_auto_scaling_group(
        AutoScalingGroupName=name,
        MinSize=0,
        MaxSize=size,
        DesiredCapacity=size,
        LaunchTemplate={"LaunchTemplateId": template, "Version": "1"},
        VPCZoneIdentifier=",".join(subnets.values()),
        TargetGroupARNs=[target_group],
        Tags=_group_tags(name, tags),
    )
    group = scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"][0]
    instances = sorted(member["InstanceId"] for member in group["Instances"])
    return Fleet(name, image, template, target_group, name, size, sorted(subnets), instances)


def _create_target_group(balancing: ElasticLoadBalancingv2Client, name: str, vpc: str) -> str:
    arn = balancing.create_target_group(
        Name=name,
        Protocol="HTTP",
        Port=PORT,
        VpcId=vpc,
        HealthCheckPath=HEALTH_PATH,
        HealthCheckIntervalSeconds=5,
        HealthCheckTimeoutSeconds=2,
        HealthyThresholdCount=2,
        UnhealthyThresholdCount=2,
    )["TargetGroups"][0]["TargetGroupArn"]
    balancing.modify_target_group_attributes(
        TargetGroupArn=arn, Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": "1"}]
    )
    return arn


def _subnets(ec2: EC2Client, zones: int) -> tuple[dict[str, str], str]:
    found = ec2.describe_subnets(Filters=[{"Name": "tag:Name", "Values": ["local-cloud-*"]}])["Subnets"]
    by_zone = sorted((subnet["AvailabilityZone"], subnet["SubnetId"]) for subnet in found)
    return dict(by_zone[:zones]), found[0]["VpcId"]


def _group_tags(name: str, tags: dict[str, str]) -> list[TagTypeDef]:
    return [
        {
            "Key": key,
            "Value": value,
            "PropagateAtLaunch": True,
            "ResourceId": name,
            "ResourceType": "auto-scaling-group",
        }
        for key, value in ({"Name": name} | tags).items()
    ]
