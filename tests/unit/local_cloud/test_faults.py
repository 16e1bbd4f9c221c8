from datetime import timedelta

import pytest

from steadfleet_local_cloud.calls import Call
from steadfleet_local_cloud.errors import FaultError
from steadfleet_local_cloud.faults import Faults


def call(action: str, region: str = "eu-west-1") -> Call:
    return Call(service="ec2", region=region, action=action, parameters={}, user_agent="")


def struck(faults: Faults, action: str, times: int) -> list[bool]:
    return [bool(faults.strike_call(call(action))) for _ in range(times)]


def test_after_and_count_bound_what_is_struck() -> None:
    faults = Faults(seed=0)
    faults.add("throttle", action="Run*", after=2, count=1)

    assert struck(faults, "DescribeInstances", 3) == [False] * 3
    assert struck(faults, "RunInstances", 5) == [False, False, True, False, False]


def test_a_probability_repeats_by_seed() -> None:
    first, again, other = Faults(seed=1), Faults(seed=1), Faults(seed=2)
    for faults in (first, again, other):
        faults.add("error", probability=0.5)

    sequences = [struck(faults, "RunInstances", 40) for faults in (first, again, other)]

    assert sequences[0] == sequences[1]
    assert sequences[0] != sequences[2]
    assert {True, False} == set(sequences[0])


def test_two_faults_of_one_cloud_throw_different_dice() -> None:
    faults = Faults(seed=1)
    one, two = faults.add("error", probability=0.5), faults.add("error", probability=0.5)

    both = [{fault.id for fault in faults.strike_call(call("RunInstances"))} for _ in range(40)]

    assert [one.id in hit for hit in both] != [two.id in hit for hit in both]


def test_a_boot_is_as_slow_as_its_slowest_fault() -> None:
    faults = Faults(seed=0)
    faults.add("slow-boot", seconds=3, zone="eu-west-1a")
    faults.add("slow-boot", seconds=5, zone="eu-west-1?")
    faults.add("failed-boot", image="ami-2")

    assert faults.strike_boot("eu-west-1a", "ami-1").delay == timedelta(seconds=5)
    assert faults.strike_boot("eu-west-1b", "ami-2").fails
    assert not faults.strike_boot("us-east-1a", "ami-1").delay


def test_a_fault_may_be_of_one_region() -> None:
    faults = Faults(seed=0)
    faults.add("error", region="eu-c*", count=1)

    assert not faults.strike_call(call("RunInstances"))
    assert faults.strike_call(call("RunInstances", "eu-central-1"))


def test_copies_have_faults_by_region_and_image() -> None:
    faults = Faults(seed=0)
    faults.add("slow-copy", seconds=3, region="eu-central-1")
    faults.add("slow-copy", seconds=5, image="ami-2")
    faults.add("tampered-copy", region="eu-*", after=1, count=1)

    first, second, third = (faults.strike_copy("eu-central-1", "ami-1") for _ in range(3))
    assert first.delay == timedelta(seconds=3)
    assert [one.tampered for one in (first, second, third)] == [False, True, False]
    assert faults.strike_copy("us-east-1", "ami-2").delay == timedelta(seconds=5)
    assert not faults.strike_call(call("CopyImage"))


def test_a_zone_is_dark_until_cleared() -> None:
    faults = Faults(seed=0)
    fault = faults.add("dark-zone", zone="eu-west-1a")
    assert faults.is_dark("eu-west-1a")
    assert not faults.is_dark("eu-west-1b")

    faults.clear(fault.id)
    assert not faults.is_dark("eu-west-1a")


def test_an_unknown_fault_is_named() -> None:
    with pytest.raises(FaultError, match="fault-7"):
        Faults(seed=0).clear("fault-7")
