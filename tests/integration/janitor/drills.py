"""One of everything that a drill makes in its recovery region, planted by plain boto3."""

from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from typing import Any

import boto3
from botocore.exceptions import ClientError
from integration.janitor.residue import tags_of

from steadfleet_activities.janitor.aws import AwsJanitor
from steadfleet_activities.janitor.clients import JanitorAws
from steadfleet_ports.lease import Sweep

DRILL_RUN = "drill-shop-0a1b"
PLAN = "shop"
REGION = "eu-central-1"

# What of each type there is after `Recovery.plant`.
PLANTED = {
    "Auto Scaling group": 1,
    "instance": 2,
    "launch template": 1,
    "load balancer": 1,
    "listener": 1,
    "target group": 1,
    "DB instance": 2,
    "DB snapshot": 1,
    "DB subnet group": 1,
    "security group": 2,
    "subnet": 2,
    "route table": 1,
    "internet gateway": 1,
    "VPC": 1,
    "hosted zone": 2,
}


def drill_tags(run: str = DRILL_RUN, **more: Any) -> dict[str, str]:
    return tags_of(run, **{"drill": PLAN, **more})


def listed(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


@dataclass(frozen=True)
class Recovery:
    """One region: of plain moto, where nothing real stands behind what is made, or as `settings` say."""

    region: str = REGION
    settings: dict[str, Any] = field(default_factory=dict)
    _clients: dict[str, Any] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        if service not in self._clients:
            settings = {**self.settings, "region_name": self.region}
            made = boto3.client(service, **settings)  # type: ignore[call-overload]
            self._clients[service] = made
        return self._clients[service]

    def plant(self, run: str = DRILL_RUN, **tags: Any) -> None:
        """Make a whole isolated copy: network, machines, balancer, database, names."""
        given = drill_tags(run, **tags)
        vpc, subnets, groups = self._network(given)
        targets = self._balancer(run, given, subnets)
        self.group(run, given, subnets[0], targets)
        self._databases(run, given, subnets)
        self.zone(f"shop.{run}.internal", vpc, f"{run} shop", given)
        self.zone(f"{run}.steadfleet.internal", vpc, f"{run} names", {})
        assert len(groups) == 2

    def plant_names_and_network(self) -> None:
        """Make of all this what costs nothing, whatever stands behind it."""
        vpc, _, _ = self._network(drill_tags())
        self.zone(f"{DRILL_RUN}.internal", vpc, DRILL_RUN, {})

    def group(self, name: str, tags: dict[str, str], subnet: str, targets: str) -> None:
        ec2 = self.client("ec2")
        image = ec2.register_image(Name=name, RootDeviceName="/dev/sda1")["ImageId"]
        ec2.create_launch_template(
            LaunchTemplateName=name,
            LaunchTemplateData={"ImageId": image, "InstanceType": "t3.micro"},
            TagSpecifications=[{"ResourceType": "launch-template", "Tags": listed(tags)}],
        )
        self.client("autoscaling").create_auto_scaling_group(
            AutoScalingGroupName=name,
            LaunchTemplate={"LaunchTemplateName": name, "Version": "1"},
            MinSize=2,
            MaxSize=2,
            VPCZoneIdentifier=subnet,
            TargetGroupARNs=[targets],
            Tags=[{**tag, "PropagateAtLaunch": True} for tag in listed(tags)],
        )

    def database(self, name: str, tags: dict[str, str], **more: Any) -> None:
        self.client("rds").create_db_instance(
            DBInstanceIdentifier=name,
            DBInstanceClass="db.t3.micro",
            Engine="postgres",
            MasterUsername="shop",
            MasterUserPassword="not-a-secret",
            AllocatedStorage=20,
            Tags=listed(tags),
            **more,
        )

    def zone(self, name: str, vpc: str, reference: str, tags: dict[str, str]) -> str:
        route53 = self.client("route53")
        made = route53.create_hosted_zone(
            Name=name,
            CallerReference=reference,
            VPC={"VPCRegion": self.region, "VPCId": vpc},
            HostedZoneConfig={"PrivateZone": True},
        )
        zone = str(made["HostedZone"]["Id"]).removeprefix("/hostedzone/")
        record = {"Name": f"db.{name}", "Type": "CNAME", "TTL": 5, "ResourceRecords": [{"Value": "a.b"}]}
        route53.change_resource_record_sets(
            HostedZoneId=zone, ChangeBatch={"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]}
        )
        if tags:
            route53.change_tags_for_resource(ResourceType="hostedzone", ResourceId=zone, AddTags=listed(tags))
        return zone

    def vpc(self, tags: dict[str, str]) -> str:
        made = self.client("ec2").create_vpc(CidrBlock="10.99.0.0/16", TagSpecifications=_of("vpc", tags))
        return str(made["Vpc"]["VpcId"])

    def security_groups(self, vpc: str, tags: dict[str, str]) -> tuple[str, str]:
        """Make two that let each other in: neither can be deleted before the other's rule."""
        ec2 = self.client("ec2")
        web, db = (
            str(
                ec2.create_security_group(
                    GroupName=name,
                    Description="of a drill",
                    VpcId=vpc,
                    TagSpecifications=_of("security-group", tags),
                )["GroupId"]
            )
            for name in ("web", "db")
        )
        for group, other in ((web, db), (db, web)):
            pair = {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 9, "UserIdGroupPairs": [{"GroupId": other}]}
            ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[pair])
        return web, db

    def _network(self, tags: dict[str, str]) -> tuple[str, list[str], tuple[str, str]]:
        ec2, vpc = self.client("ec2"), self.vpc(tags)
        subnets = [
            ec2.create_subnet(
                VpcId=vpc,
                CidrBlock=f"10.99.{number}.0/24",
                AvailabilityZone=f"{self.region}{zone}",
                TagSpecifications=_of("subnet", tags),
            )["Subnet"]["SubnetId"]
            for number, zone in enumerate("ab")
        ]
        table = ec2.create_route_table(VpcId=vpc, TagSpecifications=_of("route-table", tags))["RouteTable"]
        ec2.associate_route_table(RouteTableId=table["RouteTableId"], SubnetId=subnets[0])
        made = ec2.create_internet_gateway(TagSpecifications=_of("internet-gateway", tags))
        gateway = made["InternetGateway"]["InternetGatewayId"]
        ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
        return vpc, subnets, self.security_groups(vpc, tags)

    def _balancer(self, name: str, tags: dict[str, str], subnets: list[str]) -> str:
        elbv2 = self.client("elbv2")
        vpc = self.client("ec2").describe_subnets(SubnetIds=subnets)["Subnets"][0]["VpcId"]
        made = elbv2.create_load_balancer(Name=name, Subnets=subnets, Scheme="internal", Tags=listed(tags))
        balancer = made["LoadBalancers"][0]["LoadBalancerArn"]
        (targets,) = elbv2.create_target_group(
            Name=name, Protocol="HTTP", Port=8080, VpcId=vpc, Tags=listed(tags)
        )["TargetGroups"]
        elbv2.create_listener(
            LoadBalancerArn=balancer,
            Protocol="HTTP",
            Port=80,
            DefaultActions=[{"Type": "forward", "TargetGroupArn": targets["TargetGroupArn"]}],
        )
        return str(targets["TargetGroupArn"])

    def _databases(self, run: str, tags: dict[str, str], subnets: list[str]) -> None:
        rds, group = self.client("rds"), f"{run}-subnets"
        rds.create_db_subnet_group(
            DBSubnetGroupName=group,
            DBSubnetGroupDescription="of a drill",
            SubnetIds=subnets,
            Tags=listed(tags),
        )
        self.database(f"{run}-restored", tags, DBSubnetGroupName=group, BackupRetentionPeriod=1)
        rds.create_db_instance_read_replica(
            DBInstanceIdentifier=f"{run}-replica",
            SourceDBInstanceIdentifier=f"{run}-restored",
            Tags=listed(tags),
        )
        rds.create_db_snapshot(
            DBInstanceIdentifier=f"{run}-restored",
            DBSnapshotIdentifier=f"{run}-copied",
            Tags=listed(tags),
        )

    def holdings(self) -> dict[str, list[str]]:
        """Return all that exists, by another way than the janitor looks: without tags or names."""
        ec2, rds, elbv2 = self.client("ec2"), self.client("rds"), self.client("elbv2")
        found = {
            "Auto Scaling group": _ids(
                self.client("autoscaling").describe_auto_scaling_groups(), "AutoScalingGroupName"
            ),
            "instance": [
                one["InstanceId"]
                for reservation in ec2.describe_instances()["Reservations"]
                for one in reservation["Instances"]
                if one["State"]["Name"] != "terminated"
            ],
            "volume": _ids(ec2.describe_volumes(), "VolumeId"),
            "launch template": _ids(ec2.describe_launch_templates(), "LaunchTemplateId"),
            "load balancer": _ids(elbv2.describe_load_balancers(), "LoadBalancerArn"),
            "target group": _ids(elbv2.describe_target_groups(), "TargetGroupArn"),
            "DB instance": _ids(rds.describe_db_instances(), "DBInstanceIdentifier"),
            "DB snapshot": _ids(rds.describe_db_snapshots(), "DBSnapshotIdentifier"),
            "DB subnet group": _ids(rds.describe_db_subnet_groups(), "DBSubnetGroupName"),
            "security group": _ids(ec2.describe_security_groups(), "GroupId"),
            "subnet": _ids(ec2.describe_subnets(), "SubnetId"),
            "route table": _ids(ec2.describe_route_tables(), "RouteTableId"),
            "internet gateway": _ids(ec2.describe_internet_gateways(), "InternetGatewayId"),
            "VPC": _ids(ec2.describe_vpcs(), "VpcId"),
            "hosted zone": _ids(self.client("route53").list_hosted_zones(), "Id"),
        }
        return {kind: sorted(ids) for kind, ids in found.items()}


def janitor_here(
    patience: timedelta = timedelta(seconds=5), slow_patience: timedelta = timedelta(seconds=5)
) -> AwsJanitor:
    """Return a janitor of plain moto that gives up soon."""
    clients = cache(lambda region: JanitorAws.connect(region_name=region))
    return AwsJanitor(clients, patience=patience, slow_patience=slow_patience)


def drill_sweep(run: str = DRILL_RUN) -> Sweep:
    return Sweep(run=run, regions=(REGION,))


def strike(client: Any, operation: str, code: str, *, count: int | None = None) -> None:
    """Let AWS refuse an operation of any service, as often as is said or for ever."""
    struck = 0

    def answer(**_call: Any) -> None:
        nonlocal struck
        struck += 1
        if count is None or struck <= count:
            raise ClientError({"Error": {"Code": code, "Message": "said the test"}}, operation)

    client.meta.events.register(
        f"before-call.{client.meta.service_model.service_id.hyphenize()}.{operation}", answer
    )


def _of(kind: str, tags: dict[str, str]) -> list[dict[str, Any]]:
    return [{"ResourceType": kind, "Tags": listed(tags)}] if tags else []


def _ids(answer: dict[str, Any], name: str) -> list[str]:
    (found,) = [value for value in answer.values() if isinstance(value, list)]
    return [str(one[name]) for one in found]
