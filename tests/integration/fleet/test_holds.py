"""A group gets room, its own hands are still, and both are put back whatever happens."""

import json
from typing import Any

import pytest
from integration.fleet.bench import Bench
from integration.fleet.sabotage import KilledError, Killer, When
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from steadfleet_activities.fleet.aws import AwsFleet
from steadfleet_activities.fleet.holds import Held, Holds
from steadfleet_core.fleet import Group
from steadfleet_ports.fleet import GroupHold

HELD = "steadfleet:held"


async def _hold(bench: Bench, order: GroupHold) -> None:
    await ActivityEnvironment().run(bench.fleet.hold_groups, order)


async def _release(bench: Bench, order: GroupHold) -> None:
    await ActivityEnvironment().run(bench.fleet.release_groups, order)


def _state(bench: Bench) -> dict[str, Any]:
    group = bench.group()
    return {
        "maximum": group["MaxSize"],
        "suspended": sorted(one["ProcessName"] for one in group["SuspendedProcesses"]),
        "tag": next((tag["Value"] for tag in group["Tags"] if tag["Key"] == HELD), None),
    }


async def test_hold_makes_room_and_release_puts_everything_back(bench: Bench) -> None:
    before = _state(bench)

    order = await bench.hold(surge=2)

    held = _state(bench)
    assert held["maximum"] == 5
    assert held["suspended"] == ["AZRebalance", "InstanceRefresh", "ReplaceUnhealthy"]
    assert json.loads(held["tag"])["maximum"] == 3
    await _release(bench, order)
    assert _state(bench) == before


async def test_hold_leaves_the_group_able_to_grow(bench: Bench) -> None:
    await bench.hold()

    assert not {"Launch", "Terminate", "AlarmNotification", "ScheduledActions"} & set(
        _state(bench)["suspended"]
    )


async def test_second_hold_raises_nothing_more(bench: Bench) -> None:
    order = await bench.hold(surge=2)
    held, since = _state(bench), bench.now()

    await _hold(bench, order)

    assert _state(bench) == held
    assert not [entry["action"] for entry in bench.calls(since) if entry["mutating"]]


class _Forgetful(Holds):
    """A mutant: does not see that it held already."""

    def _hold(self, frozen: Group, order: GroupHold) -> None:
        self.aws.autoscaling.delete_tags(
            Tags=[{"ResourceId": frozen.name, "ResourceType": "auto-scaling-group", "Key": HELD}]
        )
        super()._hold(frozen, order)


async def test_hold_that_forgets_raises_twice(bench: Bench) -> None:
    """The mutant: it is the tag that keeps a second hold from raising again."""
    order = await bench.hold(surge=2)

    _Forgetful(bench.aws, bench.fleet._members).hold(order)

    assert _state(bench)["maximum"] == 7


async def test_process_that_was_suspended_before_stays_suspended(bench: Bench) -> None:
    bench.aws.autoscaling.suspend_processes(
        AutoScalingGroupName="web", ScalingProcesses=["AZRebalance", "ScheduledActions"]
    )
    before = _state(bench)

    order = await bench.hold()
    await _release(bench, order)

    assert _state(bench) == before


async def test_release_where_nothing_is_held_changes_nothing(bench: Bench) -> None:
    order = await bench.hold()
    await _release(bench, order)
    since = bench.now()

    await _release(bench, order)

    assert not [entry["action"] for entry in bench.calls(since) if entry["mutating"]]


async def test_group_of_another_campaign_is_refused_and_left_to_it(bench: Bench) -> None:
    order = await bench.hold()
    held = _state(bench)
    other = order.model_copy(update={"campaign": "campaign/db-7"})

    with pytest.raises(ApplicationError, match="group web is held by campaign/web-2") as refused:
        await _hold(bench, other)
    await _release(bench, other)

    assert refused.value.non_retryable
    assert "set MaxSize to 3, resume AZRebalance, InstanceRefresh, ReplaceUnhealthy" in str(refused.value)
    assert _state(bench) == held


async def test_hold_of_an_earlier_run_is_taken_over(bench: Bench) -> None:
    order = await bench.hold()
    again = order.model_copy(update={"run": "run-2"})

    await _hold(bench, again)
    assert Held.model_validate_json(_state(bench)["tag"]).run == "run-2"
    await _release(bench, again)

    assert _state(bench)["maximum"] == 3


async def test_maximum_that_a_person_set_meanwhile_stays(bench: Bench) -> None:
    order = await bench.hold()
    bench.aws.autoscaling.update_auto_scaling_group(AutoScalingGroupName="web", MaxSize=10)

    await _release(bench, order)

    assert _state(bench) == {"maximum": 10, "suspended": [], "tag": None}


async def test_group_that_grew_beyond_its_maximum_is_not_shrunk_by_force(bench: Bench) -> None:
    order = await bench.hold(surge=2)
    bench.aws.autoscaling.set_desired_capacity(AutoScalingGroupName="web", DesiredCapacity=4)

    with pytest.raises(
        ApplicationError, match="group web wants 4 hosts, more than its own maximum of 3"
    ) as early:
        await _release(bench, order)
    assert not early.value.non_retryable, "tried again until the group has scaled in"
    assert _state(bench)["suspended"] == []
    assert len(bench.members()) == 4

    bench.aws.autoscaling.set_desired_capacity(AutoScalingGroupName="web", DesiredCapacity=3)
    await _release(bench, order)

    assert _state(bench) == {"maximum": 3, "suspended": [], "tag": None}


async def test_group_that_is_gone_is_no_obligation(bench: Bench) -> None:
    order = await bench.hold()
    bench.aws.autoscaling.delete_auto_scaling_group(AutoScalingGroupName="web", ForceDelete=True)

    await _release(bench, order)

    with pytest.raises(ApplicationError, match="there is no Auto Scaling group web"):
        await _hold(bench, order)


async def test_tag_that_cannot_be_read_is_refused(bench: Bench) -> None:
    order = await bench.hold()
    bench.aws.autoscaling.create_or_update_tags(
        Tags=[{"ResourceId": "web", "ResourceType": "auto-scaling-group", "Key": HELD, "Value": "mine"}]
    )

    with pytest.raises(ApplicationError, match="its tag steadfleet:held cannot be read: got 'mine'"):
        await _release(bench, order)


@pytest.mark.parametrize("when", ["before", "after"])
async def test_hold_and_release_can_be_killed_at_any_call(bench: Bench, when: When) -> None:
    before, killer, call = _state(bench), Killer(bench.aws), 1
    order = await bench.hold(surge=2)
    held = _state(bench)
    await _release(bench, order)

    while await _killed(bench.fleet, killer, order, call, when):
        await _hold(bench, order)
        assert _state(bench) == held, f"killed {when} call {call}"
        with pytest.raises(KilledError), killer.killing(min(call, 4), when):
            await _release(bench, order)
        await _release(bench, order)
        assert _state(bench) == before, f"killed {when} call {call}"
        call += 1

    assert call == 5


async def _killed(fleet: AwsFleet, killer: Killer, order: GroupHold, call: int, when: When) -> bool:
    try:
        with killer.killing(call, when):
            await ActivityEnvironment().run(fleet.hold_groups, order)
    except KilledError:
        return True
    return False


def test_record_fits_into_a_tag() -> None:
    campaign = "campaign/" + "x" * 63
    record = Held(
        campaign=campaign,
        run="0" * 36,
        maximum=10_000,
        raised=11_000,
        suspended=("AZRebalance", "InstanceRefresh", "ReplaceUnhealthy"),
    )

    assert len(record.model_dump_json()) <= 256
