"""What a campaign calls, tried without doing it."""

from typing import TYPE_CHECKING

from steadfleet_activities.access import AwsAccess
from steadfleet_activities.dry_runs import NOWHERE, Calls
from steadfleet_activities.fleet import tags
from steadfleet_activities.fleet.clients import Aws
from steadfleet_activities.fleet.plans import BUCKET

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import TagTypeDef

WORKER = "patch-campaign worker"


def campaign_access(aws: Aws, bucket: str = BUCKET) -> AwsAccess:
    """Look at the rights of a worker that carries out campaigns, in its own account and region."""
    return AwsAccess(
        aws.s3,
        bucket,
        region=aws.region,
        worker=WORKER,
        trials=lambda _question: {aws.region: campaign_calls(aws)},
    )


def campaign_calls(aws: Aws) -> Calls:
    nobody = f"i-{NOWHERE}"
    run_tag: list[TagTypeDef] = [{"Key": tags.RUN, "Value": "doctor"}]
    return {
        "ec2:DescribeInstances": lambda: aws.ec2.describe_instances(DryRun=True),
        "ec2:DescribeImages": lambda: aws.ec2.describe_images(ImageIds=[f"ami-{NOWHERE}"], DryRun=True),
        "ec2:RunInstances": lambda: aws.launcher.run_instances(
            ImageId=f"ami-{NOWHERE}", MinCount=1, MaxCount=1, DryRun=True
        ),
        "ec2:TerminateInstances": lambda: aws.ec2.terminate_instances(InstanceIds=[nobody], DryRun=True),
        "ec2:CreateTags": lambda: aws.ec2.create_tags(Resources=[nobody], Tags=run_tag, DryRun=True),
        "ec2:DeleteTags": lambda: aws.ec2.delete_tags(Resources=[nobody], Tags=run_tag, DryRun=True),
        "ec2:CreateLaunchTemplateVersion": lambda: aws.ec2.create_launch_template_version(
            LaunchTemplateId=f"lt-{NOWHERE}", LaunchTemplateData={}, DryRun=True
        ),
        "autoscaling:DescribeAutoScalingGroups": lambda: aws.autoscaling.describe_auto_scaling_groups(
            MaxRecords=1
        ),
    }
