"""What every machine must do, done by containers."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from botocore.exceptions import ClientError
from integration.local_cloud.aws import RELEASES, Aws, ask
from integration.local_cloud.docker.secure_shell import Key, host_key, ssh, told
from integration.local_cloud.waiting import until

from steadfleet_local_cloud import LocalCloud
from steadfleet_local_cloud.engine import Engine

pytestmark = pytest.mark.docker


def run_command(aws: Aws, instance: str, *commands: str, seconds: int = 60) -> dict[str, Any]:
    """Run a shell script by SSM to its end."""
    sent = aws.ssm.send_command(
        InstanceIds=[instance],
        DocumentName="AWS-RunShellScript",
        Parameters={"commands": list(commands), "executionTimeout": [str(seconds)]},
    )["Command"]["CommandId"]

    def look() -> dict[str, Any]:
        return {**aws.ssm.get_command_invocation(CommandId=sent, InstanceId=instance)}

    return until(look, lambda seen: seen["Status"] not in {"Pending", "InProgress"}, seconds=60)


def answer(aws: Aws, instance: str) -> dict[str, Any]:
    found = until(partial(ask, aws.address(instance)), seconds=60)
    assert found is not None
    return found


def events(cloud: LocalCloud, instance: str) -> list[Any]:
    return [entry["event"] for entry in cloud.record() if entry.get("instance") == instance]


def test_an_instance_serves_its_images_program_at_its_own_address(
    cloud: LocalCloud, aws: Aws, image: str
) -> None:
    first, second = aws.launch(image, 2)

    assert answer(aws, first)["instance_id"] == first
    assert answer(aws, second)["instance_id"] == second
    assert aws.address(first).startswith("10.")
    assert json.loads(urlopen(f"{cloud.endpoint}/_local/health").read())["machines"] == "docker"
    assert [machine["alive"] for machine in cloud.machines()] == [True, True]


def test_a_machine_lets_its_own_key_in_and_no_other(aws: Aws, base: str, tmp_path: Path) -> None:
    own, other = Key(aws, tmp_path, "own", "rsa"), Key(aws, tmp_path, "other")
    (instance,) = aws.launch(base, KeyName=own.name)
    address = aws.address(instance)

    assert told(address, own.file, "id -u && cat /etc/hostname") == f"0\nip-{address.replace('.', '-')}\n"
    assert ssh(address, other.file, "true").returncode == 255
    with pytest.raises(ClientError, match=r"InvalidKeyPair.NotFound"):
        aws.launch(base, KeyName="nobody's")


def test_two_machines_share_no_host_key_and_a_stop_keeps_it(aws: Aws, base: str) -> None:
    first, second = aws.launch(base, 2)
    address = aws.address(first)
    key = until(partial(host_key, address))
    assert key != until(partial(host_key, aws.address(second)))

    aws.ec2.stop_instances(InstanceIds=[first])
    assert host_key(address) == ""
    aws.ec2.start_instances(InstanceIds=[first])

    assert until(partial(host_key, address)) == key


def test_stop_start_and_reboot_keep_the_address_and_change_the_boot_id(aws: Aws, image: str) -> None:
    (instance,) = aws.launch(image)
    boots = [answer(aws, instance)["boot_id"]]

    aws.ec2.stop_instances(InstanceIds=[instance])
    assert ask(aws.address(instance)) is None
    aws.ec2.start_instances(InstanceIds=[instance])
    boots.append(answer(aws, instance)["boot_id"])
    aws.ec2.reboot_instances(InstanceIds=[instance])
    boots.append(answer(aws, instance)["boot_id"])

    assert len(set(boots)) == 3


def test_a_terminated_instance_leaves_nothing_and_frees_its_address(
    cloud: LocalCloud, aws: Aws, image: str, engine: Engine
) -> None:
    before = cloud.inventory()
    (old,) = aws.launch(image)
    address = aws.address(old)
    answer(aws, old)

    aws.ec2.terminate_instances(InstanceIds=[old])

    assert cloud.inventory() == before
    assert not engine.docker.container.exists(old)
    (new,) = aws.launch(image, PrivateIpAddress=address, SubnetId=aws.subnets()["eu-west-1a"])
    assert answer(aws, new)["instance_id"] == new


def test_an_instance_can_be_terminated_while_it_boots(cloud: LocalCloud, aws: Aws, image: str) -> None:
    instances = aws.launch(image, 4)

    aws.ec2.terminate_instances(InstanceIds=instances)

    assert cloud.machines() == []


@pytest.mark.parametrize(("release", "status"), [("bad-crash", 1), ("bad-leak", 4)])
def test_a_program_that_exits_leaves_the_machine_running(
    cloud: LocalCloud, aws: Aws, engine: Engine, release: str, status: int
) -> None:
    (instance,) = aws.launch(cloud.register_image("bad", RELEASES / release))

    (exit_,) = until(
        lambda: [entry for entry in cloud.record() if entry.get("event") == "exited"], seconds=60
    )

    assert (exit_["instance"], exit_["status"]) == (instance, status)
    assert [(machine["alive"], machine["power"]) for machine in cloud.machines()] == [(False, "running")]
    assert run_command(aws, instance, "echo here")["StandardOutputContent"] == "here\n"
    assert engine.docker.logs(instance) != ""


def test_a_command_has_the_machines_environment_and_tells_its_exit_code(aws: Aws, image: str) -> None:
    (instance,) = aws.launch(image)

    done = run_command(aws, instance, 'echo "$INSTANCE_ID in $ZONE"', "cat release.json >&2", "exit 7")

    assert (done["Status"], done["ResponseCode"]) == ("Failed", 7)
    assert done["StandardOutputContent"] == f"{instance} in eu-west-1a\n"
    assert '"1.0"' in done["StandardErrorContent"]


def test_a_command_that_takes_too_long_is_killed_and_what_it_detached_is_not(aws: Aws, image: str) -> None:
    (instance,) = aws.launch(image)

    late = run_command(aws, instance, "setsid sleep 601 & echo began", "sleep 602", seconds=1)

    assert (late["Status"], late["StandardOutputContent"]) == ("TimedOut", "began\n")
    running = run_command(aws, instance, "cat /proc/[0-9]*/cmdline | tr '\\0' ' '")["StandardOutputContent"]
    assert "sleep 601" in running
    assert "sleep 602" not in running


def test_a_hung_machine_takes_no_command_and_answers_again_when_revived(
    cloud: LocalCloud, aws: Aws, image: str
) -> None:
    (instance,) = aws.launch(image)
    boot = answer(aws, instance)["boot_id"]

    cloud.add_fault("dark-zone", zone="eu-west-1a")
    assert ask(aws.address(instance)) is None
    assert aws.ssm.describe_instance_information()["InstanceInformationList"][0]["PingStatus"] == (
        "ConnectionLost"
    )
    cloud.clear_faults()

    assert answer(aws, instance)["boot_id"] == boot


@pytest.mark.parametrize("act", ["stop", "terminate"])
def test_a_hung_machine_can_be_ended(cloud: LocalCloud, aws: Aws, image: str, act: str) -> None:
    (instance,) = aws.launch(image)
    answer(aws, instance)
    cloud.add_fault("dark-zone", zone="eu-west-1a")

    if act == "stop":
        aws.ec2.stop_instances(InstanceIds=[instance])
        assert [machine["power"] for machine in cloud.machines()] == ["stopped"]
        cloud.clear_faults()
        aws.ec2.start_instances(InstanceIds=[instance])
        answer(aws, instance)
    else:
        aws.ec2.terminate_instances(InstanceIds=[instance])
        assert cloud.machines() == []


def test_a_boot_can_be_slow_or_fail(cloud: LocalCloud, aws: Aws, image: str) -> None:
    cloud.add_fault("slow-boot", seconds=0.5, count=1)
    cloud.add_fault("failed-boot", after=1)
    slow, failed = aws.launch(image, 2)

    assert run_command(aws, slow, "echo up")["StandardOutputContent"] == "up\n"
    assert events(cloud, slow) == ["booting", "booted", "command-ended"]
    assert events(cloud, failed) == ["boot-failed"]
    cloud.clear_faults()
    aws.ec2.reboot_instances(InstanceIds=[failed])
    answer(aws, failed)


@pytest.mark.parametrize("harm", ["kill", "rm --force"])
def test_a_container_that_somebody_else_ended_is_noticed_and_can_be_terminated(
    cloud: LocalCloud, aws: Aws, image: str, engine: Engine, harm: str
) -> None:
    (instance,) = aws.launch(image)
    answer(aws, instance)

    engine.call(*harm.split(), instance)

    until(lambda: [machine["alive"] for machine in cloud.machines()], lambda seen: seen == [False])
    cloud.add_fault("dark-zone", zone="eu-west-1a")
    aws.ec2.terminate_instances(InstanceIds=[instance])
    assert cloud.machines() == []
