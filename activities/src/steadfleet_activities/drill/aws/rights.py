"""What a drill calls, tried without doing it; where AWS has no dry run, the looks alone."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from steadfleet_activities.access import AwsAccess
from steadfleet_activities.drill.aws.clients import DrillAws, Regions
from steadfleet_activities.dry_runs import NOWHERE, Calls
from steadfleet_activities.fleet import tags
from steadfleet_ports.access import AccessQuestion

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import IpPermissionTypeDef, TagTypeDef

WORKER = "dr-drill worker"
_NAME, _IMAGE = f"none-{NOWHERE}", f"ami-{NOWHERE}"
_GROUP, _VPC, _CIDR = f"sg-{NOWHERE}", f"vpc-{NOWHERE}", "10.255.0.0/16"
_ALL: "list[IpPermissionTypeDef]" = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": _CIDR}]}]
_FEWEST = 20
"""RDS answers no page of fewer."""


def drill_access(regions: Regions, bucket: str, vpc: str = "") -> AwsAccess:
    """Look at the rights of a worker that recovers; without a `vpc` prepared for drills it makes its own."""

    def trials(question: AccessQuestion) -> Mapping[str, Calls]:
        recovery = question.recovery_regions or (regions.home,)
        calls: dict[str, Calls] = {regions.home: look_calls(regions.at_home)}
        for region in recovery:
            aws = regions.at(region)
            calls[region] = {**look_calls(aws), **make_calls(aws, vpc)}
        return calls

    return AwsAccess(regions.at_home.s3, bucket, region=regions.home, worker=WORKER, trials=trials)


def look_calls(aws: DrillAws) -> Calls:
    return {**_machine_looks(aws), **_service_looks(aws), **_store_looks(aws)}


def make_calls(aws: DrillAws, vpc: str = "") -> Calls:
    """Try what has a dry run; of a VPC of the drill's own only where none was prepared."""
    run_tag: list[TagTypeDef] = [{"Key": tags.RUN, "Value": "doctor"}]
    calls: Calls = {
        "ec2:CreateSecurityGroup": lambda: aws.once.ec2.create_security_group(
            GroupName=_NAME, Description="none", VpcId=_VPC, DryRun=True
        ),
        "ec2:AuthorizeSecurityGroupEgress": lambda: aws.ec2.authorize_security_group_egress(
            GroupId=_GROUP, IpPermissions=_ALL, DryRun=True
        ),
        "ec2:AuthorizeSecurityGroupIngress": lambda: aws.ec2.authorize_security_group_ingress(
            GroupId=_GROUP, IpPermissions=_ALL, DryRun=True
        ),
        "ec2:RevokeSecurityGroupEgress": lambda: aws.ec2.revoke_security_group_egress(
            GroupId=_GROUP, IpPermissions=_ALL, DryRun=True
        ),
        "ec2:CreateTags": lambda: aws.ec2.create_tags(Resources=[_GROUP], Tags=run_tag, DryRun=True),
        "ec2:CreateLaunchTemplate": lambda: aws.once.ec2.create_launch_template(
            LaunchTemplateName=_NAME, LaunchTemplateData={"ImageId": _IMAGE}, DryRun=True
        ),
        "ec2:RunInstances": lambda: aws.once.ec2.run_instances(
            ImageId=_IMAGE, MinCount=1, MaxCount=1, DryRun=True
        ),
    }
    return calls if vpc else {**calls, **_own_network(aws)}


def _own_network(aws: DrillAws) -> Calls:
    return {
        "ec2:CreateVpc": lambda: aws.once.ec2.create_vpc(CidrBlock=_CIDR, DryRun=True),
        "ec2:CreateSubnet": lambda: aws.once.ec2.create_subnet(VpcId=_VPC, CidrBlock=_CIDR, DryRun=True),
    }


def _machine_looks(aws: DrillAws) -> Calls:
    return {
        "ec2:DescribeAvailabilityZones": lambda: aws.ec2.describe_availability_zones(DryRun=True),
        "ec2:DescribeImages": lambda: aws.ec2.describe_images(ImageIds=[_IMAGE], DryRun=True),
        "ec2:DescribeInstanceTypeOfferings": lambda: aws.ec2.describe_instance_type_offerings(DryRun=True),
        "ec2:DescribeInstances": lambda: aws.ec2.describe_instances(DryRun=True),
        "ec2:DescribeLaunchTemplates": lambda: aws.ec2.describe_launch_templates(DryRun=True),
        "ec2:DescribeSecurityGroups": lambda: aws.ec2.describe_security_groups(DryRun=True),
        "ec2:DescribeSubnets": lambda: aws.ec2.describe_subnets(DryRun=True),
        "ec2:DescribeVpcs": lambda: aws.ec2.describe_vpcs(DryRun=True),
    }


def _service_looks(aws: DrillAws) -> Calls:
    return {
        "autoscaling:DescribeAccountLimits": aws.autoscaling.describe_account_limits,
        "autoscaling:DescribeAutoScalingGroups": lambda: aws.autoscaling.describe_auto_scaling_groups(
            MaxRecords=1
        ),
        "autoscaling:DescribeScalingActivities": lambda: aws.autoscaling.describe_scaling_activities(
            MaxRecords=1
        ),
        "elasticloadbalancing:DescribeLoadBalancers": lambda: aws.elbv2.describe_load_balancers(PageSize=1),
        "elasticloadbalancing:DescribeTargetGroups": lambda: aws.elbv2.describe_target_groups(PageSize=1),
        "route53:ListHostedZones": lambda: aws.route53.list_hosted_zones(MaxItems="1"),
        "route53:ListHostedZonesByName": lambda: aws.route53.list_hosted_zones_by_name(MaxItems="1"),
    }


def _store_looks(aws: DrillAws) -> Calls:
    return {
        "rds:DescribeAccountAttributes": aws.rds.describe_account_attributes,
        "rds:DescribeDBInstanceAutomatedBackups": lambda: aws.rds.describe_db_instance_automated_backups(
            MaxRecords=_FEWEST
        ),
        "rds:DescribeDBInstances": lambda: aws.rds.describe_db_instances(MaxRecords=_FEWEST),
        "rds:DescribeDBSnapshots": lambda: aws.rds.describe_db_snapshots(MaxRecords=_FEWEST),
        "rds:DescribeDBSubnetGroups": lambda: aws.rds.describe_db_subnet_groups(MaxRecords=_FEWEST),
        "rds:DescribeOrderableDBInstanceOptions": lambda: aws.rds.describe_orderable_db_instance_options(
            Engine="postgres", MaxRecords=_FEWEST
        ),
    }
