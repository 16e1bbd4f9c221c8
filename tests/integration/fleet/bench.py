"""What the tests of the fleet adapter stand on."""

import asyncio
import json
import shutil
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3
from integration.local_cloud.waiting import until
from moto.ec2.models import ec2_backends
from temporalio.testing import ActivityEnvironment

from steadfleet_activities.fleet.aws import AwsFleet
from steadfleet_activities.fleet.clients import Aws
from steadfleet_activities.fleet.waiting import looked
from steadfleet_core.campaign.plan import CampaignOrder, Preview
from steadfleet_core.campaign.policy import HealthChecks, PatchPolicy
from steadfleet_core.fleet import Host, HostOutcome, Image
from steadfleet_local_cloud import LocalCloud
from steadfleet_local_cloud.context import ACCOUNT
from steadfleet_local_cloud.fleet import Fleet, create_fleet
from steadfleet_ports.fleet import Freeze, GroupHold, HostChange, HostRestore
from steadfleet_ports.image import ImageDecision, ImageVerification

CAMPAIGN = "campaign/web-2"
RUN = "run-1"
PATIENCE = timedelta(seconds=10)
QUICK_CHECKS: dict[str, Any] = {
    "interval": "0.05s",
    "timeout": "1s",
    "successThreshold": 2,
    "failureThreshold": 2,
    "deadline": "1.5s",
    "checks": [{"type": "http", "port": 8080, "path": "/healthz"}],
}


class Trusting:
    """Stands for a trust policy that every image satisfies."""

    async def verify_image(self, verification: ImageVerification) -> ImageDecision:
        return ImageDecision(image=verification.image.id, allowed=True, enforced=True)


@dataclass(frozen=True)
class Bench:
    """A local cloud with one group of three hosts, and an adapter without retries of its own."""

    cloud: LocalCloud
    aws: Aws
    fleet: AwsFleet
    made: Fleet
    releases: Path
    scratch: Path

    @classmethod
    def build(cls, cloud: LocalCloud, releases: Path, scratch: Path, size: int = 3) -> "Bench":
        image = cloud.register_image("web-1.0", releases / "good-1.0")
        made = create_fleet(
            cloud.endpoint, cloud.region, name="web", image=image, size=size, zones=3, tags={"app": "web"}
        )
        # A drain of a second would be most of every test's time.
        boto3.client("elbv2", **cloud.client_settings).modify_target_group_attributes(
            TargetGroupArn=made.target_group,
            Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": "0"}],
        )
        aws = Aws.connect(**cloud.client_settings)
        aws.s3.create_bucket(
            Bucket="steadfleet-plans", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
        )
        # A program that was not up at its first probe is called unhealthy until the next.
        until(lambda: _target_states(aws, made), lambda states: set(states) == {"healthy"})
        return cls(cloud, aws, AwsFleet(aws, verifier=Trusting()), made, releases, scratch)

    def image(self, release: str) -> Image:
        name = f"web-{release}"
        return Image(id=self.cloud.register_image(name, self.releases / release), name=name)

    def image_named(self, name: str) -> Image:
        return Image(id=self.cloud.register_image(name, self.releases / "good-2.0"), name=name)

    async def until_targets_are(self, state: str) -> None:
        seen = await looked(lambda states: set(states.values()) == {state}, PATIENCE, self.targets)
        assert set(seen.values()) == {state}

    def policy(self, image: str, /, **spec: Any) -> PatchPolicy:
        said = {
            "fleet": {"name": "web", "selector": {"groups": ["web"]}},
            "image": {"id": image},
            "strategy": {"type": "immediate"},
            "healthChecks": QUICK_CHECKS,
        }
        return PatchPolicy.model_validate(
            {
                "apiVersion": "steadfleet.dev/v1",
                "kind": "PatchPolicy",
                "metadata": {"name": "web-2"},
                "spec": said | spec,
            }
        )

    async def preview(
        self, image: str, /, *, store: bool = False, probe: bool = False, **spec: Any
    ) -> Preview:
        order = CampaignOrder(policy=self.policy(image, **spec), requested_by="ops")
        freeze = Freeze(order=order, store=store, probe=probe)
        preview: Preview = await ActivityEnvironment().run(self.fleet.preview_plan, freeze)
        return preview

    async def hosts(self) -> list[Host]:
        """Freeze the group as it is now."""
        selection = self.fleet._selectors.select(self.policy("ami-00000000").spec.fleet.selector)
        return sorted(selection.hosts, key=lambda host: host.zone)

    async def hold(self, surge: int = 1) -> GroupHold:
        preview = await self.preview(self.made.image)
        hold = GroupHold(plan=preview.plan, campaign=CAMPAIGN, run=RUN, surge=surge)
        await ActivityEnvironment().run(self.fleet.hold_groups, hold)
        return hold

    def quick(self, **checks: Any) -> dict[str, Any]:
        return QUICK_CHECKS | checks

    def tag(self, resource: str, tags: dict[str, str]) -> None:
        self.aws.ec2.create_tags(
            Resources=[resource], Tags=[{"Key": key, "Value": value} for key, value in tags.items()]
        )

    def point_template(self, version: str) -> None:
        """Let the group launch from this version, or pointer, of its template."""
        self.aws.autoscaling.update_auto_scaling_group(
            AutoScalingGroupName="web",
            LaunchTemplate={"LaunchTemplateId": self.made.launch_template, "Version": version},
        )

    def move_template(self, data: Any, version: str) -> None:
        """Make a further version of the group's template, which becomes this number, and move the group."""
        self.aws.ec2.create_launch_template_version(
            LaunchTemplateId=self.made.launch_template, LaunchTemplateData=data
        )
        self.point_template(version)

    def set_image_state(self, image: str, state: str) -> None:
        """No call leaves an image pending here: reach into the platform."""
        with self.cloud._context.lock:
            ec2_backends[ACCOUNT][self.cloud.region].amis[image].state = state

    def object(self, key: str) -> bytes:
        return self.aws.s3.get_object(Bucket="steadfleet-plans", Key=key)["Body"].read()

    def make_room(self) -> None:
        self.aws.autoscaling.update_auto_scaling_group(AutoScalingGroupName="web", MaxSize=4)

    def change(self, host: Host, image: Image, attempt: int = 1, **checks: Any) -> HostChange:
        return HostChange(
            campaign=CAMPAIGN,
            run=RUN,
            attempt=attempt,
            wave=1,
            host=host,
            image=image,
            checks=HealthChecks.model_validate(QUICK_CHECKS | checks),
        )

    def restore(self, change: HostChange) -> HostRestore:
        return HostRestore(**change.model_dump())

    async def run(self, order: HostChange, fleet: AwsFleet | None = None) -> HostOutcome:
        return await self.run_in(ActivityEnvironment(), order, fleet)

    async def run_in(
        self, environment: ActivityEnvironment, order: HostChange, fleet: AwsFleet | None = None
    ) -> HostOutcome:
        fleet = fleet or self.fleet
        if isinstance(order, HostRestore):
            return await environment.run(fleet.restore_host, order)
        return await environment.run(fleet.change_host, order)

    async def cancelled_at(self, step: str, order: HostChange) -> bool:
        """Run, and cancel when the step begins; whether the activity ended as cancelled."""
        environment = ActivityEnvironment()
        environment.on_heartbeat = lambda *details: environment.cancel() if details[:1] == (step,) else None
        try:
            await self.run_in(environment, order)
        except asyncio.CancelledError:
            return True
        return False

    def dying_release(self, after_time: float) -> Path:
        """Write a release that serves, and exits after so many seconds."""
        folder = self.scratch / "dies"
        shutil.copytree(self.releases / "bad-dies", folder)
        said = {"version": "dies", "dies_after_seconds": after_time}
        (folder / "release.json").write_text(json.dumps(said))
        return folder

    def members(self) -> dict[str, str]:
        """Map each member of the group to its zone."""
        group = self.group()
        return {member["InstanceId"]: member["AvailabilityZone"] for member in group["Instances"]}

    def group(self) -> Any:
        answer = self.aws.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=["web"])
        return answer["AutoScalingGroups"][0]

    def images(self) -> Counter[str]:
        """Count the group's members by the image that each runs."""
        members = self.members()
        return Counter(one["image"] for one in self.cloud.inventory()["instances"] if one["id"] in members)

    def targets(self) -> dict[str, str]:
        answer = self.aws.elbv2.describe_target_health(TargetGroupArn=self.made.target_group)
        return {
            one["Target"]["Id"]: one["TargetHealth"]["State"] for one in answer["TargetHealthDescriptions"]
        }

    def launched(self, since: int) -> list[str]:
        """List the machines that were booted, by the platform's own record."""
        return [
            entry["instance"]
            for entry in self.cloud.record(since)
            if entry["kind"] == "machine" and entry["event"] == "booted"
        ]

    def calls(self, since: int) -> list[dict[str, Any]]:
        return [entry for entry in self.cloud.record(since) if entry["kind"] == "call"]

    def now(self) -> int:
        record = self.cloud.record()
        return int(record[-1]["seq"]) if record else 0

    def shape(self) -> dict[str, Any]:
        """Describe all that exists, with no word of which machine it is: equal before and after a swap."""
        inventory = self.cloud.inventory()
        zones = sorted((one["zone"], one["state"]) for one in inventory["instances"])
        group = self.group()
        return {
            "counts": {kind: len(items) for kind, items in inventory.items()},
            "zones": zones,
            "sizes": (group["MinSize"], group["DesiredCapacity"], len(group["Instances"])),
            "targets": sorted(self.targets().values()),
            "template": group["LaunchTemplate"]["Version"],
        }


def _target_states(aws: Aws, made: Fleet) -> list[str]:
    health = aws.elbv2.describe_target_health(TargetGroupArn=made.target_group)
    return [one["TargetHealth"]["State"] for one in health["TargetHealthDescriptions"]]
