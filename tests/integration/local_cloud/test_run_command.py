from typing import Any

import pytest
from botocore.exceptions import ClientError
from integration.local_cloud.aws import Aws, ask
from integration.local_cloud.waiting import until

from steadfleet_local_cloud import LocalCloud


def send(aws: Aws, instance: str, *commands: str, **options: Any) -> str:
    """Send a shell script; the command's id."""
    parameters = {"commands": list(commands)} | options.pop("Parameters", {})
    sent = aws.ssm.send_command(
        InstanceIds=[instance], DocumentName="AWS-RunShellScript", Parameters=parameters, **options
    )
    return sent["Command"]["CommandId"]


def ended(aws: Aws, command: str, instance: str) -> dict[str, Any]:
    def look() -> dict[str, Any]:
        return {**aws.ssm.get_command_invocation(CommandId=command, InstanceId=instance)}

    return until(look, lambda seen: seen["Status"] not in {"Pending", "InProgress"})


def test_a_command_runs_in_the_machine_with_real_output(cloud: LocalCloud, aws: Aws, image: str) -> None:
    (instance,) = aws.launch(image)
    command = send(aws, instance, 'echo "$INSTANCE_ID in $ZONE"', "cat release.json >&2")

    done = ended(aws, command, instance)

    assert (done["Status"], done["ResponseCode"]) == ("Success", 0)
    assert done["StandardOutputContent"] == f"{instance} in eu-west-1a\n"
    assert '"1.0"' in done["StandardErrorContent"]
    sent = next(entry for entry in cloud.record() if entry.get("action") == "SendCommand")
    assert {instance, command} <= set(sent["resources"])


def test_an_exit_code_is_told(aws: Aws, image: str) -> None:
    (instance,) = aws.launch(image)

    done = ended(aws, send(aws, instance, "exit 7"), instance)

    assert (done["Status"], done["ResponseCode"]) == ("Failed", 7)


def test_a_command_is_under_way_until_it_ends_and_can_run_out_of_time(aws: Aws, image: str) -> None:
    (instance,) = aws.launch(image)
    command = send(aws, instance, "echo began", "sleep 60", Parameters={"executionTimeout": ["1"]})

    def listed() -> Any:
        return aws.ssm.list_command_invocations(CommandId=command, Details=True)["CommandInvocations"][0]

    until(listed, lambda seen: seen["Status"] == "InProgress")
    done = ended(aws, command, instance)
    assert (done["Status"], done["StandardOutputContent"]) == ("TimedOut", "began\n")
    assert listed()["CommandPlugins"][0]["Output"] == "began\n"
    assert aws.ssm.list_commands(CommandId=command)["Commands"][0]["Status"] == "TimedOut"


def test_a_command_changes_what_the_machine_runs_after_a_reboot(aws: Aws, image: str) -> None:
    (instance,) = aws.launch(image)
    script = """echo '{"version": "1.1"}' > release.json"""
    assert ended(aws, send(aws, instance, script), instance)["Status"] == "Success"

    aws.ec2.reboot_instances(InstanceIds=[instance])

    until(lambda: ask(aws.address(instance)), lambda answer: answer and answer["version"] == "1.1")


def test_what_a_command_leaves_running_ends_with_the_machine(aws: Aws, image: str) -> None:
    (instance,) = aws.launch(image)
    done = ended(aws, send(aws, instance, "setsid sleep 600 >/dev/null 2>&1 & echo $!"), instance)
    pid = int(done["StandardOutputContent"])
    assert _runs(pid)

    aws.ec2.terminate_instances(InstanceIds=[instance])

    assert not _runs(pid)


def test_a_command_waits_for_a_slow_boot(cloud: LocalCloud, aws: Aws, image: str) -> None:
    cloud.add_fault("slow-boot", seconds=0.5)
    (instance,) = aws.launch(image)
    command = send(aws, instance, "echo up")

    assert aws.ssm.get_command_invocation(CommandId=command, InstanceId=instance)["Status"] == "Pending"
    assert ended(aws, command, instance)["StandardOutputContent"] == "up\n"


def test_a_machine_that_hangs_or_goes_ends_the_wait(cloud: LocalCloud, aws: Aws, image: str) -> None:
    (instance,) = aws.launch(image)
    cloud.add_fault("dark-zone", zone="eu-west-1a")
    command = send(aws, instance, "echo never")
    online = aws.ssm.describe_instance_information()["InstanceInformationList"][0]["PingStatus"]
    assert online == "ConnectionLost"

    aws.ec2.terminate_instances(InstanceIds=[instance])

    assert ended(aws, command, instance)["StatusDetails"] == "Undeliverable"


@pytest.mark.parametrize("state", ["unknown", "stopped", "terminated"])
def test_only_running_instances_take_commands(aws: Aws, image: str, state: str) -> None:
    (instance,) = aws.launch(image)
    if state == "stopped":
        aws.ec2.stop_instances(InstanceIds=[instance])
    elif state == "terminated":
        aws.ec2.terminate_instances(InstanceIds=[instance])
    else:
        instance = "i-0123456789abcdef0"

    with pytest.raises(ClientError) as refused:
        send(aws, instance, "true")
    assert refused.value.response["Error"]["Code"] == "InvalidInstanceId"


def test_a_command_can_go_to_all_with_a_tag(aws: Aws, image: str) -> None:
    tags: Any = [{"ResourceType": "instance", "Tags": [{"Key": "fleet", "Value": "web"}]}]
    chosen = aws.launch(image, 2, TagSpecifications=tags)
    aws.launch(image)

    sent = aws.ssm.send_command(
        Targets=[{"Key": "tag:fleet", "Values": ["web"]}],
        DocumentName="AWS-RunShellScript",
        Parameters={"commands": ["echo $INSTANCE_ID"]},
    )

    command = sent["Command"]["CommandId"]
    assert sorted(sent["Command"]["InstanceIds"]) == sorted(chosen)
    outputs = [ended(aws, command, one)["StandardOutputContent"].strip() for one in chosen]
    assert outputs == chosen


def test_another_document_is_refused(aws: Aws, image: str) -> None:
    (instance,) = aws.launch(image)

    with pytest.raises(ClientError, match="AWS-RunShellScript only"):
        aws.ssm.send_command(InstanceIds=[instance], DocumentName="AWS-RunPatchBaseline")


def _runs(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as stat:  # noqa: PTH123
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
