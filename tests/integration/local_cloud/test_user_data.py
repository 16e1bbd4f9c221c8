"""User data: whatever launches an instance, its machine has it as a file."""

import base64
import urllib.request
from collections.abc import Iterator
from typing import Any
from urllib.error import HTTPError

import pytest
from botocore.exceptions import ClientError
from integration.local_cloud.aws import RELEASES, Aws
from integration.local_cloud.waiting import until

from steadfleet_local_cloud import LocalCloud

DATABASE = "DATABASE=postgresql://127.78.248.1:5432/orders\n"
_SHOW = 'if [ -n "$USER_DATA_FILE" ]; then cat "$USER_DATA_FILE"; else echo none; fi'


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    with LocalCloud(state=tmp_path_factory.mktemp("cloud")) as cloud:
        yield cloud


@pytest.fixture(scope="module")
def aws(cloud: LocalCloud) -> Aws:
    return Aws(cloud.endpoint)


@pytest.fixture(scope="module")
def image(cloud: LocalCloud) -> str:
    return cloud.register_image("web-1.0", RELEASES / "good-1.0")


def seen_by(aws: Aws, instance: str) -> str:
    """Ask the machine itself."""
    sent = aws.ssm.send_command(
        InstanceIds=[instance], DocumentName="AWS-RunShellScript", Parameters={"commands": [_SHOW]}
    )["Command"]["CommandId"]
    ended = until(
        lambda: aws.ssm.get_command_invocation(CommandId=sent, InstanceId=instance),
        lambda found: found["Status"] not in {"Pending", "InProgress"},
    )
    return ended["StandardOutputContent"]


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_a_launch_gives_its_user_data_to_the_machine_over_every_boot(aws: Aws, image: str) -> None:
    (told,) = aws.launch(image, UserData=DATABASE)
    (untold,) = aws.launch(image)

    assert (seen_by(aws, told), seen_by(aws, untold)) == (DATABASE, "none\n")
    aws.ec2.stop_instances(InstanceIds=[told])
    aws.ec2.start_instances(InstanceIds=[told])
    assert seen_by(aws, told) == DATABASE


def test_each_version_of_a_template_brings_its_own(aws: Aws, image: str) -> None:
    def data(**more: str) -> Any:
        return {"ImageId": image, "InstanceType": "t3.micro", **more}

    aws.ec2.create_launch_template(
        LaunchTemplateName="versions", LaunchTemplateData=data(UserData=encoded("one"))
    )
    for more in ({"UserData": encoded(DATABASE)}, {}):
        aws.ec2.create_launch_template_version(LaunchTemplateName="versions", LaunchTemplateData=data(**more))
    for version in ("1", "2", "3"):
        aws.scaling.create_auto_scaling_group(
            AutoScalingGroupName=f"group-{version}",
            MinSize=0,
            MaxSize=1,
            DesiredCapacity=1,
            LaunchTemplate={"LaunchTemplateName": "versions", "Version": version},
            AvailabilityZones=["eu-west-1a"],
        )
    (direct,) = aws.launch("", LaunchTemplate={"LaunchTemplateName": "versions", "Version": "2"})
    (overruled,) = aws.launch(
        "", LaunchTemplate={"LaunchTemplateName": "versions", "Version": "2"}, UserData="mine"
    )

    members = [next(iter(aws.members(f"group-{version}"))) for version in ("1", "2", "3")]
    assert [seen_by(aws, member) for member in members] == ["one", DATABASE, "none\n"]
    assert (seen_by(aws, direct), seen_by(aws, overruled)) == (DATABASE, "mine")


def test_what_cannot_be_given_is_refused(cloud: LocalCloud, aws: Aws, image: str) -> None:
    (instance,) = aws.launch(image)
    before = cloud.inventory()

    with pytest.raises(ClientError, match="limited to 16384 bytes"):
        aws.launch(image, UserData="x" * 16385)
    with pytest.raises(ClientError, match="launch another instance"):
        aws.ec2.modify_instance_attribute(InstanceId=instance, UserData={"Value": encoded("new").encode()})

    assert cloud.inventory() == before


@pytest.mark.parametrize(
    "path", ["meta-data/", "meta-data/iam/security-credentials/", "api/token", "user-data"]
)
def test_no_metadata_service_is_pretended(cloud: LocalCloud, path: str) -> None:
    with pytest.raises(HTTPError) as refusal:
        urllib.request.urlopen(f"{cloud.endpoint}/latest/{path}")

    refusal.value.close()
    assert refusal.value.code == 404
