"""What is asked dry is answered `DryRunOperation`, and nothing happens."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from botocore.exceptions import ClientError
from integration.local_cloud.aws import RELEASES, Aws

from steadfleet_local_cloud import LocalCloud

Request = tuple[Callable[..., Any], dict[str, Any]]


def error_code(call: Callable[[], object]) -> str:
    with pytest.raises(ClientError) as refused:
        call()
    return refused.value.response["Error"]["Code"]


def requests(cloud: LocalCloud, aws: Aws, image: str) -> dict[str, Request]:
    """One call of each kind that could be carried out now."""
    ec2 = aws.ec2
    (instance,) = aws.launch(image)
    unused = cloud.register_image("unused", RELEASES / "good-1.0")
    snapshot = aws.snapshot_of(unused)
    ec2.deregister_image(ImageId=unused)
    ec2.create_key_pair(KeyName="key")
    group = ec2.create_security_group(GroupName="group", Description="any")["GroupId"]
    volume = ec2.create_volume(Size=1, AvailabilityZone="eu-west-1a")["VolumeId"]
    ec2.create_launch_template(LaunchTemplateName="web", LaunchTemplateData={"ImageId": image})
    interface = ec2.create_network_interface(SubnetId=aws.subnets()["eu-west-1a"])["NetworkInterface"]
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    tags = [{"Key": "a", "Value": "b"}]
    return {
        "RunInstances": (ec2.run_instances, {"ImageId": image, "MinCount": 1, "MaxCount": 1}),
        "TerminateInstances": (ec2.terminate_instances, {"InstanceIds": [instance]}),
        "StopInstances": (ec2.stop_instances, {"InstanceIds": [instance]}),
        "RebootInstances": (ec2.reboot_instances, {"InstanceIds": [instance]}),
        "ModifyInstanceAttribute": (
            ec2.modify_instance_attribute,
            {"InstanceId": instance, "DisableApiTermination": {"Value": True}},
        ),
        "CreateImage": (ec2.create_image, {"InstanceId": instance, "Name": "dry"}),
        "CopyImage": (
            ec2.copy_image,
            {"SourceImageId": image, "SourceRegion": "eu-west-1", "Name": "dry"},
        ),
        "DeregisterImage": (ec2.deregister_image, {"ImageId": image, "DeleteAssociatedSnapshots": True}),
        "DisableImage": (ec2.disable_image, {"ImageId": image}),
        "ModifyImageAttribute": (
            ec2.modify_image_attribute,
            {"ImageId": image, "OperationType": "add", "UserIds": ["111122223333"]},
        ),
        "CreateSnapshot": (ec2.create_snapshot, {"VolumeId": volume}),
        "DeleteSnapshot": (ec2.delete_snapshot, {"SnapshotId": snapshot}),
        "CreateVolume": (ec2.create_volume, {"Size": 1, "AvailabilityZone": "eu-west-1a"}),
        "DeleteVolume": (ec2.delete_volume, {"VolumeId": volume}),
        "CreateKeyPair": (ec2.create_key_pair, {"KeyName": "dry"}),
        "DeleteKeyPair": (ec2.delete_key_pair, {"KeyName": "key"}),
        "CreateSecurityGroup": (ec2.create_security_group, {"GroupName": "dry", "Description": "dry"}),
        "DeleteSecurityGroup": (ec2.delete_security_group, {"GroupId": group}),
        "AuthorizeSecurityGroupIngress": (
            ec2.authorize_security_group_ingress,
            {"GroupId": group, "IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "CidrIp": "0.0.0.0/0"},
        ),
        "DeleteLaunchTemplate": (ec2.delete_launch_template, {"LaunchTemplateName": "web"}),
        "DeleteNetworkInterface": (
            ec2.delete_network_interface,
            {"NetworkInterfaceId": interface["NetworkInterfaceId"]},
        ),
        "CreateVpc": (ec2.create_vpc, {"CidrBlock": "10.1.0.0/16"}),
        "CreateSubnet": (ec2.create_subnet, {"VpcId": vpc, "CidrBlock": "10.0.1.0/24"}),
        "DeleteSubnet": (ec2.delete_subnet, {"SubnetId": subnet}),
        "ReleaseAddress": (ec2.release_address, {"AllocationId": address}),
        "CreateTags": (ec2.create_tags, {"Resources": [instance], "Tags": tags}),
        "DeleteTags": (ec2.delete_tags, {"Resources": [image], "Tags": [{"Key": "Name"}]}),
        "DescribeInstances": (ec2.describe_instances, {}),
        "DescribeImages": (ec2.describe_images, {}),
        "DescribeSnapshots": (ec2.describe_snapshots, {}),
        "DescribeVolumes": (ec2.describe_volumes, {}),
        "DescribeKeyPairs": (ec2.describe_key_pairs, {}),
        "DescribeSecurityGroups": (ec2.describe_security_groups, {}),
    }


def test_a_dry_run_says_so_and_does_nothing(cloud: LocalCloud, aws: Aws, image: str) -> None:
    asked = requests(cloud, aws, image)
    before = cloud.inventory()

    answers = {name: error_code(partial(call, **asks, DryRun=True)) for name, (call, asks) in asked.items()}

    assert answers == dict.fromkeys(asked, "DryRunOperation")
    assert cloud.inventory() == before


def test_what_is_not_there_is_not_said_to_succeed(aws: Aws, image: str) -> None:
    def reset() -> None:
        aws.ec2.reset_image_attribute(ImageId=image, Attribute="launchPermission", DryRun=True)

    assert error_code(reset) == "LocalCloudDefect"
    assert error_code(lambda: aws.ec2.describe_volume_status(DryRun=True)) == "LocalCloudDefect"


def test_a_security_group_in_use_is_not_deleted(aws: Aws, image: str) -> None:
    group = aws.ec2.create_security_group(GroupName="packer", Description="any")["GroupId"]
    other = aws.ec2.create_security_group(GroupName="other", Description="any")["GroupId"]
    permission: Any = [
        {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 1, "UserIdGroupPairs": [{"GroupId": group}]}
    ]
    aws.ec2.authorize_security_group_ingress(GroupId=other, IpPermissions=permission)
    (instance,) = aws.launch(image, SecurityGroupIds=[group])

    def delete() -> None:
        aws.ec2.delete_security_group(GroupId=group)

    assert error_code(delete) == "DependencyViolation"
    aws.ec2.terminate_instances(InstanceIds=[instance])
    assert error_code(delete) == "DependencyViolation"
    aws.ec2.delete_security_group(GroupId=other)
    delete()
    assert error_code(delete) == "InvalidGroup.NotFound"
    (default,) = aws.ec2.describe_security_groups(GroupNames=["default"])["SecurityGroups"]
    assert error_code(lambda: aws.ec2.delete_security_group(GroupId=default["GroupId"])) == "CannotDelete"
