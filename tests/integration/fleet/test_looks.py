"""Samples, findings and listings say what is; what could not be seen is never healthy."""

import asyncio
import time

import pytest
from integration.fleet.bench import CAMPAIGN, RUN, Bench
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from steadfleet_activities.fleet import listing
from steadfleet_core.campaign.plan import Plan, Preview
from steadfleet_core.campaign.policy import HealthChecks, Selector
from steadfleet_core.campaign.verdict import Sample
from steadfleet_core.fleet import Host
from steadfleet_ports.fleet import FleetCheck, FleetFindings, FleetListing, FleetQuery, Probe, ShardRef


class Stored:
    """A stored plan of the whole group, in one shard."""

    def __init__(self, bench: Bench, preview: Preview, hosts: tuple[Host, ...]) -> None:
        self.bench, self.plan, self.hosts = bench, preview.plan, hosts
        self.ref = ShardRef(plan=preview.digest, wave=1, shard=0)

    @classmethod
    async def freeze(cls, bench: Bench, image: str) -> "Stored":
        preview = await bench.preview(image, store=True)
        shard = await ActivityEnvironment().run(
            bench.fleet.load_shard, ShardRef(plan=preview.digest, wave=1, shard=0)
        )
        return cls(bench, preview, shard.hosts)

    async def sample(self, *indexes: int, **checks: object) -> Sample:
        policy = HealthChecks.model_validate(self.bench.quick(**{"timeout": "0.2s", **checks}))
        probe = Probe(shard=self.ref, indexes=indexes, campaign=CAMPAIGN, checks=policy)
        return await ActivityEnvironment().run(self.bench.fleet.probe_hosts, probe)

    async def check(self, tolerance: int = 0, plan: Plan | None = None) -> FleetFindings:
        policy = HealthChecks.model_validate(self.bench.quick(timeout="0.2s"))
        check = FleetCheck(plan=plan or self.plan, checks=policy, tolerance=tolerance, campaign=CAMPAIGN)
        return await ActivityEnvironment().run(self.bench.fleet.check_fleet, check)


@pytest.fixture
async def stored(bench: Bench) -> Stored:
    return await Stored.freeze(bench, bench.image("good-2.0").id)


async def test_sample_asks_the_replacement_not_the_host_it_replaced(bench: Bench, stored: Stored) -> None:
    bench.make_room()
    await bench.run(bench.change(stored.hosts[1], stored.plan.image))

    assert await stored.sample(0, 1, 2) == Sample(healthy=3)


async def test_hung_host_is_unhealthy_and_says_how(bench: Bench, stored: Stored) -> None:
    bench.cloud.add_fault("dark-zone", zone=stored.hosts[2].zone)

    sample = await stored.sample(0, 2)

    assert (sample.healthy, sample.unhealthy, sample.unknown) == (1, (2,), ())
    assert sample.reasons == {2: "http :8080/healthz did not answer within 0.2s (2 in a row)"}


async def test_host_that_is_gone_is_unknown(bench: Bench, stored: Stored) -> None:
    bench.aws.ec2.terminate_instances(InstanceIds=[stored.hosts[0].id])

    sample = await stored.sample(0, 1)

    assert (sample.healthy, sample.unhealthy, sample.unknown) == (1, (), (0,))
    assert sample.reasons == {0: f"{stored.hosts[0].id} is gone, and so is what replaced it"}


async def test_command_that_cannot_be_delivered_is_unknown(bench: Bench, stored: Stored) -> None:
    bench.cloud.add_fault("dark-zone", zone=stored.hosts[0].zone)
    command = [{"type": "command", "run": "true"}]

    sample = await stored.sample(0, 1, checks=command, failureThreshold=1, timeout="2s")

    assert (sample.healthy, sample.unhealthy, sample.unknown) == (1, (), (0,))
    assert "did not reach the machine within 2s" in sample.reasons[0]


async def test_command_runs_on_the_machine_itself(bench: Bench, stored: Stored) -> None:
    this = stored.hosts[0].id
    command = [
        {"type": "command", "run": f'test "$INSTANCE_ID" = {this} || {{ echo other host >&2; exit 3; }}'}
    ]
    policy = bench.quick(checks=command, timeout="10s", failureThreshold=1)
    probe = Probe(
        shard=stored.ref, indexes=(0, 1), campaign=CAMPAIGN, checks=HealthChecks.model_validate(policy)
    )

    sample = await ActivityEnvironment().run(bench.fleet.probe_hosts, probe)

    assert (sample.healthy, sample.unhealthy) == (1, (1,))
    assert "ended with 3, expected 0: other host" in sample.reasons[1]


async def test_index_beyond_the_shard_is_refused(stored: Stored) -> None:
    with pytest.raises(ApplicationError, match=r"has no host at \[3\]: expected 0 to 2"):
        await stored.sample(0, 3)


async def test_whole_fleet_has_nothing_to_find(bench: Bench, stored: Stored) -> None:
    since = bench.now()

    assert await stored.check() == FleetFindings()
    assert not [entry["action"] for entry in bench.calls(since) if entry["mutating"]]


async def test_fleet_with_hosts_of_ours_has_nothing_to_find(bench: Bench, stored: Stored) -> None:
    bench.make_room()
    await bench.run(bench.change(stored.hosts[0], stored.plan.image))

    assert await stored.check() == FleetFindings()


async def test_image_that_went_away_is_a_problem(bench: Bench, stored: Stored) -> None:
    bench.aws.ec2.deregister_image(ImageId=stored.plan.image.id)

    (problem,) = (await stored.check()).problems

    assert problem.startswith(f"image {stored.plan.image.id} (web-good-2.0) is not available any more")


async def test_group_held_by_another_campaign_is_a_problem(bench: Bench, stored: Stored) -> None:
    hold = await bench.hold()
    await ActivityEnvironment().run(bench.fleet.release_groups, hold)
    other = hold.model_copy(update={"campaign": "campaign/db-7"})
    await ActivityEnvironment().run(bench.fleet.hold_groups, other)

    (problem,) = (await stored.check()).problems

    assert problem.startswith(f"group web is held by campaign/db-7 (run {RUN})")


async def test_group_that_is_gone_is_a_problem(bench: Bench, stored: Stored) -> None:
    bench.aws.autoscaling.delete_auto_scaling_group(AutoScalingGroupName="web", ForceDelete=True)

    findings = await stored.check()

    assert findings.problems == ("group web is gone: its hosts can be neither changed nor restored",)
    assert len(findings.drift) == 3


async def test_more_sick_hosts_than_may_fail_are_a_problem(bench: Bench, stored: Stored) -> None:
    bench.cloud.add_fault("dark-zone", zone=stored.hosts[0].zone)

    (problem,) = (await stored.check()).problems

    assert problem.startswith("1 of 3 hosts are not healthy, and 0 may fail")
    assert (await stored.check(tolerance=1)).problems == ()


async def test_hosts_that_came_and_went_are_drift(bench: Bench, stored: Stored) -> None:
    bench.make_room()
    # S3 says when the plan was stored to the second.
    await asyncio.to_thread(_until_next_second)
    bench.aws.autoscaling.set_desired_capacity(AutoScalingGroupName="web", DesiredCapacity=4)
    (joined,) = set(bench.members()) - set(bench.made.instances)
    bench.aws.autoscaling.terminate_instance_in_auto_scaling_group(
        InstanceId=stored.hosts[0].id, ShouldDecrementDesiredCapacity=True
    )
    bench.aws.autoscaling.enter_standby(
        AutoScalingGroupName="web", InstanceIds=[stored.hosts[1].id], ShouldDecrementDesiredCapacity=True
    )

    findings = await stored.check()

    assert findings.problems == ()
    assert findings.drift == (
        f"{stored.hosts[0].id} of group web is gone",
        f"{stored.hosts[1].id} is Standby of group web, expected InService",
        findings.drift[2],
    )
    assert findings.drift[2].startswith(
        f"{joined} joined after the plan was frozen, on {bench.made.image}: it"
    )


def _until_next_second() -> None:
    time.sleep(1 - time.time() % 1)


async def test_hosts_that_the_selector_left_out_are_no_drift(bench: Bench) -> None:
    first = (await bench.hosts())[0]
    selector = {"groups": ["web"], "excludeHosts": [first.id]}
    await asyncio.to_thread(_until_next_second)
    preview = await bench.preview(bench.made.image, store=True, fleet={"name": "web", "selector": selector})

    assert await Stored(bench, preview, ()).check() == FleetFindings()


async def test_group_whose_template_was_moved_is_drift(bench: Bench, stored: Stored) -> None:
    bench.move_template({"ImageId": bench.made.image, "InstanceType": "t3.large"}, "2")

    (said,) = (await stored.check()).drift

    template = bench.made.launch_template
    assert said.startswith(f"group web launches from version 2 of {template} now, and from version 1 of")


async def _list(bench: Bench, query: FleetQuery) -> FleetListing:
    return await ActivityEnvironment().run(bench.fleet.list_fleets, query)


async def test_listing_says_image_zone_and_the_platforms_health(bench: Bench) -> None:
    await bench.until_targets_are("healthy")

    listed = await _list(bench, FleetQuery())

    assert listed.total == 3
    assert [host.id for host in listed.hosts] == bench.made.instances
    assert {(host.group, host.image_id, host.image_name, host.health) for host in listed.hosts} == {
        ("web", bench.made.image, "web-1.0", "healthy")
    }
    assert sorted(host.zone for host in listed.hosts) == bench.made.zones


async def test_listing_of_a_group_without_targets_does_not_know(bench: Bench) -> None:
    bench.aws.autoscaling.detach_load_balancer_target_groups(
        AutoScalingGroupName="web", TargetGroupARNs=[bench.made.target_group]
    )

    listed = await _list(bench, FleetQuery(name="web"))

    assert {host.health for host in listed.hosts} == {"unknown"}


async def test_long_listing_is_cut_and_counted(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "MOST_LISTED", 2)

    cut = await _list(bench, FleetQuery())

    assert (len(cut.hosts), cut.total) == (2, 3)


async def test_listing_by_fleet_name_and_by_selector(bench: Bench) -> None:
    first = (await bench.hosts())[0]
    bench.aws.autoscaling.create_or_update_tags(
        Tags=[
            {
                "ResourceId": "web",
                "ResourceType": "auto-scaling-group",
                "Key": "fleet",
                "Value": "shop",
                "PropagateAtLaunch": False,
            }
        ]
    )
    narrow = Selector(tags={"app": "web"}, zones=(first.zone,))

    assert (await _list(bench, FleetQuery(name="shop"))).total == 3
    assert (await _list(bench, FleetQuery(name="nothing"))).total == 0
    assert [host.id for host in (await _list(bench, FleetQuery(selector=narrow))).hosts] == [first.id]
