import ipaddress
import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from urllib.request import urlopen

import boto3
import pytest
from botocore.exceptions import ClientError
from integration.local_cloud.aws import RELEASES, Aws, ask
from integration.local_cloud.waiting import until

from steadfleet_local_cloud import LocalCloud
from steadfleet_local_cloud.errors import LocalCloudError, NetworkTakenError

HOME, OTHER = "eu-west-1", "eu-central-1"


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[LocalCloud]:
    with LocalCloud(state=tmp_path / "state", regions=(HOME, OTHER), probe_scale=0.05) as cloud:
        yield cloud


@pytest.fixture
def other(cloud: LocalCloud) -> Aws:
    return Aws(cloud.endpoint, OTHER)


def test_both_regions_have_machines_at_addresses_of_their_own(
    cloud: LocalCloud, aws: Aws, other: Aws
) -> None:
    here = cloud.register_image("web-1.0", RELEASES / "good-1.0")
    there = cloud.register_image("web-1.0", RELEASES / "good-1.0", region=OTHER)

    (first,), (second,) = aws.launch(here), other.launch(there)

    addresses = aws.address(first), other.address(second)
    answers = [until(partial(ask, address)) for address in addresses]
    assert [answer["instance_id"] for answer in answers if answer] == [first, second]
    assert [answer["zone"] for answer in answers if answer] == ["eu-west-1a", "eu-central-1a"]
    networks = [ipaddress.ip_network(f"{address}/16", strict=False) for address in addresses]
    assert networks[0] != networks[1]


def test_every_region_has_a_subnet_in_three_zones(aws: Aws, other: Aws) -> None:
    assert sorted(aws.subnets()) == ["eu-west-1a", "eu-west-1b", "eu-west-1c"]
    assert sorted(other.subnets()) == ["eu-central-1a", "eu-central-1b", "eu-central-1c"]


def test_an_image_is_known_in_its_region_only(cloud: LocalCloud, other: Aws, image: str) -> None:
    with pytest.raises(ClientError, match=r"InvalidAMIID.NotFound"):
        other.launch(image)


def test_a_region_without_machines_launches_none(cloud: LocalCloud) -> None:
    elsewhere = Aws(cloud.endpoint, "us-east-1")
    hollow = elsewhere.ec2.register_image(Name="hollow")["ImageId"]

    with pytest.raises(ClientError):
        elsewhere.launch(hollow)
    with pytest.raises(LocalCloudError, match=r"us-east-1.*eu-west-1, eu-central-1"):
        cloud.register_image("web", RELEASES / "good-1.0", region="us-east-1")


def test_a_fault_can_be_limited_to_a_region(cloud: LocalCloud, aws: Aws, other: Aws) -> None:
    cloud.add_fault("throttle", region=OTHER)

    aws.ec2.describe_instances()
    with pytest.raises(ClientError, match="RequestLimitExceeded"):
        other.ec2.describe_instances()


def test_the_record_names_the_region(cloud: LocalCloud, other: Aws) -> None:
    image = cloud.register_image("web-1.0", RELEASES / "good-1.0", region=OTHER)
    (instance,) = other.launch(image)

    entries = [
        entry
        for entry in cloud.record()
        if entry.get("image") == image or instance in entry.get("resources", [])
    ]

    assert {entry["kind"] for entry in entries} == {"image", "machine", "call"}
    assert {entry["region"] for entry in entries} == {OTHER}


def test_a_group_in_another_region_lives_and_is_probed_there(cloud: LocalCloud, aws: Aws, other: Aws) -> None:
    image = cloud.register_image("web-1.0", RELEASES / "good-1.0", region=OTHER)
    group = other.target_group()
    other.group(image, 3, target_groups=(group,))

    health = until(
        lambda: other.health(group), lambda seen: {state for state, _ in seen.values()} == {"healthy"}
    )

    assert set(health) == set(other.members())
    assert {member["AvailabilityZone"] for member in other.members().values()} == set(other.subnets())
    known = other.ssm.describe_instance_information()["InstanceInformationList"]
    assert {one["InstanceId"] for one in known} == set(health)
    assert aws.ssm.describe_instance_information()["InstanceInformationList"] == []
    assert aws.ec2.describe_instances()["Reservations"] == []


def test_a_client_token_holds_in_its_region_only(cloud: LocalCloud, aws: Aws, other: Aws, image: str) -> None:
    there = other.copy(image, "web-1.0")

    assert aws.launch(image, ClientToken="one") != other.launch(there, ClientToken="one")
    assert len(cloud.machines()) == 2


def test_settings_lead_to_either_region(cloud: LocalCloud) -> None:
    for region in (HOME, OTHER):
        ec2 = boto3.client("ec2", **cloud.client_settings_for(region))
        zones = ec2.describe_availability_zones()["AvailabilityZones"]
        assert {zone["RegionName"] for zone in zones} == {region}

    assert cloud.client_settings == cloud.client_settings_for(HOME)
    with urlopen(f"{cloud.endpoint}/_local/health") as answer:
        health = json.load(answer)
    assert health["regions"] == [HOME, OTHER] == list(cloud.regions)
    assert sorted(health["networks"]) == [OTHER, HOME]


def test_a_named_network_is_followed_by_the_next(tmp_path: Path) -> None:
    with (
        LocalCloud(state=tmp_path, regions=(HOME, OTHER), network="127.190.0.0/16", machines="none") as cloud,
        urlopen(f"{cloud.endpoint}/_local/health") as answer,
    ):
        assert json.load(answer)["networks"] == {HOME: "127.190.0.0/16", OTHER: "127.191.0.0/16"}


def test_a_network_beyond_loopback_is_refused_and_gives_back_the_first(tmp_path: Path) -> None:
    with pytest.raises(NetworkTakenError):
        LocalCloud(state=tmp_path, regions=(HOME, OTHER), network="127.255.0.0/16", machines="none")

    LocalCloud(state=tmp_path, network="127.255.0.0/16", machines="none").close()


@pytest.mark.parametrize("regions", [("mars-north-1",), (HOME, HOME)])
def test_regions_that_make_no_sense_are_refused(tmp_path: Path, regions: tuple[str, ...]) -> None:
    with pytest.raises(LocalCloudError, match=r"no region 'mars-north-1'|named twice"):
        LocalCloud(state=tmp_path, regions=regions, machines="none")
