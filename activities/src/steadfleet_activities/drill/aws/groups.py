"""The machines of one service: a launch template and a group. Each is made once."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from steadfleet_activities.drill.aws.clients import DrillAws
from steadfleet_activities.drill.aws.ensuring import ensured
from steadfleet_activities.drill.aws.names import GROUP, named, tags_of
from steadfleet_activities.drill.drivers import Facts
from steadfleet_activities.drill.placeholders import written
from steadfleet_activities.fleet.errors import code_of
from steadfleet_activities.image.amis import specifications, written_tags
from steadfleet_core.drill.order import Drill
from steadfleet_core.drill.plan import GroupService

if TYPE_CHECKING:
    from mypy_boto3_autoscaling.type_defs import AutoScalingGroupTypeDef

_IN_SERVICE = "InService"


@dataclass(frozen=True)
class Members:
    """The group's machines that run, and why others do not, in AWS's words."""

    running: tuple[str, ...]
    problem: str = ""


class Group:
    """`profile` is an instance profile that lets SSM reach the machines; empty where none is needed."""

    def __init__(self, aws: DrillAws, drill: Drill, service: GroupService, profile: str = "") -> None:
        self._aws = aws
        self._drill = drill
        self._service = service
        self._profile = profile
        self.name = named(drill.run, service.name, GROUP)

    def template(self, network: Facts, environment: Mapping[str, str]) -> str:
        """Make the launch template, and return its id."""

        def look() -> str | None:
            try:
                answer = self._aws.ec2.describe_launch_templates(LaunchTemplateNames=[self.name])
            except ClientError as error:
                if not code_of(error).startswith("InvalidLaunchTemplateName.NotFound"):
                    raise
                return None
            return next((one["LaunchTemplateId"] for one in answer["LaunchTemplates"]), None)

        def create() -> None:
            self._aws.once.ec2.create_launch_template(
                LaunchTemplateName=self.name,
                LaunchTemplateData=self._data(network, environment),  # type: ignore[arg-type]
                TagSpecifications=specifications(tags_of(self._drill), "launch-template"),
            )

        return ensured(f"the launch template {self.name}", look, create)

    def group(self, network: Facts, template: str, target_group: str) -> None:
        count = self._service.count

        def create() -> None:
            self._aws.once.autoscaling.create_auto_scaling_group(
                AutoScalingGroupName=self.name,
                LaunchTemplate={"LaunchTemplateId": template, "Version": "1"},
                MinSize=count,
                MaxSize=count,
                DesiredCapacity=count,
                VPCZoneIdentifier=network["subnets"],
                TargetGroupARNs=[target_group],
                HealthCheckType="EC2",
                Tags=[
                    {
                        "Key": key,
                        "Value": value,
                        "PropagateAtLaunch": True,
                        "ResourceId": self.name,
                        "ResourceType": "auto-scaling-group",
                    }
                    for key, value in tags_of(self._drill).items()
                ],
            )

        ensured(f"the group {self.name}", self.found, create)

    def found(self) -> "AutoScalingGroupTypeDef | None":
        answer = self._aws.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[self.name])
        return next(iter(answer["AutoScalingGroups"]), None)

    def members(self) -> Members:
        found = self.found()
        machines = found["Instances"] if found else []
        running = tuple(sorted(one["InstanceId"] for one in machines if one["LifecycleState"] == _IN_SERVICE))
        if len(running) >= self._service.count:
            return Members(running)
        return Members(running, self._problem())

    def _problem(self) -> str:
        answer = self._aws.autoscaling.describe_scaling_activities(
            AutoScalingGroupName=self.name, MaxRecords=10
        )
        failed = (one for one in answer["Activities"] if one.get("StatusCode") == "Failed")
        return next((one.get("StatusMessage", "") for one in failed), "")

    def _data(self, network: Facts, environment: Mapping[str, str]) -> dict[str, Any]:
        data: dict[str, Any] = {
            "ImageId": self._drill.service(self._service.name).image,
            "InstanceType": self._service.instance_type,
            "SecurityGroupIds": [network["security_group"]],
            "TagSpecifications": [
                {"ResourceType": kind, "Tags": written_tags(tags_of(self._drill))}
                for kind in ("instance", "volume", "network-interface")
            ],
        }
        if environment:
            data["UserData"] = base64.b64encode(written(environment).encode()).decode()
        if self._profile:
            data["IamInstanceProfile"] = {"Name": self._profile}
        return data
