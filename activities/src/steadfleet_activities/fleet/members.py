"""Groups and their target groups: who is a member, who gets traffic. Blocking looks and acts."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from steadfleet_activities.fleet.clients import Aws
from steadfleet_activities.fleet.machines import pages
from steadfleet_core.errors import RefusedError

if TYPE_CHECKING:
    from mypy_boto3_autoscaling.type_defs import AutoScalingGroupTypeDef, TagTypeDef

GROUPS_PAGE = 50


@dataclass(frozen=True)
class Membership:
    """Where an instance stands in its group."""

    group: str
    state: str
    protected: bool


@dataclass(frozen=True)
class TargetState:
    """What one target group says of one instance."""

    arn: str
    state: str
    reason: str
    said: str

    @property
    def name(self) -> str:
        return self.arn.rpartition("/")[0].rpartition("/")[2]

    @property
    def registered(self) -> bool:
        return self.reason != "Target.NotRegistered" and self.state != "draining"

    @property
    def ready(self) -> bool:
        # No load balancer sends through such a group, and so none will ever look at it.
        return self.state == "healthy" or self.reason == "Target.NotInUse"


class Members:
    """The Auto Scaling groups of one region, and the target groups behind them."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws

    def groups(self, names: Iterable[str]) -> "list[AutoScalingGroupTypeDef]":
        paginator = self._aws.autoscaling.get_paginator("describe_auto_scaling_groups")
        return [
            group
            for page in pages(sorted(set(names)), GROUPS_PAGE)
            for answer in paginator.paginate(AutoScalingGroupNames=list(page))
            for group in answer["AutoScalingGroups"]
        ]

    def every(self) -> "list[AutoScalingGroupTypeDef]":
        answers = self._aws.autoscaling.get_paginator("describe_auto_scaling_groups").paginate()
        return [group for answer in answers for group in answer["AutoScalingGroups"]]

    def tagged(self, tags: dict[str, str]) -> "list[AutoScalingGroupTypeDef]":
        """Find the groups that carry every one of these tags."""
        answers = self._aws.autoscaling.get_paginator("describe_auto_scaling_groups").paginate(
            Filters=[{"Name": f"tag:{key}", "Values": [value]} for key, value in tags.items()]
        )
        return [group for answer in answers for group in answer["AutoScalingGroups"]]

    def group(self, name: str) -> "AutoScalingGroupTypeDef":
        found = self.groups([name])
        if not found:
            raise RefusedError(
                f"there is no Auto Scaling group {name} in {self._aws.region} any more: its hosts cannot be "
                "changed or restored; abort the campaign, or bring the group back"
            )
        return found[0]

    def membership(self, machine_id: str) -> Membership | None:
        answer = self._aws.autoscaling.describe_auto_scaling_instances(InstanceIds=[machine_id])
        for member in answer["AutoScalingInstances"]:
            if not member["LifecycleState"].startswith("Terminat"):
                return Membership(
                    member["AutoScalingGroupName"], member["LifecycleState"], member["ProtectedFromScaleIn"]
                )
        return None

    def attach(self, group: str, machine_id: str) -> None:
        try:
            self._aws.autoscaling.attach_instances(AutoScalingGroupName=group, InstanceIds=[machine_id])
        except ClientError:
            # The answer before this one may have been lost: then AWS refuses, for it is attached.
            if self.membership(machine_id) is None:
                raise

    def detach(self, group: str, machine_id: str) -> None:
        """Take a member out and lower the desired size by it: the group must not refill."""
        try:
            self._aws.autoscaling.detach_instances(
                AutoScalingGroupName=group, InstanceIds=[machine_id], ShouldDecrementDesiredCapacity=True
            )
        except ClientError:
            left = self.membership(machine_id)
            if left is not None and left.state != "Detaching":
                raise

    def protect(self, group: str, machine_id: str) -> None:
        self._aws.autoscaling.set_instance_protection(
            AutoScalingGroupName=group, InstanceIds=[machine_id], ProtectedFromScaleIn=True
        )

    def targets(self, arns: Iterable[str], machine_id: str) -> list[TargetState]:
        return [self._target(arn, machine_id) for arn in arns]

    def target_states(self, arn: str) -> dict[str, str]:
        """Ask once for all targets of a group."""
        answer = self._aws.elbv2.describe_target_health(TargetGroupArn=arn)
        return {
            one["Target"]["Id"]: one.get("TargetHealth", {}).get("State", "unknown")
            for one in answer["TargetHealthDescriptions"]
        }

    def register(self, arn: str, machine_id: str) -> None:
        self._aws.elbv2.register_targets(TargetGroupArn=arn, Targets=[{"Id": machine_id}])

    def deregister(self, arn: str, machine_id: str) -> None:
        self._aws.elbv2.deregister_targets(TargetGroupArn=arn, Targets=[{"Id": machine_id}])

    def _target(self, arn: str, machine_id: str) -> TargetState:
        answer = self._aws.elbv2.describe_target_health(TargetGroupArn=arn, Targets=[{"Id": machine_id}])
        health = answer["TargetHealthDescriptions"][0].get("TargetHealth", {})
        return TargetState(
            arn, health.get("State", "unknown"), health.get("Reason", ""), health.get("Description", "")
        )


def inherited_tags(group: "AutoScalingGroupTypeDef") -> dict[str, str]:
    """Collect the tags that the group itself would have given to a host."""
    return {
        tag["Key"]: tag.get("Value", "")
        for tag in group.get("Tags", [])
        if tag.get("PropagateAtLaunch") and not tag["Key"].startswith("aws:")
    }


def group_tag(group: str, key: str, value: str) -> "TagTypeDef":
    """Make a tag of the group's own, which its hosts do not get."""
    return {
        "ResourceId": group,
        "ResourceType": "auto-scaling-group",
        "Key": key,
        "Value": value,
        "PropagateAtLaunch": False,
    }
