"""A host is replaced by a fresh one from the exact image, and a bad release never serves."""

import asyncio
from typing import Any

import pytest
from integration.fleet.bench import CAMPAIGN, RUN, Bench
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from steadfleet_core.fleet import HostState, Image

HEALTHZ = "http :8080/healthz"


async def test_good_release_takes_the_hosts_place(bench: Bench) -> None:
    bench.make_room()
    image, before = bench.image("good-2.0"), bench.shape()
    host = (await bench.hosts())[0]

    outcome = await bench.run(bench.change(host, image))

    assert outcome.state is HostState.CHANGED
    assert bench.members()[outcome.instance] == host.zone
    assert host.id not in bench.members()
    assert bench.images() == {bench.made.image: 2, image.id: 1}
    assert bench.shape() == before


async def test_hosts_change_side_by_side(bench: Bench) -> None:
    hold = await bench.hold(surge=3)
    image, before = bench.image("good-2.0"), bench.shape()

    outcomes = await asyncio.gather(*(bench.run(bench.change(host, image)) for host in await bench.hosts()))
    await ActivityEnvironment().run(bench.fleet.release_groups, hold)

    assert {outcome.state for outcome in outcomes} == {HostState.CHANGED}
    assert set(bench.members()) == {outcome.instance for outcome in outcomes}
    assert bench.images() == {image.id: 3}
    assert bench.shape() == before


async def test_replacement_carries_our_tags_and_the_groups_own(bench: Bench) -> None:
    bench.make_room()
    host = (await bench.hosts())[0]

    outcome = await bench.run(bench.change(host, bench.image("good-2.0"), attempt=2))

    tags = next(one["tags"] for one in bench.cloud.inventory()["instances"] if one["id"] == outcome.instance)
    assert tags["steadfleet:campaign"] == CAMPAIGN
    assert tags["steadfleet:run"] == RUN
    assert tags["steadfleet:replaces"] == tags["steadfleet:host"] == host.id
    assert tags["steadfleet:attempt"] == "2"
    assert tags["app"] == "web"
    assert "steadfleet:expires-at" not in tags, "serving capacity is never swept by time"


async def test_group_keeps_its_own_launch_template(bench: Bench) -> None:
    bench.make_room()
    image, since = bench.image("good-2.0"), bench.now()

    await bench.run(bench.change((await bench.hosts())[0], image))

    acts = {entry["action"] for entry in bench.calls(since) if entry["mutating"]}
    assert acts == {
        "RunInstances",
        "AttachInstances",
        "DeleteTags",
        "DeregisterTargets",
        "DetachInstances",
        "TerminateInstances",
    }


async def test_steps_are_told_in_order(bench: Bench) -> None:
    bench.make_room()
    environment = ActivityEnvironment()
    steps: list[str] = []
    environment.on_heartbeat = lambda *details: steps.extend(details[:1])

    await bench.run_in(environment, bench.change((await bench.hosts())[0], bench.image("good-2.0")))

    assert list(dict.fromkeys(steps)) == [
        "launch",
        "boot",
        "verify",
        "attach",
        "drain",
        "detach",
        "terminate",
    ]


@pytest.mark.parametrize(
    ("release", "said"),
    [
        ("bad-500", f"{HEALTHZ} answered 500, expected 200"),
        ("bad-crash", f"{HEALTHZ} did not answer: All connection attempts failed"),
        ("bad-slow", f"{HEALTHZ} did not answer within 0.3s"),
    ],
)
async def test_bad_release_fails_and_the_old_host_serves(bench: Bench, release: str, said: str) -> None:
    bench.make_room()
    image, host = bench.image(release), (await bench.hosts())[0]
    before = bench.shape()
    change = bench.change(host, image, timeout="0.3s")

    outcome = await bench.run(change)

    assert outcome.state is HostState.FAILED
    assert said in outcome.reason
    assert outcome.reason.endswith("the old host still serves")
    assert set(bench.targets()) == set(bench.members()) == set(bench.made.instances)
    assert outcome.instance in {one["id"] for one in bench.cloud.inventory()["instances"]}, "left as evidence"

    restored = await bench.run(bench.restore(change))

    assert (restored.state, restored.instance) == (HostState.RESTORED, host.id)
    assert bench.shape() == before


async def test_release_that_comes_up_and_falls_over_fails_before_its_deadline(bench: Bench) -> None:
    bench.make_room()
    image = Image(id=bench.cloud.register_image("dies", bench.dying_release(after_time=0.6)), name="dies")
    change = bench.change((await bench.hosts())[0], image, successThreshold=1000, deadline="100s")

    outcome = await bench.run(change)

    assert outcome.state is HostState.FAILED
    assert "did not answer" in outcome.reason
    assert "(2 in a row)" in outcome.reason
    assert "deadline" not in outcome.reason


async def test_machine_that_never_boots_fails(bench: Bench) -> None:
    bench.make_room()
    image, host = bench.image("good-2.0"), (await bench.hosts())[0]
    bench.cloud.add_fault("failed-boot", image=image.id)

    outcome = await bench.run(bench.change(host, image))

    assert outcome.state is HostState.FAILED
    assert "did not answer" in outcome.reason or "did not start" in outcome.reason


async def test_target_group_that_disagrees_fails_the_change(bench: Bench) -> None:
    """The policy asks for /, which answers; the target group asks for a path that the release lacks."""
    bench.make_room()
    image, host = bench.image("good-2.0"), (await bench.hosts())[0]
    bench.aws.elbv2.modify_target_group(TargetGroupArn=bench.made.target_group, HealthCheckPath="/nowhere")
    before = bench.shape()
    change = bench.change(host, image)

    outcome = await bench.run(change)

    assert outcome.state is HostState.FAILED
    assert f"target group web calls {outcome.instance} unhealthy" in outcome.reason
    assert "codes: [404]" in outcome.reason
    assert host.id in bench.members()

    bench.aws.elbv2.modify_target_group(TargetGroupArn=bench.made.target_group, HealthCheckPath="/healthz")
    restored = await bench.run(bench.restore(change))

    assert (restored.state, restored.instance) == (HostState.RESTORED, host.id)
    assert {**bench.shape(), "targets": []} == {**before, "targets": []}


async def test_second_attempt_ends_what_the_first_left(bench: Bench) -> None:
    bench.make_room()
    host, before = (await bench.hosts())[0], bench.shape()
    failed = await bench.run(bench.change(host, bench.image("bad-500")))

    outcome = await bench.run(bench.change(host, bench.image("good-2.0"), attempt=2))

    assert outcome.state is HostState.CHANGED
    assert outcome.instance != failed.instance
    assert {**bench.shape(), "counts": {}} == {**before, "counts": {}}


async def test_change_of_a_changed_host_replaces_what_serves_now(bench: Bench) -> None:
    bench.make_room()
    host = (await bench.hosts())[0]
    first = await bench.run(bench.change(host, bench.image("good-2.0")))
    before = bench.shape()

    second = await bench.run(bench.change(host, Image(id=bench.made.image), attempt=2))

    assert second.state is HostState.CHANGED
    assert first.instance not in bench.members()
    assert bench.shape() == before


async def test_host_that_left_its_group_is_left_alone(bench: Bench) -> None:
    host, image, since = (await bench.hosts())[0], bench.image("good-2.0"), bench.now()
    bench.aws.autoscaling.enter_standby(
        AutoScalingGroupName="web", InstanceIds=[host.id], ShouldDecrementDesiredCapacity=True
    )

    standby = await bench.run(bench.change(host, image))
    bench.aws.ec2.terminate_instances(InstanceIds=[host.id])
    gone = await bench.run(bench.change(host, image))

    assert (standby.state, gone.state) == (HostState.UNTOUCHED, HostState.UNTOUCHED)
    assert "is Standby in its group, expected InService" in standby.reason
    assert f"{host.id} is gone" in gone.reason
    assert bench.launched(since) == []


async def test_protection_from_scale_in_goes_over(bench: Bench) -> None:
    bench.make_room()
    host = (await bench.hosts())[0]
    bench.aws.autoscaling.set_instance_protection(
        AutoScalingGroupName="web", InstanceIds=[host.id], ProtectedFromScaleIn=True
    )

    outcome = await bench.run(bench.change(host, bench.image("good-2.0")))

    protected = {one["InstanceId"] for one in bench.group()["Instances"] if one["ProtectedFromScaleIn"]}
    assert protected == {outcome.instance}


@pytest.mark.parametrize(
    ("broken", "code"),
    [
        ({"image": Image(id="ami-00000000000000000")}, "InvalidAMIID.NotFound"),
        ({"template_version": 99}, "InvalidLaunchTemplateId.VersionNotFound"),
    ],
)
async def test_what_cannot_get_better_is_not_retried(bench: Bench, broken: dict[str, Any], code: str) -> None:
    host = (await bench.hosts())[0]
    version = broken.get("template_version", host.before.template_version)
    host = host.model_copy(update={"before": host.before.model_copy(update={"template_version": version})})
    image = broken.get("image") or bench.image("good-2.0")

    with pytest.raises(ApplicationError, match=f"changing host {host.id}") as refused:
        await bench.run(bench.change(host, image))

    assert (refused.value.type, refused.value.non_retryable) == (code, True)


async def test_missing_capacity_is_retried(bench: Bench) -> None:
    host, image, since = (await bench.hosts())[0], bench.image("good-2.0"), bench.now()
    bench.cloud.add_fault("dark-zone", zone=host.zone)

    with pytest.raises(ApplicationError, match="InsufficientInstanceCapacity") as refused:
        await bench.run(bench.change(host, image))

    assert not refused.value.non_retryable
    assert bench.launched(since) == []
