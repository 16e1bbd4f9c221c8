"""What a build calls, packer's calls among them, tried without doing it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from steadfleet_activities.access import AwsAccess
from steadfleet_activities.dry_runs import NOWHERE, Calls
from steadfleet_activities.image import tags
from steadfleet_activities.image.clients import AwsRegions, RegionalAws
from steadfleet_ports.access import AccessQuestion

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import IpPermissionTypeDef, TagTypeDef

WORKER = "image-build worker"
_NAME = f"none-{NOWHERE}"
_MACHINE, _IMAGE, _SNAPSHOT = f"i-{NOWHERE}", f"ami-{NOWHERE}", f"snap-{NOWHERE}"
_GROUP = f"sg-{NOWHERE}"
_NOBODY = "000000000000"
_SSH: "list[IpPermissionTypeDef]" = [
    {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "192.0.2.1/32"}]}
]


def build_access(regions: AwsRegions, bucket: str) -> AwsAccess:
    """Look at the rights of a worker that builds at home, and publishes where the question says."""

    def trials(question: AccessQuestion) -> Mapping[str, Calls]:
        away = [region for region in question.publish_regions if region != regions.home]
        return {
            regions.home: build_calls(regions.at_home),
            **{region: publish_calls(regions.at(region), regions.home) for region in away},
        }

    return AwsAccess(regions.s3, bucket, region=regions.home, worker=WORKER, trials=trials)


def build_calls(aws: RegionalAws) -> Calls:
    return {**_looks(aws), **_building(aws), **_clearing(aws), **publish_calls(aws, aws.region)}


def publish_calls(aws: RegionalAws, source: str) -> Calls:
    run_tag: list[TagTypeDef] = [{"Key": tags.RUN, "Value": "doctor"}]
    return {
        "ec2:DescribeImages": lambda: aws.ec2.describe_images(ImageIds=[_IMAGE], DryRun=True),
        "ec2:DescribeSnapshots": lambda: aws.ec2.describe_snapshots(SnapshotIds=[_SNAPSHOT], DryRun=True),
        "ec2:CopyImage": lambda: aws.creator.copy_image(
            Name=_NAME, SourceImageId=_IMAGE, SourceRegion=source, DryRun=True
        ),
        "ec2:CreateTags": lambda: aws.ec2.create_tags(Resources=[_IMAGE], Tags=run_tag, DryRun=True),
        "ec2:DeleteTags": lambda: aws.ec2.delete_tags(Resources=[_IMAGE], Tags=run_tag, DryRun=True),
        "ec2:ModifyImageAttribute": lambda: aws.ec2.modify_image_attribute(
            ImageId=_IMAGE, LaunchPermission={"Add": [{"UserId": _NOBODY}]}, DryRun=True
        ),
        "ec2:ModifySnapshotAttribute": lambda: aws.ec2.modify_snapshot_attribute(
            SnapshotId=_SNAPSHOT,
            Attribute="createVolumePermission",
            OperationType="add",
            UserIds=[_NOBODY],
            DryRun=True,
        ),
        "ec2:DeregisterImage": lambda: aws.ec2.deregister_image(ImageId=_IMAGE, DryRun=True),
        "ec2:DeleteSnapshot": lambda: aws.ec2.delete_snapshot(SnapshotId=_SNAPSHOT, DryRun=True),
    }


def _looks(aws: RegionalAws) -> Calls:
    return {
        "ec2:DescribeInstances": lambda: aws.ec2.describe_instances(DryRun=True),
        "ec2:DescribeKeyPairs": lambda: aws.ec2.describe_key_pairs(DryRun=True),
        "ec2:DescribeSecurityGroups": lambda: aws.ec2.describe_security_groups(DryRun=True),
        "ec2:DescribeSubnets": lambda: aws.ec2.describe_subnets(DryRun=True),
        "ec2:DescribeVolumes": lambda: aws.ec2.describe_volumes(DryRun=True),
        "ec2:DescribeVpcs": lambda: aws.ec2.describe_vpcs(DryRun=True),
    }


def _building(aws: RegionalAws) -> Calls:
    # AWS reads a key before it asks who imports it: one that is none would hide the answer.
    key = Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    return {
        "ec2:CreateSecurityGroup": lambda: aws.creator.create_security_group(
            GroupName=_NAME, Description="none", VpcId=f"vpc-{NOWHERE}", DryRun=True
        ),
        "ec2:AuthorizeSecurityGroupIngress": lambda: aws.ec2.authorize_security_group_ingress(
            GroupId=_GROUP, IpPermissions=_SSH, DryRun=True
        ),
        "ec2:ImportKeyPair": lambda: aws.creator.import_key_pair(
            KeyName=_NAME, PublicKeyMaterial=key, DryRun=True
        ),
        "ec2:RunInstances": lambda: aws.creator.run_instances(
            ImageId=_IMAGE, MinCount=1, MaxCount=1, DryRun=True
        ),
        "ec2:StopInstances": lambda: aws.ec2.stop_instances(InstanceIds=[_MACHINE], DryRun=True),
        "ec2:CreateImage": lambda: aws.creator.create_image(InstanceId=_MACHINE, Name=_NAME, DryRun=True),
    }


def _clearing(aws: RegionalAws) -> Calls:
    return {
        "ec2:TerminateInstances": lambda: aws.ec2.terminate_instances(InstanceIds=[_MACHINE], DryRun=True),
        "ec2:DeleteVolume": lambda: aws.ec2.delete_volume(VolumeId=f"vol-{NOWHERE}", DryRun=True),
        "ec2:DeleteKeyPair": lambda: aws.ec2.delete_key_pair(KeyName=_NAME, DryRun=True),
        "ec2:DeleteSecurityGroup": lambda: aws.ec2.delete_security_group(GroupId=_GROUP, DryRun=True),
    }
