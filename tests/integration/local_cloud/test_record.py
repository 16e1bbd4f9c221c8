import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from botocore.exceptions import ClientError
from integration.local_cloud.aws import Aws

from steadfleet_local_cloud import LocalCloud


def calls(cloud: LocalCloud, action: str) -> list[dict[str, Any]]:
    return [entry for entry in cloud.record() if entry["kind"] == "call" and entry["action"] == action]


def test_a_call_is_recorded_with_what_it_asked_and_made(cloud: LocalCloud, aws: Aws, image: str) -> None:
    (instance,) = aws.launch(image)

    (call,) = calls(cloud, "RunInstances")
    assert (call["service"], call["mutating"], call["status"], call["error"]) == ("ec2", True, 200, None)
    assert call["parameters"]["ImageId"] == image
    assert instance in call["resources"]
    assert "Boto3" in call["user_agent"]


def test_a_refused_call_is_recorded_with_its_code(cloud: LocalCloud, aws: Aws) -> None:
    with pytest.raises(ClientError):
        aws.ec2.terminate_instances(InstanceIds=["i-0123456789abcdef0"])
    with pytest.raises(ClientError):
        aws.ssm.get_parameter(Name="none")

    assert calls(cloud, "TerminateInstances")[0]["error"] == "InvalidInstanceID.NotFound"
    (asked,) = calls(cloud, "GetParameter")
    assert (asked["service"], asked["mutating"], asked["error"]) == ("ssm", False, "ParameterNotFound")


def test_the_life_of_a_machine_is_recorded(cloud: LocalCloud, aws: Aws, image: str) -> None:
    (instance,) = aws.launch(image)
    aws.ec2.reboot_instances(InstanceIds=[instance])
    aws.ec2.stop_instances(InstanceIds=[instance])
    aws.ec2.start_instances(InstanceIds=[instance])
    aws.ec2.terminate_instances(InstanceIds=[instance])

    events = [entry for entry in cloud.record() if entry["kind"] == "machine"]
    assert [entry["event"] for entry in events] == ["booted", "rebooted", "stopped", "started", "terminated"]
    assert {(entry["instance"], entry["zone"], entry["image"]) for entry in events} == {
        (instance, "eu-west-1a", image)
    }


def test_nothing_is_lost_and_numbers_are_without_gaps(cloud: LocalCloud, aws: Aws) -> None:
    _ = aws.ec2
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: aws.ec2.describe_key_pairs(), range(100)))

    assert len(calls(cloud, "DescribeKeyPairs")) == 100
    assert [entry["seq"] for entry in cloud.record()] == list(range(1, len(cloud.record()) + 1))


def test_the_record_is_read_from_a_number_on(cloud: LocalCloud, aws: Aws) -> None:
    aws.ec2.describe_key_pairs()
    last = cloud.record()[-1]["seq"]
    aws.ec2.describe_instances()

    with urlopen(f"{cloud.endpoint}/_local/record?since={last}") as answer:
        entries = json.load(answer)

    assert [entry["action"] for entry in entries] == ["DescribeInstances"]


def test_an_earlier_record_is_kept(tmp_path: Path) -> None:
    for _ in range(2):
        with LocalCloud(state=tmp_path, machines="none") as cloud:
            Aws(cloud.endpoint).ec2.describe_key_pairs()
            assert len(calls(cloud, "DescribeKeyPairs")) == 1

    assert len(list(tmp_path.glob("record*.jsonl"))) == 2


def test_what_moto_cannot_do_is_told_once_and_not_retried(cloud: LocalCloud) -> None:
    aws = Aws(cloud.endpoint, retries={"total_max_attempts": 5, "mode": "standard"})

    with pytest.raises(ClientError) as refused:
        aws.scaling.start_instance_refresh(AutoScalingGroupName="web")

    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501
    assert len(calls(cloud, "StartInstanceRefresh")) == 1
    assert [entry["action"] for entry in cloud.record() if entry["kind"] == "error"] == [
        "StartInstanceRefresh"
    ]


def test_the_inventory_holds_every_kind(cloud: LocalCloud, aws: Aws, image: str) -> None:
    group = aws.target_group()
    aws.group(image, 2, target_groups=(group,))
    aws.scaling.suspend_processes(AutoScalingGroupName="web", ScalingProcesses=["Terminate"])
    aws.ec2.create_key_pair(KeyName="key")
    aws.ec2.create_security_group(GroupName="guard", Description="guard")
    aws.balancing.create_load_balancer(Name="front", Subnets=list(aws.subnets().values()))
    aws.s3.create_bucket(Bucket="evidence", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    aws.s3.put_object(Bucket="evidence", Key="plan", Body=b"x")
    aws.ssm.put_parameter(Name="/fleet/image", Value=image, Type="String")

    held = cloud.inventory()

    counts = {kind: len(items) for kind, items in held.items() if items}
    assert counts == {
        "auto_scaling_groups": 1,
        "buckets": 1,
        "content": 1,
        "images": 1,
        "instances": 2,
        "key_pairs": 1,
        "launch_templates": 1,
        "load_balancers": 1,
        "machines": 2,
        "network_interfaces": 2,
        "objects": 1,
        "parameters": 1,
        "security_groups": 1,
        "snapshots": 1,
        "target_groups": 1,
        "volumes": 2,
    }
    web = held["auto_scaling_groups"][0]
    assert (web["max_size"], web["suspended_processes"]) == (2, ["Terminate"])
    assert sorted(web["members"]) == held["target_groups"][0]["targets"]
    assert held["buckets"][0]["keys"] == ["plan"]


def test_health_says_that_it_is_local(cloud: LocalCloud) -> None:
    with urlopen(f"{cloud.endpoint}/_local/health") as answer:
        assert "not AWS" in answer.headers["Server"]
        health = json.load(answer)

    assert (health["status"], health["local"], health["region"]) == ("ready", True, "eu-west-1")


@pytest.mark.parametrize("header", [("Origin", "http://evil.example"), ("Host", "evil.example")])
def test_a_web_page_is_not_listened_to(cloud: LocalCloud, header: tuple[str, str]) -> None:
    request = Request(f"{cloud.endpoint}/_local/machines", headers=dict([header]))

    with pytest.raises(HTTPError) as refused:
        urlopen(request)
    with refused.value:
        assert refused.value.code == 403
