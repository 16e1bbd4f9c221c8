import ipaddress
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from integration.local_cloud.aws import RELEASES, Aws, ask
from integration.local_cloud.waiting import until

from steadfleet_local_cloud import LocalCloud


def error_code(call: Callable[[], object]) -> str:
    with pytest.raises(ClientError) as refused:
        call()
    return refused.value.response["Error"]["Code"]


def test_an_instance_serves_its_images_program_at_its_own_address(aws: Aws, image: str) -> None:
    first, second = aws.launch(image, 2)

    answers = {one: until(partial(ask, aws.address(one))) for one in (first, second)}

    assert {one: answer["instance_id"] for one, answer in answers.items() if answer} == {
        first: first,
        second: second,
    }
    assert [answer["version"] for answer in answers.values() if answer] == ["1.0", "1.0"]


def test_subnets_are_found_by_tag_and_give_loopback_addresses(
    cloud: LocalCloud, aws: Aws, image: str
) -> None:
    subnets = aws.subnets()
    assert sorted(subnets) == ["eu-west-1a", "eu-west-1b", "eu-west-1c"]

    for zone, subnet in subnets.items():
        (instance,) = aws.launch(image, SubnetId=subnet)
        machine = next(one for one in cloud.machines() if one["id"] == instance)
        assert machine["zone"] == zone
        address = ipaddress.ip_address(str(machine["address"]))
        assert address.is_loopback
        assert int(address) & 0xFF not in {0, 1, 255}


def test_parallel_launches_never_share_an_address(cloud: LocalCloud, aws: Aws, image: str) -> None:
    _ = aws.ec2
    with ThreadPoolExecutor(10) as pool:
        list(pool.map(lambda _: aws.launch(image, 2), range(10)))

    addresses = [machine["address"] for machine in cloud.machines()]
    assert len(addresses) == 20
    assert len(set(addresses)) == 20


def test_a_terminated_instance_leaves_nothing(cloud: LocalCloud, aws: Aws, image: str) -> None:
    before = cloud.inventory()
    (instance,) = aws.launch(image)
    address = aws.address(instance)
    until(lambda: ask(address))

    aws.ec2.terminate_instances(InstanceIds=[instance])

    assert ask(address) is None
    assert cloud.machines() == []
    assert cloud.inventory() == before
    assert aws.state(instance) == "terminated"
    aws.ec2.terminate_instances(InstanceIds=[instance])  # once more is no error, as on AWS


def test_a_freed_address_serves_its_next_owner(aws: Aws, image: str) -> None:
    (old,) = aws.launch(image)
    address = aws.address(old)
    until(lambda: ask(address))
    aws.ec2.terminate_instances(InstanceIds=[old])

    (new,) = aws.launch(image, PrivateIpAddress=address, SubnetId=aws.subnets()["eu-west-1a"])

    answer = until(lambda: ask(address))
    assert answer is not None
    assert answer["instance_id"] == new


def test_stop_and_start_keep_the_address_and_change_the_boot_id(aws: Aws, image: str) -> None:
    (instance,) = aws.launch(image)
    address = aws.address(instance)
    before = until(lambda: ask(address))

    aws.ec2.stop_instances(InstanceIds=[instance])
    assert ask(address) is None
    assert aws.state(instance) == "stopped"

    aws.ec2.start_instances(InstanceIds=[instance])
    after = until(lambda: ask(address))
    assert before is not None
    assert after is not None
    assert after["instance_id"] == before["instance_id"]
    assert after["boot_id"] != before["boot_id"]


def test_reboot_gives_a_new_boot_id(aws: Aws, image: str) -> None:
    (instance,) = aws.launch(image)
    address = aws.address(instance)
    before = until(lambda: ask(address))
    assert before is not None

    aws.ec2.reboot_instances(InstanceIds=[instance])

    until(lambda: ask(address), lambda answer: answer and answer["boot_id"] != before["boot_id"])


@pytest.mark.parametrize(("release", "status"), [("bad-crash", 1), ("bad-leak", 4)])
def test_a_program_that_exits_leaves_the_instance_running(
    cloud: LocalCloud, aws: Aws, release: str, status: int
) -> None:
    (instance,) = aws.launch(cloud.register_image("bad", RELEASES / release))

    (exit_,) = until(
        lambda: [entry for entry in cloud.record() if entry.get("event") == "exited"], seconds=40
    )

    assert (exit_["instance"], exit_["status"]) == (instance, status)
    assert aws.state(instance) == "running"
    assert [machine["alive"] for machine in cloud.machines()] == [False]


def test_an_image_of_a_changed_machine_carries_the_change(
    cloud: LocalCloud, aws: Aws, image: str, tmp_path: Path
) -> None:
    (instance,) = aws.launch(image)
    release = tmp_path / "state" / "machines" / instance / "content" / "release.json"
    release.write_text(json.dumps({"version": "patched"}))

    patched = aws.ec2.create_image(
        InstanceId=instance,
        Name="patched",
        TagSpecifications=[
            {"ResourceType": "image", "Tags": [{"Key": "a", "Value": "1"}]},
            {"ResourceType": "snapshot", "Tags": [{"Key": "b", "Value": "2"}]},
        ],
    )["ImageId"]
    copied = aws.copy(patched, "copy")
    aws.ec2.deregister_image(ImageId=patched)

    (fresh,) = aws.launch(copied)
    answer = until(lambda: ask(aws.address(fresh)))
    assert answer is not None
    assert answer["version"] == "patched"
    snapshots = {snapshot["id"]: snapshot["tags"] for snapshot in cloud.inventory()["snapshots"]}
    assert {"b": "2"} in snapshots.values()
    assert error_code(lambda: aws.launch(patched)) == "InvalidAMIID.NotFound"


def test_an_image_without_content_is_refused(aws: Aws) -> None:
    hollow = aws.ec2.register_image(Name="hollow")["ImageId"]

    assert error_code(lambda: aws.launch(hollow)) == "InvalidAMIID.Unavailable"
    assert error_code(lambda: aws.launch("ami-12345678")) == "InvalidAMIID.NotFound"
    assert aws.ec2.describe_instances()["Reservations"] == []


def test_without_machines_any_image_launches(tmp_path: Path) -> None:
    with LocalCloud(state=tmp_path, machines="none") as cloud:
        aws = Aws(cloud.endpoint)

        (instance,) = aws.launch("ami-12345678")

        assert aws.state(instance) == "running"
        assert cloud.machines() == []


def test_the_same_client_token_launches_once(cloud: LocalCloud, aws: Aws, image: str) -> None:
    assert aws.launch(image, ClientToken="one") == aws.launch(image, ClientToken="one")
    assert len(cloud.machines()) == 1


def test_a_machine_cannot_be_had_outside_the_network(aws: Aws, image: str) -> None:
    vpc = aws.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = aws.ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]

    assert error_code(lambda: aws.launch(image, SubnetId=subnet)) == "Unsupported"
