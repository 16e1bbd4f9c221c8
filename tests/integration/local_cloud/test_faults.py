import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, EndpointConnectionError
from integration.local_cloud.aws import Aws, ask
from integration.local_cloud.waiting import until

from steadfleet_local_cloud import LocalCloud

Attempt = Callable[[], object]


def outcome(attempt: Attempt) -> str:
    """Call once and say how it went: ok, or the error's code or class."""
    try:
        attempt()
    except ClientError as error:
        return error.response["Error"]["Code"]
    except ConnectionClosedError:
        return "lost"
    return "ok"


@pytest.mark.parametrize(
    ("service", "throttled", "broken"),
    [
        ("ec2", "RequestLimitExceeded", "InternalError"),
        ("scaling", "Throttling", "InternalFailure"),
        ("balancing", "Throttling", "InternalFailure"),
        ("ssm", "ThrottlingException", "InternalServerError"),
        ("s3", "SlowDown", "InternalError"),
    ],
)
def test_each_protocol_tells_a_fault_in_its_own_words(
    cloud: LocalCloud, aws: Aws, service: str, throttled: str, broken: str
) -> None:
    attempt: dict[str, Attempt] = {
        "ec2": aws.ec2.describe_instances,
        "scaling": aws.scaling.describe_auto_scaling_groups,
        "balancing": aws.balancing.describe_target_groups,
        "ssm": aws.ssm.describe_parameters,
        "s3": aws.s3.list_buckets,
    }
    cloud.add_fault("throttle", count=1)
    assert outcome(attempt[service]) == throttled
    cloud.add_fault("error", count=1)
    assert outcome(attempt[service]) == broken
    assert outcome(attempt[service]) == "ok"


def test_a_fault_meets_the_named_calls_after_so_many_and_so_often(cloud: LocalCloud, aws: Aws) -> None:
    cloud.add_fault("throttle", action="*KeyPairs", after=1, count=2)

    outcomes = [outcome(aws.ec2.describe_key_pairs) for _ in range(4)]

    assert outcomes == ["ok", "RequestLimitExceeded", "RequestLimitExceeded", "ok"]
    assert outcome(aws.ec2.describe_instances) == "ok"


def test_a_throttled_call_has_no_effect(cloud: LocalCloud, aws: Aws, image: str) -> None:
    cloud.add_fault("throttle", action="RunInstances", count=1)

    assert outcome(lambda: aws.launch(image)) == "RequestLimitExceeded"
    assert cloud.machines() == []


def test_a_lost_answer_leaves_the_instance_behind(cloud: LocalCloud, aws: Aws, image: str) -> None:
    cloud.add_fault("lost", action="RunInstances", count=1)

    assert outcome(lambda: aws.launch(image)) == "lost"

    (machine,) = cloud.machines()
    assert aws.state(str(machine["id"])) == "running"
    assert until(lambda: ask(str(machine["address"])))


def test_the_sdks_own_retry_of_a_lost_launch_does_not_double_it(cloud: LocalCloud, image: str) -> None:
    cloud.add_fault("lost", action="RunInstances", count=1)

    (instance,) = Aws(cloud.endpoint, retries={"total_max_attempts": 3}).launch(image)

    assert [machine["id"] for machine in cloud.machines()] == [instance]


def sequence(folder: Path, seed: int) -> list[str]:
    with LocalCloud(state=folder, machines="none", seed=seed) as cloud:
        cloud.add_fault("throttle", probability=0.5)
        aws = Aws(cloud.endpoint)
        return [outcome(aws.ec2.describe_key_pairs) for _ in range(20)]


def test_equal_seeds_give_equal_faults(tmp_path: Path) -> None:
    first, again, other = (sequence(tmp_path, seed) for seed in (1, 1, 2))

    assert first == again
    assert first != other
    assert set(first) == {"ok", "RequestLimitExceeded"}


def test_a_call_held_before_its_effect_can_be_let_go(cloud: LocalCloud, aws: Aws, image: str) -> None:
    fault = cloud.add_fault("hold", action="RunInstances", when="before", count=1)
    _ = aws.ec2
    with ThreadPoolExecutor(1) as pool:
        launch = pool.submit(aws.launch, image)
        assert cloud.faults.await_held(fault.id)["ImageId"] == image
        assert cloud.machines() == []

        assert cloud.release(fault) == 1

        (instance,) = launch.result(10)
    assert [machine["id"] for machine in cloud.machines()] == [instance]


def test_a_call_held_before_its_effect_can_be_dropped(cloud: LocalCloud, aws: Aws, image: str) -> None:
    fault = cloud.add_fault("hold", action="RunInstances", when="before", count=1)
    _ = aws.ec2
    with ThreadPoolExecutor(1) as pool:
        launch = pool.submit(outcome, lambda: aws.launch(image))
        cloud.faults.await_held(fault.id)
        cloud.release(fault, "drop")
        assert launch.result(10) == "lost"

    assert cloud.machines() == []
    call = next(
        entry for entry in cloud.record() if entry["kind"] == "call" and entry["action"] == "RunInstances"
    )
    assert (call["status"], call["faults"]) == (None, [f"{fault.id}:hold"])


def test_a_call_held_after_its_effect_has_it_already(cloud: LocalCloud, aws: Aws, image: str) -> None:
    fault = cloud.add_fault("hold", action="RunInstances", when="after", count=1)
    _ = aws.ec2
    with ThreadPoolExecutor(1) as pool:
        launch = pool.submit(outcome, lambda: aws.launch(image))
        cloud.faults.await_held(fault.id)
        assert len(cloud.machines()) == 1
        assert outcome(aws.ec2.describe_instances) == "ok"  # nobody else waits

        cloud.release(fault, "drop")
        assert launch.result(10) == "lost"
    assert len(cloud.machines()) == 1


def test_clearing_a_hold_lets_its_calls_go_on(cloud: LocalCloud, aws: Aws) -> None:
    fault = cloud.add_fault("hold")
    _ = aws.ec2
    with ThreadPoolExecutor(1) as pool:
        attempt = pool.submit(outcome, aws.ec2.describe_instances)
        cloud.faults.await_held(fault.id)
        cloud.clear_faults()
        assert attempt.result(10) == "ok"


def test_closing_the_cloud_ends_held_calls(tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as pool, LocalCloud(state=tmp_path, machines="none") as cloud:
        aws = Aws(cloud.endpoint)
        fault = cloud.add_fault("hold")
        attempt = pool.submit(outcome, aws.ec2.describe_instances)
        cloud.faults.await_held(fault.id)
        cloud.close()
        assert attempt.result(10) == "lost"


def test_a_slow_boot_serves_later(cloud: LocalCloud, aws: Aws, image: str) -> None:
    cloud.add_fault("slow-boot", count=1, seconds=0.5)
    began = time.monotonic()
    (slow,) = aws.launch(image)
    assert ask(aws.address(slow)) is None
    assert status(aws, slow) == "initializing"

    until(lambda: ask(aws.address(slow)))
    assert time.monotonic() - began >= 0.5
    assert status(aws, slow) == "ok"


def test_a_failed_boot_never_serves_until_it_is_rebooted(cloud: LocalCloud, aws: Aws, image: str) -> None:
    cloud.add_fault("failed-boot", image=image, count=1)
    failed, sound = aws.launch(image, 2)

    until(lambda: ask(aws.address(sound)))
    assert ask(aws.address(failed)) is None
    assert (aws.state(failed), status(aws, failed)) == ("running", "impaired")

    aws.ec2.reboot_instances(InstanceIds=[failed])
    until(lambda: ask(aws.address(failed)))


def status(aws: Aws, instance: str) -> str:
    return aws.ec2.describe_instance_status(InstanceIds=[instance])["InstanceStatuses"][0]["InstanceStatus"][
        "Status"
    ]


def test_a_dark_zone_hangs_takes_no_launches_and_comes_back(cloud: LocalCloud, aws: Aws, image: str) -> None:
    subnets = aws.subnets()
    (inside,) = aws.launch(image, SubnetId=subnets["eu-west-1b"])
    (outside,) = aws.launch(image, SubnetId=subnets["eu-west-1a"])
    for one in (inside, outside):
        until(partial(ask, aws.address(one)))

    fault = cloud.add_fault("dark-zone", zone="eu-west-1b")

    assert ask(aws.address(inside)) is None
    assert ask(aws.address(outside))
    assert (
        outcome(lambda: aws.launch(image, SubnetId=subnets["eu-west-1b"])) == "InsufficientInstanceCapacity"
    )
    aws.group(image, 4)
    zones = {str(member["AvailabilityZone"]) for member in aws.members().values()}
    assert zones == {"eu-west-1a", "eu-west-1c"}

    cloud.clear_faults(fault)
    until(lambda: ask(aws.address(inside)))


def control(cloud: LocalCloud, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    request = Request(
        f"{cloud.endpoint}/_local/{path}", json.dumps(body).encode() if body else None, method=method
    )
    try:
        with urlopen(request, timeout=10) as answer:
            return answer.status, json.load(answer)
    except HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_faults_are_added_listed_and_cleared_over_http(cloud: LocalCloud, aws: Aws) -> None:
    status, added = control(cloud, "POST", "faults", {"kind": "throttle", "action": "Describe*", "count": 1})
    assert (status, added["id"], added["kind"]) == (201, "fault-1", "throttle")
    outcome(aws.ec2.describe_instances)

    (listed,) = control(cloud, "GET", "faults")[1]
    assert (listed["id"], listed["matched"], listed["struck"]) == ("fault-1", 1, 1)
    assert control(cloud, "DELETE", "faults/fault-1") == (200, [])


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"kind": "flood"}, "flood"),
        ({"kind": "throttle", "often": 1}, "often"),
        ({"kind": "dark-zone"}, "needs its zone"),
        ({"kind": "throttle", "probability": 2}, "between 0 and 1"),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(cloud: LocalCloud, body: dict[str, Any], reason: str) -> None:
    status, answer = control(cloud, "POST", "faults", body)

    assert status == 400
    assert reason in answer["error"]
    assert cloud.faults.all() == []


def test_waiting_for_a_hold_that_never_strikes_is_an_error(cloud: LocalCloud) -> None:
    fault = cloud.add_fault("hold", action="Nothing")

    with pytest.raises(Exception, match="held no call"):
        cloud.faults.await_held(fault.id, timedelta(seconds=0.05))


def test_after_closing_nothing_answers(tmp_path: Path) -> None:
    with LocalCloud(state=tmp_path, machines="none") as cloud:
        aws = Aws(cloud.endpoint)
        aws.ec2.describe_instances()

    with pytest.raises(EndpointConnectionError):
        aws.ec2.describe_instances()
