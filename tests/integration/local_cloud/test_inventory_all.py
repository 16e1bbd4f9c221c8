"""Whatever somebody makes and forgets must show: one of every type, untagged, made with plain boto3."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Literal

import boto3
import pytest
from integration.local_cloud.aws import RELEASES, Aws

from steadfleet_local_cloud import LocalCloud
from steadfleet_local_cloud.inventory import _NO_THINGS, _TOLD
from steadfleet_local_cloud.stores import open_backends

HOME: Literal["eu-west-1"] = "eu-west-1"
OTHER = "eu-central-1"
Undo = Callable[[], object]


class Stage:
    """One cloud for all, with what many of the makers need."""

    def __init__(self, cloud: LocalCloud) -> None:
        self.cloud = cloud
        self.aws = Aws(cloud.endpoint)
        self.other = Aws(cloud.endpoint, OTHER)
        self.image = cloud.register_image("stage", RELEASES / "good-1.0")
        self.vpc = self.aws.ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
        self.subnet = self.aws.subnets()["eu-west-1a"]
        (self.instance,) = self.aws.launch(self.image)
        self.volume = self.aws.ec2.create_volume(Size=1, AvailabilityZone="eu-west-1a")["VolumeId"]
        self.key = self.aws.kms.create_key()["KeyMetadata"]["KeyId"]
        self.aws.s3.create_bucket(Bucket="stage", CreateBucketConfiguration={"LocationConstraint": HOME})
        self.aws.s3.put_bucket_versioning(Bucket="stage", VersioningConfiguration={"Status": "Enabled"})
        self.aws.s3.put_object(Bucket="stage", Key="kept", Body=b"1")
        self.aws.ec2.create_launch_template(
            LaunchTemplateName="stage", LaunchTemplateData={"ImageId": self.image}
        )
        self.aws.scaling.create_auto_scaling_group(
            AutoScalingGroupName="stage",
            MinSize=0,
            MaxSize=1,
            LaunchTemplate={"LaunchTemplateName": "stage", "Version": "1"},
            AvailabilityZones=["eu-west-1a"],
        )
        self.balancer = self.aws.balancing.create_load_balancer(
            Name="stage", Subnets=list(self.aws.subnets().values())
        )["LoadBalancers"][0]["LoadBalancerArn"]
        self.targets = self.aws.target_group(Name="stage")

    def client(self, service: Any, region: str = HOME) -> Any:
        return boto3.client(service, **self.cloud.client_settings_for(region))


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("cloud")
    with LocalCloud(state=folder, regions=(HOME, OTHER), pending_describes=0) as cloud:
        yield Stage(cloud)


def instance(stage: Stage) -> Undo:
    (made,) = stage.aws.launch(stage.image)
    return lambda: stage.aws.ec2.terminate_instances(InstanceIds=[made])


def instance_elsewhere(stage: Stage) -> Undo:
    (made,) = stage.other.launch(stage.cloud.register_image("elsewhere", RELEASES / "good-1.0", region=OTHER))
    image = stage.other.ec2.describe_images(Filters=[{"Name": "name", "Values": ["elsewhere"]}])["Images"][0]

    def undo() -> None:
        stage.other.ec2.terminate_instances(InstanceIds=[made])
        stage.other.ec2.deregister_image(ImageId=image["ImageId"], DeleteAssociatedSnapshots=True)

    return undo


def tag(stage: Stage) -> Undo:
    tags: Any = [{"Key": "a", "Value": "b"}]
    stage.aws.ec2.create_tags(Resources=[stage.instance], Tags=tags)
    return lambda: stage.aws.ec2.delete_tags(Resources=[stage.instance], Tags=tags)


def protection(stage: Stage) -> Undo:
    modify = partial(stage.aws.ec2.modify_instance_attribute, InstanceId=stage.instance)
    modify(DisableApiTermination={"Value": True})
    return lambda: modify(DisableApiTermination={"Value": False})


def volume(stage: Stage) -> Undo:
    made = stage.aws.ec2.create_volume(Size=1, AvailabilityZone="eu-west-1a")["VolumeId"]
    return lambda: stage.aws.ec2.delete_volume(VolumeId=made)


def snapshot(stage: Stage) -> Undo:
    made = stage.aws.ec2.create_snapshot(VolumeId=stage.volume)["SnapshotId"]
    return lambda: stage.aws.ec2.delete_snapshot(SnapshotId=made)


def copied_snapshot(stage: Stage) -> Undo:
    source = stage.aws.snapshot_of(stage.image)
    made = stage.other.ec2.copy_snapshot(SourceRegion=HOME, SourceSnapshotId=source)["SnapshotId"]
    return lambda: stage.other.ec2.delete_snapshot(SnapshotId=made)


def started_snapshot(stage: Stage) -> Undo:
    made = stage.aws.ebs.start_snapshot(VolumeSize=1)["SnapshotId"]
    return lambda: stage.aws.ec2.delete_snapshot(SnapshotId=made)


def shared_snapshot(stage: Stage) -> Undo:
    modify = partial(
        stage.aws.ec2.modify_snapshot_attribute,
        SnapshotId=stage.aws.snapshot_of(stage.image),
        Attribute="createVolumePermission",
        UserIds=["111122223333"],
    )
    modify(OperationType="add")
    return lambda: modify(OperationType="remove")


def image(stage: Stage) -> Undo:
    made = stage.aws.ec2.create_image(InstanceId=stage.instance, Name="made")["ImageId"]
    return lambda: stage.aws.ec2.deregister_image(ImageId=made, DeleteAssociatedSnapshots=True)


def copied_image(stage: Stage) -> Undo:
    made = stage.other.copy(stage.image, "copied")
    return lambda: stage.other.ec2.deregister_image(ImageId=made, DeleteAssociatedSnapshots=True)


def snapshot_of_a_gone_image(stage: Stage) -> Undo:
    made = stage.aws.copy(stage.image, "gone")
    left = stage.aws.snapshot_of(made)
    stage.aws.ec2.deregister_image(ImageId=made)
    return lambda: stage.aws.ec2.delete_snapshot(SnapshotId=left)


def launch_permission(stage: Stage) -> Undo:
    modify = partial(stage.aws.ec2.modify_image_attribute, ImageId=stage.image, UserIds=["111122223333"])
    modify(OperationType="add")
    return lambda: modify(OperationType="remove")


def disabled_image(stage: Stage) -> Undo:
    stage.aws.ec2.disable_image(ImageId=stage.image)
    return lambda: stage.aws.ec2.enable_image(ImageId=stage.image)


def key_pair(stage: Stage) -> Undo:
    stage.aws.ec2.create_key_pair(KeyName="packer_1")
    return lambda: stage.aws.ec2.delete_key_pair(KeyName="packer_1")


def security_group(stage: Stage) -> Undo:
    made = stage.aws.ec2.create_security_group(GroupName="packer_1", Description="temporary")["GroupId"]
    return lambda: stage.aws.ec2.delete_security_group(GroupId=made)


def rule_in_the_default_group(stage: Stage) -> Undo:
    (default,) = stage.aws.ec2.describe_security_groups(GroupNames=["default"])["SecurityGroups"]
    rule: Any = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "CidrIp": "0.0.0.0/0"}
    stage.aws.ec2.authorize_security_group_ingress(GroupId=default["GroupId"], **rule)
    return lambda: stage.aws.ec2.revoke_security_group_ingress(GroupId=default["GroupId"], **rule)


def launch_template(stage: Stage) -> Undo:
    made = stage.aws.ec2.create_launch_template(
        LaunchTemplateName="made", LaunchTemplateData={"ImageId": stage.image}
    )["LaunchTemplate"]["LaunchTemplateId"]
    return lambda: stage.aws.ec2.delete_launch_template(LaunchTemplateId=made)


def launch_template_version(stage: Stage) -> None:
    stage.aws.ec2.create_launch_template_version(
        LaunchTemplateName="stage", LaunchTemplateData={"ImageId": stage.image}
    )


def network_interface(stage: Stage) -> Undo:
    made = stage.aws.ec2.create_network_interface(SubnetId=stage.subnet)["NetworkInterface"]
    return lambda: stage.aws.ec2.delete_network_interface(NetworkInterfaceId=made["NetworkInterfaceId"])


def address(stage: Stage) -> Undo:
    made = stage.aws.ec2.allocate_address(Domain="vpc")["AllocationId"]
    return lambda: stage.aws.ec2.release_address(AllocationId=made)


def vpc(stage: Stage) -> Undo:
    made = stage.aws.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    return lambda: stage.aws.ec2.delete_vpc(VpcId=made)


def subnet_of_the_default_vpc(stage: Stage) -> Undo:
    cidr = stage.aws.ec2.describe_vpcs()["Vpcs"][0]["CidrBlock"].replace(".0.0/16", ".200.0/24")
    made = stage.aws.ec2.create_subnet(VpcId=stage.vpc, CidrBlock=cidr)["Subnet"]["SubnetId"]
    return lambda: stage.aws.ec2.delete_subnet(SubnetId=made)


def route_table(stage: Stage) -> Undo:
    made = stage.aws.ec2.create_route_table(VpcId=stage.vpc)["RouteTable"]["RouteTableId"]
    return lambda: stage.aws.ec2.delete_route_table(RouteTableId=made)


def route_in_the_main_table(stage: Stage) -> Undo:
    main = stage.aws.ec2.describe_route_tables()["RouteTables"][0]["RouteTableId"]
    gateway = stage.aws.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    route: Any = {"RouteTableId": main, "DestinationCidrBlock": "0.0.0.0/0"}
    stage.aws.ec2.create_route(GatewayId=gateway, **route)

    def undo() -> None:
        stage.aws.ec2.delete_route(**route)
        stage.aws.ec2.delete_internet_gateway(InternetGatewayId=gateway)

    return undo


def network_acl(stage: Stage) -> Undo:
    made = stage.aws.ec2.create_network_acl(VpcId=stage.vpc)["NetworkAcl"]["NetworkAclId"]
    return lambda: stage.aws.ec2.delete_network_acl(NetworkAclId=made)


def dhcp_options(stage: Stage) -> Undo:
    made = stage.aws.ec2.create_dhcp_options(
        DhcpConfigurations=[{"Key": "domain-name", "Values": ["example.com"]}]
    )["DhcpOptions"]["DhcpOptionsId"]
    return lambda: stage.aws.ec2.delete_dhcp_options(DhcpOptionsId=made)


def nat_gateway(stage: Stage) -> Undo:
    made = stage.aws.ec2.create_nat_gateway(SubnetId=stage.subnet, ConnectivityType="private")["NatGateway"]
    return lambda: stage.aws.ec2.delete_nat_gateway(NatGatewayId=made["NatGatewayId"])


def vpc_endpoint(stage: Stage) -> Undo:
    made = stage.aws.ec2.create_vpc_endpoint(
        VpcId=stage.vpc, ServiceName="com.amazonaws.eu-west-1.s3", VpcEndpointType="Gateway"
    )["VpcEndpoint"]["VpcEndpointId"]
    return lambda: stage.aws.ec2.delete_vpc_endpoints(VpcEndpointIds=[made])


def prefix_list(stage: Stage) -> Undo:
    made = stage.aws.ec2.create_managed_prefix_list(
        PrefixListName="made", MaxEntries=1, AddressFamily="IPv4"
    )["PrefixList"]["PrefixListId"]
    return lambda: stage.aws.ec2.delete_managed_prefix_list(PrefixListId=made)


def customer_gateway(stage: Stage) -> Undo:
    made = stage.aws.ec2.create_customer_gateway(Type="ipsec.1", PublicIp="198.51.100.1", BgpAsn=65000)
    gateway = made["CustomerGateway"]["CustomerGatewayId"]
    return lambda: stage.aws.ec2.delete_customer_gateway(CustomerGatewayId=gateway)


def dedicated_host(stage: Stage) -> Undo:
    made = stage.aws.ec2.allocate_hosts(AvailabilityZone="eu-west-1a", InstanceType="m5.large", Quantity=1)
    return lambda: stage.aws.ec2.release_hosts(HostIds=made["HostIds"])


def transit_gateway(stage: Stage) -> None:
    stage.aws.ec2.create_transit_gateway()


def scaling_group(stage: Stage) -> Undo:
    stage.aws.scaling.create_auto_scaling_group(
        AutoScalingGroupName="made",
        MinSize=0,
        MaxSize=0,
        LaunchTemplate={"LaunchTemplateName": "stage", "Version": "1"},
        AvailabilityZones=["eu-west-1a"],
    )
    return lambda: stage.aws.scaling.delete_auto_scaling_group(AutoScalingGroupName="made")


def suspended_process(stage: Stage) -> Undo:
    stage.aws.scaling.suspend_processes(AutoScalingGroupName="stage", ScalingProcesses=["Launch"])
    return lambda: stage.aws.scaling.resume_processes(
        AutoScalingGroupName="stage", ScalingProcesses=["Launch"]
    )


def launch_configuration(stage: Stage) -> Undo:
    stage.aws.scaling.create_launch_configuration(
        LaunchConfigurationName="made", ImageId=stage.image, InstanceType="t3.micro"
    )
    return lambda: stage.aws.scaling.delete_launch_configuration(LaunchConfigurationName="made")


def scaling_policy(stage: Stage) -> Undo:
    stage.aws.scaling.put_scaling_policy(
        AutoScalingGroupName="stage",
        PolicyName="made",
        PolicyType="SimpleScaling",
        AdjustmentType="ExactCapacity",
        ScalingAdjustment=1,
    )
    return lambda: stage.aws.scaling.delete_policy(AutoScalingGroupName="stage", PolicyName="made")


def scheduled_action(stage: Stage) -> Undo:
    stage.aws.scaling.put_scheduled_update_group_action(
        AutoScalingGroupName="stage", ScheduledActionName="made", Recurrence="0 0 * * *", MinSize=0
    )
    return lambda: stage.aws.scaling.delete_scheduled_action(
        AutoScalingGroupName="stage", ScheduledActionName="made"
    )


def lifecycle_hook(stage: Stage) -> Undo:
    stage.aws.scaling.put_lifecycle_hook(
        AutoScalingGroupName="stage",
        LifecycleHookName="made",
        LifecycleTransition="autoscaling:EC2_INSTANCE_LAUNCHING",
    )
    return lambda: stage.aws.scaling.delete_lifecycle_hook(
        AutoScalingGroupName="stage", LifecycleHookName="made"
    )


def target_group(stage: Stage) -> Undo:
    made = stage.aws.target_group(Name="made")
    return lambda: stage.aws.balancing.delete_target_group(TargetGroupArn=made)


def target(stage: Stage) -> Undo:
    targets: Any = [{"Id": stage.instance}]
    stage.aws.balancing.register_targets(TargetGroupArn=stage.targets, Targets=targets)
    return lambda: stage.aws.balancing.deregister_targets(TargetGroupArn=stage.targets, Targets=targets)


def load_balancer(stage: Stage) -> Undo:
    made = stage.aws.balancing.create_load_balancer(Name="made", Subnets=list(stage.aws.subnets().values()))
    arn = made["LoadBalancers"][0]["LoadBalancerArn"]
    return lambda: stage.aws.balancing.delete_load_balancer(LoadBalancerArn=arn)


def listener_and_rule(stage: Stage) -> Undo:
    forward: Any = [{"Type": "forward", "TargetGroupArn": stage.targets}]
    listener = stage.aws.balancing.create_listener(
        LoadBalancerArn=stage.balancer, Protocol="HTTP", Port=8080, DefaultActions=forward
    )["Listeners"][0]["ListenerArn"]
    between = stage.cloud.inventory()
    stage.aws.balancing.create_rule(
        ListenerArn=listener,
        Priority=1,
        Actions=forward,
        Conditions=[{"Field": "path-pattern", "Values": ["/a"]}],
    )
    assert stage.cloud.inventory() != between, "a rule of its own shows too"
    return lambda: stage.aws.balancing.delete_listener(ListenerArn=listener)


def kms_key(stage: Stage) -> None:
    stage.aws.kms.create_key()


def kms_alias(stage: Stage) -> Undo:
    stage.aws.kms.create_alias(AliasName="alias/made", TargetKeyId=stage.key)
    return lambda: stage.aws.kms.delete_alias(AliasName="alias/made")


def kms_grant(stage: Stage) -> Undo:
    made = stage.aws.kms.create_grant(
        KeyId=stage.key, GranteePrincipal="arn:aws:iam::123456789012:role/any", Operations=["Decrypt"]
    )["GrantId"]
    return lambda: stage.aws.kms.revoke_grant(KeyId=stage.key, GrantId=made)


def disabled_kms_key(stage: Stage) -> Undo:
    stage.aws.kms.disable_key(KeyId=stage.key)
    return lambda: stage.aws.kms.enable_key(KeyId=stage.key)


def bucket(stage: Stage) -> Undo:
    stage.aws.s3.create_bucket(Bucket="made", CreateBucketConfiguration={"LocationConstraint": HOME})
    return lambda: stage.aws.s3.delete_bucket(Bucket="made")


def s3_object(stage: Stage) -> Undo:
    made = stage.aws.s3.put_object(Bucket="stage", Key="made", Body=b"x")["VersionId"]
    return lambda: stage.aws.s3.delete_object(Bucket="stage", Key="made", VersionId=made)


def object_version(stage: Stage) -> Undo:
    made = stage.aws.s3.put_object(Bucket="stage", Key="kept", Body=b"1")["VersionId"]
    return lambda: stage.aws.s3.delete_object(Bucket="stage", Key="kept", VersionId=made)


def delete_marker(stage: Stage) -> Undo:
    made = stage.aws.s3.delete_object(Bucket="stage", Key="kept")["VersionId"]
    return lambda: stage.aws.s3.delete_object(Bucket="stage", Key="kept", VersionId=made)


def unfinished_upload(stage: Stage) -> Undo:
    made = stage.aws.s3.create_multipart_upload(Bucket="stage", Key="large")["UploadId"]
    return lambda: stage.aws.s3.abort_multipart_upload(Bucket="stage", Key="large", UploadId=made)


def bucket_policy(stage: Stage) -> Undo:
    stage.aws.s3.put_bucket_policy(Bucket="stage", Policy='{"Statement": []}')
    return lambda: stage.aws.s3.delete_bucket_policy(Bucket="stage")


def parameter(stage: Stage) -> Undo:
    stage.aws.ssm.put_parameter(Name="/made", Value="1", Type="String")
    return lambda: stage.aws.ssm.delete_parameter(Name="/made")


def ssm_document(stage: Stage) -> Undo:
    content = '{"schemaVersion": "2.2", "description": "", "mainSteps": []}'
    stage.aws.ssm.create_document(Content=content, Name="made", DocumentType="Command", DocumentFormat="JSON")
    return lambda: stage.aws.ssm.delete_document(Name="made")


def maintenance_window(stage: Stage) -> Undo:
    made = stage.aws.ssm.create_maintenance_window(
        Name="made", Schedule="rate(1 day)", Duration=2, Cutoff=1, AllowUnassociatedTargets=True
    )["WindowId"]
    return lambda: stage.aws.ssm.delete_maintenance_window(WindowId=made)


def patch_baseline(stage: Stage) -> Undo:
    made = stage.aws.ssm.create_patch_baseline(Name="made")["BaselineId"]
    return lambda: stage.aws.ssm.delete_patch_baseline(BaselineId=made)


def role(stage: Stage) -> Undo:
    iam = stage.client("iam")
    iam.create_role(RoleName="made", AssumeRolePolicyDocument="{}")
    return lambda: iam.delete_role(RoleName="made")


def alarm(stage: Stage) -> Undo:
    watch = stage.client("cloudwatch")
    watch.put_metric_alarm(
        AlarmName="made",
        EvaluationPeriods=1,
        ComparisonOperator="GreaterThanThreshold",
        MetricName="any",
        Namespace="any",
        Period=60,
        Statistic="Sum",
        Threshold=1,
    )
    return lambda: watch.delete_alarms(AlarmNames=["made"])


def log_group(stage: Stage) -> Undo:
    logs = stage.client("logs")
    logs.create_log_group(logGroupName="made")
    return lambda: logs.delete_log_group(logGroupName="made")


def topic_in_a_region_without_machines(stage: Stage) -> Undo:
    topics = stage.client("sns", "ap-southeast-2")
    made = topics.create_topic(Name="made")["TopicArn"]
    return lambda: topics.delete_topic(TopicArn=made)


def secret(stage: Stage) -> Undo:
    secrets = stage.client("secretsmanager")
    secrets.create_secret(Name="made", SecretString="any")
    return lambda: secrets.delete_secret(SecretId="made", ForceDeleteWithoutRecovery=True)


MAKERS: list[Callable[[Stage], Undo | None]] = [
    *(instance, instance_elsewhere, tag, protection, volume, snapshot, copied_snapshot, started_snapshot),
    *(shared_snapshot, image, copied_image, snapshot_of_a_gone_image, launch_permission, disabled_image),
    *(key_pair, security_group, rule_in_the_default_group, launch_template, launch_template_version),
    *(network_interface, address, vpc, subnet_of_the_default_vpc, route_table, route_in_the_main_table),
    *(network_acl, dhcp_options, nat_gateway, vpc_endpoint, prefix_list, customer_gateway, dedicated_host),
    *(transit_gateway, scaling_group, suspended_process, launch_configuration, scaling_policy),
    *(scheduled_action, lifecycle_hook, target_group, target, load_balancer, listener_and_rule),
    *(kms_key, kms_alias, kms_grant, disabled_kms_key, bucket, s3_object, object_version, delete_marker),
    *(unfinished_upload, bucket_policy, parameter, ssm_document, maintenance_window, patch_baseline),
    *(role, alarm, log_group, topic_in_a_region_without_machines, secret),
]


@pytest.mark.parametrize("make", MAKERS, ids=lambda make: make.__name__)
def test_what_somebody_makes_shows_until_it_is_gone(
    stage: Stage, make: Callable[[Stage], Undo | None]
) -> None:
    before = stage.cloud.inventory()

    undo = make(stage)

    made = stage.cloud.inventory()
    assert made != before, "it went unseen"
    if undo is not None:
        undo()
        assert stage.cloud.inventory() == before, "it is gone, and still shows"


def test_looking_changes_nothing(stage: Stage) -> None:
    before = stage.cloud.inventory()

    for region in (HOME, "us-west-1"):
        aws = Aws(stage.cloud.endpoint, region)
        aws.ec2.describe_instances()
        aws.ec2.describe_instance_types(InstanceTypes=["t3.micro"])
        aws.ec2.describe_security_groups()
        aws.scaling.describe_auto_scaling_groups()
        aws.ssm.get_parameters_by_path(Path="/aws/service/ami-amazon-linux-latest")
        aws.kms.list_aliases()
        aws.s3.list_buckets()
    stage.client("iam").list_policies()
    stage.client("sts").get_caller_identity()

    assert stage.cloud.inventory() == before


def test_every_table_of_every_backend_is_looked_into(stage: Stage) -> None:
    for service, region, backend in list(open_backends()):
        for name, table in list(vars(backend).items()):
            if not isinstance(table, dict | list) or (service, name) in _TOLD | _NO_THINGS:
                continue
            before = stage.cloud.inventory()
            orphan = type("Orphan", (), {"id": "orphan-1"})()
            if isinstance(table, dict):
                dict.__setitem__(table, "orphan-1", orphan)
            else:
                table.append(orphan)

            new = [
                item
                for kind, items in stage.cloud.inventory().items()
                for item in items
                if item not in before.get(kind, [])
            ]

            if isinstance(table, dict):
                dict.__delitem__(table, "orphan-1")
            else:
                table.remove(orphan)
            assert [one["id"] for one in new] == ["orphan-1"], (
                f"{service}.{name} in {region} is not looked into"
            )
