"""One forgotten thing of every kind, without a tag, as a careless program would leave it."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3

from steadfleet_local_cloud import LocalCloud

PROGRAM = Path(__file__).parents[3] / "examples" / "web" / "good-1.0"
OTHER_ACCOUNT = "210987654321"
_ASSUMED = '{"Version": "2012-10-17", "Statement": []}'


class Planter:
    """Plants by plain boto3; every method returns the id or name under which it must be found."""

    def __init__(self, cloud: LocalCloud) -> None:
        self.cloud = cloud
        self.ec2 = self._client("ec2")
        self.s3 = self._client("s3")
        self.kms = self._client("kms")
        self.autoscaling = self._client("autoscaling")
        self.elb = self._client("elbv2")
        self.rds = self._client("rds")
        self.route53 = self._client("route53")
        self.vpc = self.ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
        self.subnet = self.ec2.describe_subnets()["Subnets"][0]
        self.image = self.ec2.describe_images(Owners=["self"])["Images"][0]

    def _client(self, service: str) -> Any:
        return boto3.client(service, **self.cloud.client_settings)  # type: ignore[call-overload]

    # -- what builds make

    def instance(self) -> str:
        made = self.ec2.run_instances(ImageId=self.image["ImageId"], MinCount=1, MaxCount=1)
        return str(made["Instances"][0]["InstanceId"])

    def volume(self) -> str:
        made = self.ec2.create_volume(Size=1, AvailabilityZone=self.subnet["AvailabilityZone"])
        return str(made["VolumeId"])

    def interface(self) -> str:
        made = self.ec2.create_network_interface(SubnetId=self.subnet["SubnetId"])
        return str(made["NetworkInterface"]["NetworkInterfaceId"])

    def registered(self) -> str:
        return self.cloud.register_image("forgotten", PROGRAM)

    def content(self) -> str:
        """Leave what an image held: it is deregistered, and its snapshot is not deleted."""
        image = self.registered()
        self.ec2.deregister_image(ImageId=image)
        return image

    def snapshot(self) -> str:
        return str(self.ec2.create_snapshot(VolumeId=self.volume())["SnapshotId"])

    def key_pair(self) -> str:
        return str(self.ec2.create_key_pair(KeyName="forgotten")["KeyPairId"])

    def security_group(self) -> str:
        made = self.ec2.create_security_group(GroupName="forgotten", Description="x", VpcId=self.vpc)
        return str(made["GroupId"])

    def launch_permission(self) -> str:
        permission = {"Add": [{"UserId": OTHER_ACCOUNT}]}
        self.ec2.modify_image_attribute(ImageId=self.image["ImageId"], LaunchPermission=permission)
        return f"{self.image['ImageId']} .*changed: launch_permissions was .*{OTHER_ACCOUNT}"

    def volume_permission(self) -> str:
        snapshot = self.image["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
        self.ec2.modify_snapshot_attribute(
            SnapshotId=snapshot,
            Attribute="createVolumePermission",
            OperationType="add",
            UserIds=[OTHER_ACCOUNT],
        )
        return f"{snapshot} .*changed: shared_with was .*{OTHER_ACCOUNT}"

    def tag(self) -> str:
        self.ec2.create_tags(Resources=[self.image["ImageId"]], Tags=[{"Key": "forgotten", "Value": "1"}])
        return f"{self.image['ImageId']} .*changed: tags was .*forgotten"

    # -- what campaigns and drills make besides

    def template(self) -> str:
        made = self.ec2.create_launch_template(
            LaunchTemplateName="forgotten", LaunchTemplateData={"ImageId": self.image["ImageId"]}
        )
        return str(made["LaunchTemplate"]["LaunchTemplateId"])

    def address(self) -> str:
        return str(self.ec2.allocate_address(Domain="vpc")["AllocationId"])

    def network(self) -> str:
        return str(self.ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"])

    def subnetwork(self) -> str:
        vpc = self.network()
        return str(self.ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.1.0/24")["Subnet"]["SubnetId"])

    def rule(self) -> str:
        groups = self.ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": ["default"]}])
        group = str(groups["SecurityGroups"][0]["GroupId"])
        opened = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}
        self.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[opened])
        return group

    def gateway(self) -> str:
        return str(self.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"])

    def group(self) -> str:
        self.launch_configuration()
        self.autoscaling.create_auto_scaling_group(
            AutoScalingGroupName="forgotten",
            LaunchConfigurationName="forgotten",
            MinSize=0,
            MaxSize=0,
            AvailabilityZones=[self.subnet["AvailabilityZone"]],
        )
        return "forgotten"

    def launch_configuration(self) -> str:
        self.autoscaling.create_launch_configuration(
            LaunchConfigurationName="forgotten", ImageId=self.image["ImageId"], InstanceType="t3.small"
        )
        return "forgotten"

    def targets(self) -> str:
        made = self.elb.create_target_group(Name="forgotten", Protocol="HTTP", Port=80, VpcId=self.vpc)
        return str(made["TargetGroups"][0]["TargetGroupArn"])

    def balancer(self) -> str:
        subnets = [one["SubnetId"] for one in self.ec2.describe_subnets()["Subnets"][:2]]
        made = self.elb.create_load_balancer(Name="forgotten", Subnets=subnets)
        return str(made["LoadBalancers"][0]["LoadBalancerArn"])

    def listener(self) -> str:
        answer = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200"}}
        made = self.elb.create_listener(
            LoadBalancerArn=self.balancer(), Protocol="HTTP", Port=80, DefaultActions=[answer]
        )
        return str(made["Listeners"][0]["ListenerArn"])

    def zone(self) -> str:
        made = self.route53.create_hosted_zone(
            Name="forgotten.internal",
            CallerReference="forgotten",
            VPC={"VPCRegion": self.cloud.region, "VPCId": self.vpc},
            HostedZoneConfig={"PrivateZone": True},
        )
        return str(made["HostedZone"]["Id"]).removeprefix("/hostedzone/")

    def record(self) -> str:
        zone = self.zone()
        record = {"Name": "www.forgotten.internal", "Type": "A", "TTL": 1}
        record |= {"ResourceRecords": [{"Value": "10.0.0.1"}]}
        self.route53.change_resource_record_sets(
            HostedZoneId=zone,
            ChangeBatch={"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]},
        )
        return rf"{zone}/www\.forgotten\.internal\.?/A"

    def health_check(self) -> str:
        asked = {"IPAddress": "10.0.0.1", "Port": 80, "Type": "TCP"}
        made = self.route53.create_health_check(CallerReference="forgotten", HealthCheckConfig=asked)
        return str(made["HealthCheck"]["Id"])

    def delegation_set(self) -> str:
        made = self.route53.create_reusable_delegation_set(CallerReference="forgotten")
        return str(made["DelegationSet"]["Id"]).removeprefix("/delegationset/")

    def database(self) -> str:
        self.rds.create_db_instance(
            DBInstanceIdentifier="forgotten",
            Engine="postgres",
            DBInstanceClass="db.t3.micro",
            MasterUsername="owner",
            MasterUserPassword="only-of-this-test",
        )
        return "forgotten"

    def available_database(self) -> str:
        available = self.rds.get_waiter("db_instance_available")
        available.wait(DBInstanceIdentifier=self.database(), WaiterConfig={"Delay": 1})
        return "forgotten"

    def database_content(self) -> str:
        self.available_database()
        return "servers/"

    def database_snapshot(self) -> str:
        self.rds.create_db_snapshot(
            DBInstanceIdentifier=self.available_database(), DBSnapshotIdentifier="forgotten-snapshot"
        )
        return "forgotten-snapshot"

    def database_subnet_group(self) -> str:
        subnets = [one["SubnetId"] for one in self.ec2.describe_subnets()["Subnets"][:2]]
        self.rds.create_db_subnet_group(
            DBSubnetGroupName="forgotten", DBSubnetGroupDescription="x", SubnetIds=subnets
        )
        return "forgotten"

    def database_parameter_group(self) -> str:
        self.rds.create_db_parameter_group(
            DBParameterGroupName="forgotten", DBParameterGroupFamily="postgres16", Description="x"
        )
        return "forgotten"

    def bucket(self) -> str:
        self.s3.create_bucket(
            Bucket="forgotten", CreateBucketConfiguration={"LocationConstraint": self.cloud.region}
        )
        return "forgotten"

    def object(self) -> str:
        self.s3.put_object(Bucket=self.bucket(), Key="sources/not-by-digest.tar.gz", Body=b"x")
        return "forgotten/sources/not-by-digest.tar.gz"

    def upload(self) -> str:
        made = self.s3.create_multipart_upload(Bucket=self.bucket(), Key="half")
        return f"forgotten/half/{re.escape(made['UploadId'])}"

    def parameter(self) -> str:
        self._client("ssm").put_parameter(Name="forgotten", Value="x", Type="String")
        return "forgotten"

    def key(self) -> str:
        return str(self.kms.create_key()["KeyMetadata"]["Arn"])

    def alias(self) -> str:
        self.kms.create_alias(AliasName="alias/forgotten", TargetKeyId=self.key())
        return "alias/forgotten"

    def role(self) -> str:
        self._client("iam").create_role(RoleName="forgotten", AssumeRolePolicyDocument=_ASSUMED)
        return ".*"  # moto names roles by ids of its own


PLANTS: dict[str, tuple[str, Callable[[Planter], str]]] = {
    "instance": ("instances", Planter.instance),
    "machine": ("machines", Planter.instance),
    "volume": ("volumes", Planter.volume),
    "network interface": ("network_interfaces", Planter.interface),
    "image": ("images", Planter.registered),
    "content": ("content", Planter.content),
    "snapshot": ("snapshots", Planter.snapshot),
    "key pair": ("key_pairs", Planter.key_pair),
    "security group": ("security_groups", Planter.security_group),
    "rule of a group": ("security_groups", Planter.rule),
    "launch permission": ("images", Planter.launch_permission),
    "volume permission": ("snapshots", Planter.volume_permission),
    "tag": ("images", Planter.tag),
    "launch template": ("launch_templates", Planter.template),
    "address": ("addresses", Planter.address),
    "VPC": ("vpcs", Planter.network),
    "subnet": ("subnets", Planter.subnetwork),
    "internet gateway": ("ec2.internet_gateways", Planter.gateway),
    "Auto Scaling group": ("auto_scaling_groups", Planter.group),
    "launch configuration": ("launch_configurations", Planter.launch_configuration),
    "target group": ("target_groups", Planter.targets),
    "load balancer": ("load_balancers", Planter.balancer),
    "listener": ("listeners", Planter.listener),
    "hosted zone": ("hosted_zones", Planter.zone),
    "record set": ("record_sets", Planter.record),
    "health check": ("health_checks", Planter.health_check),
    "delegation set": ("delegation_sets", Planter.delegation_set),
    "database": ("databases", Planter.database),
    "data of a database": ("database_content", Planter.database_content),
    "snapshot of a database": ("database_snapshots", Planter.database_snapshot),
    "subnet group of databases": ("database_subnet_groups", Planter.database_subnet_group),
    "parameter group of databases": ("database_parameter_groups", Planter.database_parameter_group),
    "bucket": ("buckets", Planter.bucket),
    "object": ("objects", Planter.object),
    "upload": ("uploads", Planter.upload),
    "parameter": ("parameters", Planter.parameter),
    "KMS key": ("keys", Planter.key),
    "KMS alias": ("aliases", Planter.alias),
    "IAM role": ("iam.roles", Planter.role),
}
"""What is planted, and as which kind it must be found."""
