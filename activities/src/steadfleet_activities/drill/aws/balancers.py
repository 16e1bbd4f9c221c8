"""The load balancer of one service: its target group and its listener. Each is made once."""

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from steadfleet_activities.drill.aws.clients import DrillAws
from steadfleet_activities.drill.aws.ensuring import ensured
from steadfleet_activities.drill.aws.names import BALANCER, named, tags_of
from steadfleet_activities.drill.drivers import Facts
from steadfleet_activities.fleet.errors import code_of
from steadfleet_core.drill.order import Drill
from steadfleet_core.drill.plan import GroupService

if TYPE_CHECKING:
    from mypy_boto3_elbv2.type_defs import LoadBalancerTypeDef, TagTypeDef

_HEALTH: dict[str, Any] = {
    "HealthCheckIntervalSeconds": 10,
    "HealthCheckTimeoutSeconds": 5,
    "HealthyThresholdCount": 2,
    "UnhealthyThresholdCount": 2,
}


class Balancer:
    """A network load balancer: it carries what the witness asks, and answers nothing itself."""

    def __init__(self, aws: DrillAws, drill: Drill, service: GroupService) -> None:
        self._aws = aws
        self._service = service
        self._name = named(drill.run, service.name, BALANCER)
        self._tags: list[TagTypeDef] = [{"Key": key, "Value": value} for key, value in tags_of(drill).items()]

    def target_group(self, vpc: str) -> str:
        def look() -> str | None:
            found = _none_if(
                "TargetGroupNotFound", lambda: self._aws.elbv2.describe_target_groups(Names=[self._name])
            )
            return found["TargetGroups"][0]["TargetGroupArn"] if found else None

        def create() -> None:
            self._aws.once.elbv2.create_target_group(
                Name=self._name,
                Protocol="TCP",
                Port=self._service.port,
                VpcId=vpc,
                TargetType="instance",
                Tags=self._tags,
                **self._health(),
            )

        return ensured(f"the target group {self._name}", look, create)

    def balancer(self, network: Facts) -> "LoadBalancerTypeDef":
        def create() -> None:
            self._aws.once.elbv2.create_load_balancer(
                Name=self._name,
                Type="network",
                Scheme="internal",
                Subnets=network["subnets"].split(","),
                SecurityGroups=[network["security_group"]],
                Tags=self._tags,
            )

        return ensured(f"the load balancer {self._name}", self.found, create)

    def found(self) -> "LoadBalancerTypeDef | None":
        answer = _none_if(
            "LoadBalancerNotFound", lambda: self._aws.elbv2.describe_load_balancers(Names=[self._name])
        )
        return answer["LoadBalancers"][0] if answer else None

    def listen(self, balancer_arn: str, target_group: str) -> None:
        def look() -> str | None:
            found = self._aws.elbv2.describe_listeners(LoadBalancerArn=balancer_arn)["Listeners"]
            return next((one["ListenerArn"] for one in found if one.get("Port") == self._service.port), None)

        def create() -> None:
            self._aws.once.elbv2.create_listener(
                LoadBalancerArn=balancer_arn,
                Protocol="TCP",
                Port=self._service.port,
                DefaultActions=[{"Type": "forward", "TargetGroupArn": target_group}],
                Tags=self._tags,
            )

        ensured(f"the listener of {self._name}", look, create)

    def _health(self) -> dict[str, Any]:
        path = self._service.readiness.path
        if path is None:
            return {**_HEALTH, "HealthCheckProtocol": "TCP"}
        matcher = {"HttpCode": str(self._service.readiness.expected_status)}
        return {**_HEALTH, "HealthCheckProtocol": "HTTP", "HealthCheckPath": path, "Matcher": matcher}


def _none_if(code: str, look: Any) -> Any:
    try:
        return look()
    except ClientError as error:
        if code_of(error) != code:
            raise
        return None
