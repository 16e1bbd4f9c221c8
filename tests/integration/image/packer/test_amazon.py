"""The example builds an AMI over SSH, on a real machine of the local cloud, that boots and serves."""

from __future__ import annotations

import asyncio
import json
import shutil
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from integration.image.packer.runs import Stage
from integration.local_cloud.aws import Aws, ask
from integration.local_cloud.docker.secure_shell import Key
from integration.local_cloud.waiting import until as seen

from steadfleet_activities.image.packer.process import End, Result, run_packer
from steadfleet_activities.image.packer.template import inspect_template
from steadfleet_activities.image.packer.versions import find_packer
from steadfleet_core.image.order import Platform
from steadfleet_local_cloud import LocalCloud

pytestmark = pytest.mark.docker

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import FilterTypeDef

EXAMPLES = Path(__file__).parents[4] / "examples"
TEMPLATE = "image/web.pkr.hcl"
EXPIRES_AT = "2030-01-01T00:00:00+00:00"


class Build:
    """One build of the example, given what the adapter gives."""

    def __init__(self, stage: Stage, cloud: LocalCloud, aws: Aws, base: str) -> None:
        self.run = f"test-{uuid4().hex}"
        self.stage = stage
        self._cloud = cloud
        self._aws = aws
        shutil.copytree(EXAMPLES / "image", stage.outside / "image")
        shutil.copytree(EXAMPLES / "web" / "good-2.0", stage.outside / "web" / "good-2.0")
        self._given = self._access() | {"image_name": "web-1.0.0", "base_image": base, "run": self.run}
        (stage.outside / "given.json").write_text(json.dumps(self._given))

    async def start(self, named: dict[str, str] | None = None) -> Result:
        found = inspect_template(self.stage.outside / TEMPLATE)
        assert found.platform is Platform.AWS
        assert sorted(found.declared - self._given.keys()) == ["instance_type", "release", "user"]
        packer = await find_packer(named)
        credentials = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}
        return await run_packer(
            [packer.path, "build", "-machine-readable", "-var-file=given.json", TEMPLATE],
            self.stage.outside,
            {"TEST_MARK": self.stage.mark, **packer.environment, **credentials},
            self.stage.hear,
            timedelta(minutes=4),
            timedelta(minutes=2),
            folder=self.stage.folder,
        )

    def _access(self) -> dict[str, str]:
        ec2 = self._aws.ec2
        [subnet, *_] = ec2.describe_subnets()["Subnets"]
        key = Key(self._aws, self.stage.outside, self.run)
        group = ec2.create_security_group(GroupName=self.run, Description="a build", VpcId=subnet["VpcId"])
        return {
            "security_group_id": group["GroupId"],
            "ssh_keypair_name": self.run,
            "ssh_private_key_file": str(key.file),
            "region": self._cloud.region,
            "vpc_id": subnet["VpcId"],
            "subnet_id": subnet["SubnetId"],
            "endpoint": self._cloud.endpoint,
            "expires_at": EXPIRES_AT,
        }


@pytest.fixture
def build(run: Stage, cloud: LocalCloud, aws: Aws, base: str) -> Build:
    return Build(run, cloud, aws, base)


def made_since(cloud: LocalCloud, before: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Return what is there now and was not before, by kind."""
    after = cloud.inventory()
    new = {
        kind: [item for item in items if item not in before.get(kind, [])] for kind, items in after.items()
    }
    return {kind: items for kind, items in new.items() if items}


def tags_of(listed: list[dict[str, str]]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in listed}


def check_image(build: Build, aws: Aws, cloud: LocalCloud, result: Result) -> None:
    ours = {"steadfleet:run": build.run, "steadfleet:expires-at": EXPIRES_AT}
    assert (result.end, result.exit_status, result.outcome.errors) == (End.ENDED, 0, ())
    image = result.outcome.amis[cloud.region]
    [found] = aws.ec2.describe_images(ImageIds=[image])["Images"]
    assert (found["Name"], tags_of(found["Tags"])) == ("web-1.0.0", ours)  # type: ignore[arg-type]
    snapshot = found["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    [kept] = aws.ec2.describe_snapshots(SnapshotIds=[snapshot])["Snapshots"]
    assert tags_of(kept["Tags"]).items() >= ours.items()  # type: ignore[arg-type]

    [instance] = aws.launch(image)
    answer = seen(partial(ask, aws.address(instance)))
    assert answer is not None
    assert answer["version"] == "2.0"


async def test_the_example_becomes_an_image_that_serves(
    build: Build, cloud: LocalCloud, aws: Aws, packer: str
) -> None:
    before = cloud.inventory()

    result = await build.start()

    assert set(made_since(cloud, before)) <= {"content", "images", "snapshots"}
    check_image(build, aws, cloud, result)


async def test_what_a_killed_packer_leaves_is_found_by_its_run(
    build: Build, cloud: LocalCloud, aws: Aws, packer: str
) -> None:
    before = cloud.inventory()
    running = asyncio.create_task(build.start())
    await build.stage.until_said("==> amazon-ebs.web: Connected to SSH!")

    build.stage.kill_group()
    result = await running

    assert result.end is End.KILLED
    left = made_since(cloud, before)
    assert set(left) == {"instances", "machines", "network_interfaces", "volumes"}
    by_tag: list[FilterTypeDef] = [{"Name": "tag:steadfleet:run", "Values": [build.run]}]
    [reservation] = aws.ec2.describe_instances(Filters=by_tag)["Reservations"]
    volumes = aws.ec2.describe_volumes(Filters=by_tag)["Volumes"]
    assert (len(reservation["Instances"]), len(volumes)) == (len(left["instances"]), len(left["volumes"]))


@pytest.mark.modern_packer
async def test_a_modern_packer_builds_the_same(
    build: Build, cloud: LocalCloud, aws: Aws, modern_packer: dict[str, str]
) -> None:
    before = cloud.inventory()

    result = await build.start(modern_packer)

    assert set(made_since(cloud, before)) <= {"content", "images", "snapshots"}
    check_image(build, aws, cloud, result)
