"""A host comes back to its before, verified, and what cannot be brought back is said."""

from typing import Any

import pytest
from integration.fleet.bench import Bench

from steadfleet_core.fleet import HostState


async def test_restored_host_runs_the_before_in_the_same_zone(bench: Bench) -> None:
    bench.make_room()
    host = (await bench.hosts())[0]
    change = bench.change(host, bench.image("good-2.0"))
    changed = await bench.run(change)

    restored = await bench.run(bench.restore(change))

    assert restored.state is HostState.RESTORED
    assert bench.members()[restored.instance] == host.zone
    assert changed.instance not in bench.members()
    launched = next(one for one in bench.cloud.inventory()["instances"] if one["id"] == restored.instance)
    assert launched["image"] == bench.made.image
    assert launched["tags"]["steadfleet:restores"] == host.id
    assert launched["tags"]["aws:ec2launchtemplate:version"] == "1"
    assert "steadfleet:expires-at" not in launched["tags"]


async def test_host_never_touched_is_left_alone(bench: Bench) -> None:
    host, since = (await bench.hosts())[0], bench.now()

    outcome = await bench.run(bench.restore(bench.change(host, bench.image("good-2.0"))))

    assert (outcome.state, outcome.reason) == (HostState.UNTOUCHED, "")
    assert not [entry["action"] for entry in bench.calls(since) if entry["mutating"]]


async def test_host_that_its_group_ended_is_not_launched_again(bench: Bench) -> None:
    host, since = (await bench.hosts())[0], bench.now()
    bench.aws.autoscaling.terminate_instance_in_auto_scaling_group(
        InstanceId=host.id, ShouldDecrementDesiredCapacity=True
    )

    outcome = await bench.run(bench.restore(bench.change(host, bench.image("good-2.0"))))

    assert outcome.state is HostState.UNTOUCHED
    assert "nothing of this campaign stood in its place" in outcome.reason
    assert bench.launched(since) == []


async def test_host_that_was_drained_and_detached_serves_again(bench: Bench) -> None:
    """AWS may have forgotten what was launched for it: membership and traffic are looked at, not tags."""
    bench.make_room()
    host, image, before = (await bench.hosts())[0], bench.image("good-2.0"), bench.shape()
    bench.aws.autoscaling.detach_instances(
        AutoScalingGroupName="web", InstanceIds=[host.id], ShouldDecrementDesiredCapacity=True
    )

    outcome = await bench.run(bench.restore(bench.change(host, image)))

    assert (outcome.state, outcome.instance) == (HostState.RESTORED, host.id)
    assert bench.shape() == before


async def test_before_that_does_not_come_up_is_lost_and_the_new_host_serves_on(bench: Bench) -> None:
    bench.make_room()
    host = (await bench.hosts())[0]
    change = bench.change(host, bench.image("good-2.0"))
    changed = await bench.run(change)
    bench.cloud.add_fault("failed-boot", image=bench.made.image)

    lost = await bench.run(bench.restore(change))

    assert lost.state is HostState.LOST
    assert lost.reason.startswith("could not be restored: ")
    assert changed.instance in bench.members(), "capacity is not removed for nothing"
    assert bench.targets()[changed.instance] == "healthy"


async def test_lost_restore_still_removes_what_serves_nobody(bench: Bench) -> None:
    bench.make_room()
    host = (await bench.hosts())[0]
    change = bench.change(host, bench.image("bad-500"), timeout="0.2s")
    failed = await bench.run(change)
    bench.cloud.add_fault("dark-zone", zone=host.zone)

    lost = await bench.run(bench.restore(change))

    assert (lost.state, lost.instance) == (HostState.LOST, host.id)
    assert failed.instance not in {one["id"] for one in bench.cloud.inventory()["instances"]}
    assert host.id in bench.members()


async def test_lost_restore_succeeds_once_the_cause_is_gone(bench: Bench) -> None:
    bench.make_room()
    host = (await bench.hosts())[0]
    change = bench.change(host, bench.image("good-2.0"))
    before = {**bench.shape(), "counts": {}}
    await bench.run(change)
    bench.cloud.add_fault("failed-boot", image=bench.made.image)
    lost = await bench.run(bench.restore(change))
    bench.cloud.clear_faults()
    bench.aws.ec2.terminate_instances(InstanceIds=[lost.instance])

    restored = await bench.run(bench.restore(change))

    assert restored.state is HostState.RESTORED
    assert {**bench.shape(), "counts": {}} == before


async def test_stopped_host_is_replaced_by_one_like_it(bench: Bench) -> None:
    bench.make_room()
    host = (await bench.hosts())[0]
    change = bench.change(host, bench.image("bad-500"))
    await bench.run(change)
    bench.aws.autoscaling.detach_instances(
        AutoScalingGroupName="web", InstanceIds=[host.id], ShouldDecrementDesiredCapacity=True
    )
    bench.aws.ec2.stop_instances(InstanceIds=[host.id])

    restored = await bench.run(bench.restore(change))

    assert restored.state is HostState.RESTORED
    assert restored.instance != host.id
    assert bench.images() == {bench.made.image: 3}
    assert len(bench.cloud.inventory()["instances"]) == 3


@pytest.mark.parametrize("interfaces", [False, True])
async def test_templates_own_tags_and_interfaces_reach_the_new_host(
    bench: Bench, *, interfaces: bool
) -> None:
    bench.make_room()
    data: dict[str, Any] = {
        "ImageId": bench.made.image,
        "InstanceType": "t3.small",
        "TagSpecifications": [{"ResourceType": "instance", "Tags": [{"Key": "team", "Value": "shop"}]}],
    }
    if interfaces:
        data["NetworkInterfaces"] = [{"DeviceIndex": 0, "DeleteOnTermination": True}]
    bench.move_template(data, "2")
    host = (await bench.hosts())[0]
    host = host.model_copy(update={"before": host.before.model_copy(update={"template_version": 2})})

    outcome = await bench.run(bench.change(host, bench.image("good-2.0")))

    assert outcome.state is HostState.CHANGED
    new = next(one for one in bench.cloud.inventory()["instances"] if one["id"] == outcome.instance)
    assert (new["zone"], new["type"], new["tags"]["team"]) == (host.zone, "t3.small", "shop")
