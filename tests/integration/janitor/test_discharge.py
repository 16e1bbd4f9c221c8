"""A group that a dead campaign held is put back, and one that a later run took over is left to it."""

import json
from pathlib import Path
from typing import Any

import pytest
from integration.fleet.bench import CAMPAIGN, RUN, Bench
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from steadfleet_activities.janitor.aws import AwsJanitor
from steadfleet_activities.janitor.clients import JanitorAws
from steadfleet_local_cloud import LocalCloud
from steadfleet_ports.lease import Obligation, ObligationKind

EXAMPLES = Path(__file__).parents[3] / "examples" / "web"


@pytest.fixture
def bench(cloud: LocalCloud, tmp_path: Path) -> Bench:
    return Bench.build(cloud, EXAMPLES, tmp_path)


async def discharge(bench: Bench, run: str = RUN) -> None:
    def regional(region: str) -> JanitorAws:
        return JanitorAws.connect(**{**bench.cloud.client_settings, "region_name": region})

    owed = Obligation(
        kind=ObligationKind.RELEASE_GROUPS, subject="web", detail=CAMPAIGN, run=run, region=bench.cloud.region
    )
    await ActivityEnvironment().run(AwsJanitor(regional).discharge, owed)


def state(bench: Bench) -> dict[str, Any]:
    group = bench.group()
    held = next((tag["Value"] for tag in group["Tags"] if tag["Key"] == "steadfleet:held"), None)
    return {
        "maximum": group["MaxSize"],
        "suspended": sorted(one["ProcessName"] for one in group["SuspendedProcesses"]),
        "held": held,
    }


async def test_a_held_group_is_put_back_once(bench: Bench) -> None:
    before = state(bench)
    await bench.hold(surge=2)
    assert state(bench) != before

    await discharge(bench)
    assert state(bench) == before
    since = bench.now()
    await discharge(bench)

    assert not [call["action"] for call in bench.calls(since) if call["mutating"]]


async def test_a_group_that_a_later_run_of_the_campaign_holds_is_left_to_it(bench: Bench) -> None:
    await bench.hold(surge=2)

    await discharge(bench, run="an-earlier-run")

    assert json.loads(state(bench)["held"])["run"] == RUN
    assert state(bench)["maximum"] == 5


async def test_a_group_that_is_gone_is_owed_nothing(bench: Bench) -> None:
    await bench.hold()
    bench.aws.autoscaling.delete_auto_scaling_group(AutoScalingGroupName="web", ForceDelete=True)

    await discharge(bench)


async def test_a_group_that_is_too_large_to_be_put_back_is_said_and_tried_again(bench: Bench) -> None:
    await bench.hold(surge=2)
    bench.aws.autoscaling.set_desired_capacity(AutoScalingGroupName="web", DesiredCapacity=4)

    with pytest.raises(ApplicationError, match="group web wants 4 hosts") as said:
        await discharge(bench)

    assert not said.value.non_retryable
