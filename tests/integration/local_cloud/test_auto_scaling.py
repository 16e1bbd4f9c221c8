from collections import Counter

import pytest
from botocore.exceptions import ClientError
from integration.local_cloud.aws import RELEASES, Aws, ask
from integration.local_cloud.waiting import until

from steadfleet_local_cloud import LocalCloud


def test_a_group_of_24_serves_over_three_zones(cloud: LocalCloud, aws: Aws, image: str) -> None:
    group = aws.target_group()
    aws.group(image, 24, target_groups=(group,))

    zones = Counter(str(machine["zone"]) for machine in cloud.machines())
    assert zones == {"eu-west-1a": 8, "eu-west-1b": 8, "eu-west-1c": 8}
    until(lambda: aws.health(group), lambda seen: set(seen.values()) == {("healthy", None)}, seconds=30)
    assert len(aws.health(group)) == 24


def test_detached_leaves_the_target_group_and_attached_joins_it(aws: Aws, image: str) -> None:
    group = aws.target_group()
    aws.group(image, 2, target_groups=(group,))
    old, kept = aws.members()

    aws.scaling.detach_instances(
        AutoScalingGroupName="web", InstanceIds=[old], ShouldDecrementDesiredCapacity=True
    )
    assert set(aws.members()) == {kept}
    assert set(aws.health(group)) == {kept}
    assert until(lambda: ask(aws.address(old)))  # it runs on, beside the group

    aws.scaling.attach_instances(AutoScalingGroupName="web", InstanceIds=[old])
    assert set(aws.members()) == {kept, old}
    assert set(aws.health(group)) == {kept, old}


def test_attaching_beyond_max_size_is_refused(aws: Aws, image: str) -> None:
    aws.group(image, 1)
    (extra,) = aws.launch(image)

    with pytest.raises(ClientError, match="MaxSize of 1"):
        aws.scaling.attach_instances(AutoScalingGroupName="web", InstanceIds=[extra])

    aws.scaling.update_auto_scaling_group(AutoScalingGroupName="web", MaxSize=2)
    aws.scaling.attach_instances(AutoScalingGroupName="web", InstanceIds=[extra])
    assert extra in aws.members()


def test_a_lost_member_is_replaced_unless_launches_are_suspended(
    cloud: LocalCloud, aws: Aws, image: str
) -> None:
    aws.group(image, 2)
    first, second = aws.members()

    aws.scaling.terminate_instance_in_auto_scaling_group(
        InstanceId=first, ShouldDecrementDesiredCapacity=False
    )
    assert len(aws.members()) == 2
    assert first not in aws.members()

    aws.scaling.suspend_processes(AutoScalingGroupName="web", ScalingProcesses=["Launch"])
    aws.scaling.terminate_instance_in_auto_scaling_group(
        InstanceId=second, ShouldDecrementDesiredCapacity=False
    )
    assert len(aws.members()) == 1
    assert len(cloud.machines()) == 1


def test_a_drained_target_stays_drained_when_its_group_changes(aws: Aws, image: str) -> None:
    group = aws.target_group()
    aws.group(image, 2, max_size=3, target_groups=(group,))
    drained, _ = aws.members()
    aws.balancing.deregister_targets(TargetGroupArn=group, Targets=[{"Id": drained}])

    aws.scaling.set_desired_capacity(AutoScalingGroupName="web", DesiredCapacity=3)

    assert set(aws.health(group)) == set(aws.members()) - {drained}


def test_a_member_names_the_template_version_it_came_from(cloud: LocalCloud, aws: Aws, image: str) -> None:
    aws.group(image, 1, max_size=2)
    second = cloud.register_image("web-2.0", RELEASES / "good-2.0")
    aws.ec2.create_launch_template_version(
        LaunchTemplateName="web", LaunchTemplateData={"ImageId": second, "InstanceType": "t3.micro"}
    )
    aws.scaling.update_auto_scaling_group(
        AutoScalingGroupName="web", LaunchTemplate={"LaunchTemplateName": "web", "Version": "2"}
    )

    aws.scaling.set_desired_capacity(AutoScalingGroupName="web", DesiredCapacity=2)

    versions = {member["LaunchTemplate"]["Version"]: one for one, member in aws.members().items()}
    assert sorted(versions) == ["1", "2"]
    answer = until(lambda: ask(aws.address(versions["2"])))
    assert answer is not None
    assert answer["version"] == "2.0"


def test_capacity_keeps_within_its_limits(aws: Aws, image: str) -> None:
    aws.group(image, 1)

    with pytest.raises(ClientError, match="between"):
        aws.scaling.set_desired_capacity(AutoScalingGroupName="web", DesiredCapacity=2)
    with pytest.raises(ClientError, match="between"):
        aws.scaling.update_auto_scaling_group(AutoScalingGroupName="web", DesiredCapacity=2)
    aws.scaling.update_auto_scaling_group(AutoScalingGroupName="web", DesiredCapacity=2, MaxSize=2)
    assert len(aws.members()) == 2


def test_standby_leaves_the_target_group(aws: Aws, image: str) -> None:
    group = aws.target_group()
    aws.group(image, 2, target_groups=(group,))
    resting, serving = aws.members()

    aws.scaling.enter_standby(
        AutoScalingGroupName="web", InstanceIds=[resting], ShouldDecrementDesiredCapacity=True
    )
    assert set(aws.health(group)) == {serving}
    assert aws.members()[resting]["LifecycleState"] == "Standby"

    aws.scaling.exit_standby(AutoScalingGroupName="web", InstanceIds=[resting])
    assert set(aws.health(group)) == {serving, resting}


def test_what_is_not_there_is_a_validation_error(aws: Aws) -> None:
    with pytest.raises(ClientError, match="ValidationError"):
        aws.scaling.set_desired_capacity(AutoScalingGroupName="none", DesiredCapacity=1)
    with pytest.raises(ClientError, match="ValidationError"):
        aws.scaling.terminate_instance_in_auto_scaling_group(
            InstanceId="i-0123456789abcdef0", ShouldDecrementDesiredCapacity=True
        )


def test_a_deleted_group_takes_its_machines_with_it(cloud: LocalCloud, aws: Aws, image: str) -> None:
    aws.group(image, 3)

    aws.scaling.delete_auto_scaling_group(AutoScalingGroupName="web", ForceDelete=True)

    assert cloud.machines() == []
    assert cloud.inventory()["volumes"] == []
    assert cloud.inventory()["network_interfaces"] == []
