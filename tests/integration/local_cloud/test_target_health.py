import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

from integration.local_cloud.aws import RELEASES, Aws
from integration.local_cloud.waiting import until

from steadfleet_local_cloud import LocalCloud


def registered(aws: Aws, image: str, **options: Any) -> tuple[str, str]:
    """Launch an instance and register it in a new target group."""
    group = aws.target_group(**options)
    (instance,) = aws.launch(image)
    aws.balancing.register_targets(TargetGroupArn=group, Targets=[{"Id": instance}])
    return group, instance


def until_health(aws: Aws, group: str, instance: str, state: str) -> str | None:
    """Wait for a state and return its reason."""
    return until(lambda: aws.health(group)[instance], lambda seen: seen[0] == state)[1]


def test_a_target_is_initial_until_a_probe_passes(cloud: LocalCloud, aws: Aws, image: str) -> None:
    cloud.add_fault("slow-boot", seconds=0.3)
    group, instance = registered(aws, image, UnhealthyThresholdCount=10)

    assert aws.health(group)[instance] == ("initial", "Elb.InitialHealthChecking")
    until_health(aws, group, instance, "healthy")


def test_a_dead_program_is_found_out_and_a_reboot_mends_it(cloud: LocalCloud, aws: Aws, image: str) -> None:
    group, instance = registered(aws, image)
    until_health(aws, group, instance, "healthy")

    pid = cloud.machines()[0]["pid"]
    assert isinstance(pid, int)
    os.kill(pid, signal.SIGKILL)

    assert until_health(aws, group, instance, "unhealthy") == "Target.FailedHealthChecks"
    assert aws.state(instance) == "running"
    aws.ec2.reboot_instances(InstanceIds=[instance])
    until_health(aws, group, instance, "healthy")


def test_a_release_that_dies_after_a_while_is_healthy_first(
    cloud: LocalCloud, aws: Aws, tmp_path: Path
) -> None:
    release = tmp_path / "bad-dies"
    shutil.copytree(RELEASES / "bad-dies", release)
    (release / "release.json").write_text(json.dumps({"version": "bad-dies", "dies_after_seconds": 1}))
    group, instance = registered(aws, cloud.register_image("bad", release))

    until_health(aws, group, instance, "healthy")
    until_health(aws, group, instance, "unhealthy")


def test_a_wrong_status_is_named(cloud: LocalCloud, aws: Aws) -> None:
    group, instance = registered(aws, cloud.register_image("bad", RELEASES / "bad-500"))

    assert until_health(aws, group, instance, "unhealthy") == "Target.ResponseCodeMismatch"


def test_the_matcher_decides_what_is_healthy(cloud: LocalCloud, aws: Aws) -> None:
    group, instance = registered(
        aws, cloud.register_image("bad", RELEASES / "bad-500"), Matcher={"HttpCode": "200,500-599"}
    )

    until_health(aws, group, instance, "healthy")


def test_a_slow_answer_is_a_timeout(cloud: LocalCloud, aws: Aws) -> None:
    group, instance = registered(aws, cloud.register_image("bad", RELEASES / "bad-slow"))

    assert until_health(aws, group, instance, "unhealthy") == "Target.Timeout"


def test_a_tcp_check_only_connects(cloud: LocalCloud, aws: Aws) -> None:
    group = aws.target_group(
        Protocol="TCP", HealthCheckProtocol="TCP", HealthCheckTimeoutSeconds=5, HealthCheckPath="/"
    )
    (instance,) = aws.launch(cloud.register_image("bad", RELEASES / "bad-500"))
    aws.balancing.register_targets(TargetGroupArn=group, Targets=[{"Id": instance}])

    until_health(aws, group, instance, "healthy")


def test_a_deregistered_target_drains_for_its_delay_and_is_gone(aws: Aws, image: str) -> None:
    group, instance = registered(aws, image)
    until_health(aws, group, instance, "healthy")
    aws.drain_time(group, 1)

    aws.balancing.deregister_targets(TargetGroupArn=group, Targets=[{"Id": instance}])

    assert aws.health(group)[instance] == ("draining", "Target.DeregistrationInProgress")
    until(lambda: aws.health(group), lambda seen: seen == {})
    asked = aws.balancing.describe_target_health(TargetGroupArn=group, Targets=[{"Id": instance}])
    health = asked["TargetHealthDescriptions"][0]["TargetHealth"]
    assert (health["State"], health["Reason"]) == ("unused", "Target.NotRegistered")
    aws.balancing.deregister_targets(TargetGroupArn=group, Targets=[{"Id": instance}])  # no error, as on AWS


def test_a_target_registered_anew_must_prove_itself_anew(cloud: LocalCloud, aws: Aws, image: str) -> None:
    group, instance = registered(aws, image)
    until_health(aws, group, instance, "healthy")
    aws.balancing.register_targets(TargetGroupArn=group, Targets=[{"Id": instance}])
    assert aws.health(group)[instance][0] == "healthy"  # registering what is registered changes nothing

    aws.balancing.deregister_targets(TargetGroupArn=group, Targets=[{"Id": instance}])
    cloud.add_fault("dark-zone", zone="eu-west-1a")
    aws.balancing.register_targets(TargetGroupArn=group, Targets=[{"Id": instance}])

    assert aws.health(group)[instance][0] == "initial"


def test_a_stopped_target_is_unused_and_a_terminated_one_leaves(aws: Aws, image: str) -> None:
    group, instance = registered(aws, image)

    aws.ec2.stop_instances(InstanceIds=[instance])
    assert aws.health(group)[instance] == ("unused", "Target.InvalidState")

    aws.ec2.terminate_instances(InstanceIds=[instance])
    assert aws.health(group) == {}
