"""A group of Docker machines: made, probed, replaced."""

from __future__ import annotations

from functools import partial

import pytest
from integration.local_cloud.aws import Aws, ask
from integration.local_cloud.waiting import until

from steadfleet_local_cloud import LocalCloud
from steadfleet_local_cloud.fleet import create_fleet

pytestmark = pytest.mark.docker


def healthy(aws: Aws, target_group: str) -> set[str]:
    return {one for one, (state, _) in aws.health(target_group).items() if state == "healthy"}


def test_a_fleet_becomes_healthy_and_a_lost_member_is_replaced(
    cloud: LocalCloud, aws: Aws, image: str
) -> None:
    fleet = create_fleet(cloud.endpoint, cloud.region, name="web", image=image, size=6, zones=3, tags={})
    found = until(partial(healthy, aws, fleet.target_group), lambda seen: len(seen) == 6, seconds=60)
    assert found == set(fleet.instances)
    assert {machine["zone"] for machine in cloud.machines()} == set(fleet.zones)

    lost = fleet.instances[0]
    aws.scaling.terminate_instance_in_auto_scaling_group(
        InstanceId=lost, ShouldDecrementDesiredCapacity=False
    )

    found = until(
        partial(healthy, aws, fleet.target_group),
        lambda seen: len(seen) == 6 and lost not in seen,
        seconds=60,
    )
    (fresh,) = found - set(fleet.instances)
    assert until(lambda: ask(aws.address(fresh)))


def test_a_bad_release_is_unhealthy(cloud: LocalCloud, aws: Aws, image: str) -> None:
    fleet = create_fleet(cloud.endpoint, cloud.region, name="web", image=image, size=2, zones=1, tags={})
    until(partial(healthy, aws, fleet.target_group), lambda seen: len(seen) == 2, seconds=60)

    aws.ssm.send_command(
        InstanceIds=fleet.instances[:1],
        DocumentName="AWS-RunShellScript",
        Parameters={"commands": ["""echo '{"version": "bad", "status": 500}' >release.json"""]},
    )
    until(lambda: [entry for entry in cloud.record() if entry.get("event") == "command-ended"])
    aws.ec2.reboot_instances(InstanceIds=fleet.instances[:1])

    state = until(
        lambda: aws.health(fleet.target_group)[fleet.instances[0]],
        lambda seen: seen[0] == "unhealthy",
        seconds=60,
    )
    assert state[1] in {"Target.ResponseCodeMismatch", "Target.FailedHealthChecks"}
