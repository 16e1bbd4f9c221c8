"""A plan is what the platform says; nothing is touched, and what cannot be done is refused in words."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from integration.fleet.bench import Bench
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from steadfleet_activities.fleet import machines
from steadfleet_core.campaign.lifecycle import State
from steadfleet_core.campaign.plan import Preview
from steadfleet_core.campaign.report import CampaignReport, CampaignStatus
from steadfleet_core.model import digest_of
from steadfleet_ports.fleet import KeptReport, ShardRef


async def test_plan_freezes_each_hosts_before(bench: Bench) -> None:
    image = bench.image("good-2.0")

    preview = await bench.preview(image.id, store=True)

    assert preview.plan.image == image
    assert preview.plan.zones == {"eu-west-1a": 1, "eu-west-1b": 1, "eu-west-1c": 1}
    (group,) = preview.plan.groups
    assert (group.name, group.template_version, group.desired, group.maximum) == ("web", 1, 3, 3)
    assert group.floating == ()
    shard = await ActivityEnvironment().run(
        bench.fleet.load_shard, ShardRef(plan=preview.digest, wave=1, shard=0)
    )
    assert sorted(host.id for host in shard.hosts) == bench.made.instances
    assert {(host.before.image_id, host.before.template_version) for host in shard.hosts} == {
        (bench.made.image, 1)
    }


async def test_preview_only_reads(bench: Bench) -> None:
    image, since, before = bench.image("good-2.0"), bench.now(), bench.cloud.inventory()

    preview = await bench.preview(image.id, probe=True)

    actions = {entry["action"] for entry in bench.calls(since)}
    assert preview.problems == ()
    assert actions
    assert {action for action in actions if not action.startswith(("Describe", "Get", "List"))} == set()
    assert bench.cloud.inventory() == before


async def test_hosts_are_described_in_pages_not_one_by_one(bench: Bench) -> None:
    image, since = bench.image("good-2.0"), bench.now()

    await bench.preview(image.id)

    assert [entry["action"] for entry in bench.calls(since)].count("DescribeInstances") == 1


async def test_pages_of_hosts_hold_as_many_as_a_filter_takes(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machines, "PAGE", 2)
    since = bench.now()

    preview = await bench.preview(bench.made.image)

    assert preview.plan.hosts == 3
    assert [entry["action"] for entry in bench.calls(since)].count("DescribeInstances") == 2


async def test_the_same_fleet_gives_the_same_digest(bench: Bench) -> None:
    image = bench.image("good-2.0")

    assert (await bench.preview(image.id)).digest == (await bench.preview(image.id, store=True)).digest


async def test_image_is_found_by_family_and_version(bench: Bench) -> None:
    image = bench.image("good-2.0")
    tags = {"steadfleet:family": "web", "steadfleet:version": "2.0.0"}
    bench.tag(image.id, tags)

    preview = await bench.preview("", image={"family": "web", "version": "2.0.0"})

    assert preview.plan.image == image


async def test_groups_are_found_by_tags(bench: Bench) -> None:
    selector = {"tags": {"app": "web", "Name": "web"}}

    preview = await bench.preview(bench.made.image, fleet={"name": "web", "selector": selector})

    assert preview.plan.hosts == 3


async def test_zones_and_excluded_hosts_narrow_the_fleet(bench: Bench) -> None:
    first, second, _ = await bench.hosts()
    selector = {
        "groups": ["web"],
        "zones": [first.zone, second.zone],
        "excludeHosts": [first.id, "i-stranger"],
    }

    preview = await bench.preview(bench.made.image, fleet={"name": "web", "selector": selector})

    assert preview.plan.zones == {second.zone: 1}
    assert "spec.fleet.selector.excludeHosts: i-stranger is no member of these groups" in preview.warnings


async def test_members_out_of_service_are_left_out_and_named(bench: Bench) -> None:
    first = (await bench.hosts())[0]
    bench.aws.autoscaling.enter_standby(
        AutoScalingGroupName="web", InstanceIds=[first.id], ShouldDecrementDesiredCapacity=True
    )

    preview = await bench.preview(bench.made.image)

    assert preview.plan.hosts == 2
    assert any("1 member is Standby, not InService: left out" in said for said in preview.warnings)


async def test_protected_and_equal_hosts_are_named(bench: Bench) -> None:
    first = (await bench.hosts())[0]
    bench.aws.autoscaling.set_instance_protection(
        AutoScalingGroupName="web", InstanceIds=[first.id], ProtectedFromScaleIn=True
    )

    preview = await bench.preview(bench.made.image)

    assert any(f"replaced all the same ({first.id})" in said for said in preview.warnings)
    assert any(f"of 3 run {bench.made.image} already" in said for said in preview.warnings)


async def test_host_launched_from_an_older_version_keeps_it_as_its_before(bench: Bench) -> None:
    bench.move_template({"ImageId": bench.image("good-2.0").id, "InstanceType": "t3.micro"}, "2")

    preview = await bench.preview(bench.made.image, store=True)
    ref = ShardRef(plan=preview.digest, wave=1, shard=0)
    shard = await ActivityEnvironment().run(bench.fleet.load_shard, ref)

    assert preview.plan.groups[0].template_version == 2
    assert {host.before.template_version for host in shard.hosts} == {1}


@pytest.mark.parametrize("pointer", ["$Latest", "$Default"])
async def test_floating_pointer_is_named_and_frozen_to_a_number(bench: Bench, pointer: str) -> None:
    bench.point_template(pointer)

    preview = await bench.preview(bench.made.image)

    said = f"its launch template version is {pointer} (now 1), so the group itself could not roll back"
    assert preview.plan.groups[0].template_version == 1
    assert preview.plan.groups[0].floating[0].startswith(said)
    assert any(said in warning for warning in preview.warnings)


async def test_image_that_the_template_resolves_at_launch_is_named(bench: Bench) -> None:
    bench.move_template({"ImageId": "resolve:ssm:/web/image", "InstanceType": "t3.micro"}, "2")

    preview = await bench.preview(bench.made.image)

    (said,) = preview.plan.groups[0].floating
    assert said.startswith("its launch template's image is resolve:ssm:/web/image, so the group itself could")


async def test_sick_fleet_is_a_problem_and_says_which_hosts(bench: Bench) -> None:
    sick = (await bench.hosts())[0]
    bench.cloud.add_fault("dark-zone", zone=sick.zone)

    preview = await bench.preview(bench.made.image, probe=True, healthChecks=bench.quick(timeout="0.1s"))
    tolerated = await bench.preview(
        bench.made.image,
        probe=True,
        healthChecks=bench.quick(timeout="0.1s"),
        failureTolerance={"hosts": 1},
    )
    unasked = await bench.preview(bench.made.image, probe=False)

    (problem,) = preview.problems
    assert problem.startswith(f"1 of 3 hosts are not healthy, and 0 may fail: {sick.id}: http :8080/healthz")
    assert (tolerated.problems, unasked.problems) == ((), ())


async def _refused(bench: Bench, image: str = "", /, **spec: Any) -> str:
    with pytest.raises(ApplicationError) as refused:
        await bench.preview(image or bench.made.image, **spec)
    assert (refused.value.type, refused.value.non_retryable) == ("RefusedError", True)
    return str(refused.value)


async def test_unknown_group_is_refused(bench: Bench) -> None:
    said = await _refused(bench, fleet={"name": "web", "selector": {"groups": ["web", "wab"]}})

    assert "there is no Auto Scaling group wab in eu-west-1: expected names of existing groups" in said


async def test_tags_that_no_group_has_are_refused(bench: Bench) -> None:
    said = await _refused(bench, fleet={"name": "web", "selector": {"tags": {"app": "db"}}})

    assert "matches no Auto Scaling group in eu-west-1: got tags: {'app': 'db'}, expected" in said


async def test_selector_without_a_host_is_refused(bench: Bench) -> None:
    said = await _refused(bench, fleet={"name": "web", "selector": {"groups": ["web"], "zones": ["mars-1a"]}})

    assert "matches no host: got groups: ['web'] zones: ['mars-1a']" in said


async def test_unknown_image_is_refused(bench: Bench) -> None:
    said = await _refused(bench, "ami-0123456789abcdef0")

    assert "spec.image.id: there is no image ami-0123456789abcdef0 in eu-west-1: expected" in said


@pytest.mark.parametrize(("tagged", "got"), [(0, "none"), (2, "ami-")])
async def test_family_and_version_must_name_one_image(bench: Bench, tagged: int, got: str) -> None:
    for release in ["good-2.0", "bad-500"][:tagged]:
        bench.tag(bench.image(release).id, {"steadfleet:family": "web", "steadfleet:version": "2.0.0"})

    said = await _refused(bench, image={"family": "web", "version": "2.0.0"})

    assert f"spec.image web@2.0.0 in eu-west-1: got {got}" in said
    assert "expected exactly one image tagged steadfleet:family=web and steadfleet:version=2.0.0;" in said


async def test_image_that_is_not_available_is_refused(bench: Bench) -> None:
    image = bench.image("good-2.0")
    bench.set_image_state(image.id, "pending")

    assert f"image {image.id} is pending, expected available" in await _refused(bench, image.id)


async def test_before_that_no_longer_exists_is_refused(bench: Bench) -> None:
    image = bench.image("good-2.0")
    bench.aws.ec2.deregister_image(ImageId=bench.made.image)

    said = await _refused(bench, image.id)

    assert f"run {bench.made.image}, which no longer exists or cannot be launched: expected" in said
    assert all(host in said for host in bench.made.instances)


async def test_group_with_a_launch_configuration_is_refused(bench: Bench) -> None:
    bench.aws.autoscaling.create_launch_configuration(
        LaunchConfigurationName="old", ImageId=bench.made.image, InstanceType="t3.micro"
    )
    bench.aws.autoscaling.create_auto_scaling_group(
        AutoScalingGroupName="old",
        LaunchConfigurationName="old",
        MinSize=0,
        MaxSize=1,
        AvailabilityZones=["eu-west-1a"],
    )

    said = await _refused(bench, fleet={"name": "web", "selector": {"groups": ["old"]}})

    assert "group old launches from a launch configuration, expected a launch template of its own" in said


async def test_group_with_mixed_instances_is_refused(bench: Bench) -> None:
    bench.aws.autoscaling.create_auto_scaling_group(
        AutoScalingGroupName="mixed",
        MixedInstancesPolicy={
            "LaunchTemplate": {
                "LaunchTemplateSpecification": {
                    "LaunchTemplateId": bench.made.launch_template,
                    "Version": "1",
                },
                "Overrides": [{"InstanceType": "t3.small"}],
            }
        },
        MinSize=0,
        MaxSize=1,
        AvailabilityZones=["eu-west-1a"],
    )

    said = await _refused(bench, fleet={"name": "web", "selector": {"groups": ["mixed"]}})

    assert "group mixed launches from a mixed instances policy, expected a launch template" in said


async def _stored(bench: Bench) -> Preview:
    return await bench.preview(bench.made.image, store=True, strategy={"type": "rolling"})


async def test_stored_objects_are_named_by_their_digest_and_written_once(bench: Bench) -> None:
    preview = await _stored(bench)
    since = bench.now()
    await _stored(bench)

    plan = json.loads(bench.object(f"plans/{preview.digest.removeprefix('sha256:')}.json"))
    digests = [digest for wave in plan["waves"] for digest in wave["shards"]]
    for digest in digests:
        assert digest_of(bench.object(f"shards/{digest.removeprefix('sha256:')}.json")) == digest
    writes = [entry["error"] for entry in bench.calls(since) if entry["action"] == "PutObject"]
    assert writes == ["PreconditionFailed"] * (len(digests) + 1), "the second write changes nothing"


async def test_a_report_is_kept_beside_the_plans_and_a_retry_leaves_one(bench: Bench) -> None:
    now = datetime(2027, 1, 31, 12, tzinfo=UTC)
    order = digest_of(b"order")
    status = CampaignStatus(name="web", state=State.SUCCEEDED, order=order)
    report = CampaignReport(status=status, started_at=now, ended_at=now)
    kept = KeptReport(name="web", run="run-1", report=report)
    for _ in range(2):
        await ActivityEnvironment().run(bench.fleet.keep_report, kept)

    content = bench.object("campaigns/web/run-1.json")
    assert CampaignReport.model_validate_json(content) == report


@pytest.mark.parametrize("kind", ["plans", "shards"])
async def test_changed_byte_is_refused(bench: Bench, kind: str) -> None:
    preview = await _stored(bench)
    digest = preview.digest if kind == "plans" else preview.plan.waves[0].shards[0]
    key = f"{kind}/{digest.removeprefix('sha256:')}.json"
    changed = bench.object(key).replace(b"web", b"wab", 1)
    bench.aws.s3.put_object(Bucket="steadfleet-plans", Key=key, Body=changed)

    with pytest.raises(ApplicationError, match="was changed after it was stored") as refused:
        await ActivityEnvironment().run(
            bench.fleet.load_shard, ShardRef(plan=preview.digest, wave=1, shard=0)
        )

    assert (refused.value.type, refused.value.non_retryable) == ("RefusedError", True)
    assert digest_of(changed) in str(refused.value)
    assert digest in str(refused.value)


@pytest.mark.parametrize(("wave", "shard"), [(9, 0), (1, 7), (1, -1)])
async def test_shard_that_the_plan_does_not_have_is_refused(bench: Bench, wave: int, shard: int) -> None:
    preview = await _stored(bench)

    with pytest.raises(ApplicationError, match=f"has no shard {shard} in wave {wave}"):
        await ActivityEnvironment().run(
            bench.fleet.load_shard, ShardRef(plan=preview.digest, wave=wave, shard=shard)
        )


async def test_missing_bucket_and_missing_plan_say_what_to_do(bench: Bench) -> None:
    unknown = ShardRef(plan=digest_of(b"unknown"), wave=1, shard=0)
    with pytest.raises(ApplicationError, match="does not exist: expected the plan as it was frozen"):
        await ActivityEnvironment().run(bench.fleet.load_shard, unknown)

    bench.aws.s3.delete_bucket(Bucket="steadfleet-plans")
    with pytest.raises(ApplicationError, match="there is no bucket steadfleet-plans") as refused:
        await bench.preview(bench.made.image, store=True)

    assert "STEADFLEET_BUCKET" in str(refused.value)
    assert refused.value.non_retryable
