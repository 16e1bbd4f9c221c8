"""Whatever is lost and wherever the worker dies: one replacement, and nothing left behind."""

from typing import Any

import pytest
from integration.fleet.bench import Bench
from integration.fleet.sabotage import (
    BlindMachines,
    ForgetfulMachines,
    KilledError,
    Killer,
    RecklessMachines,
    When,
    mutant,
)

from steadfleet_activities.fleet.aws import AwsFleet
from steadfleet_core.fleet import Host, HostState, Image


@pytest.mark.parametrize("kind", ["lost", "error", "throttle"])
@pytest.mark.parametrize(
    "action",
    [
        "RunInstances",
        "AttachInstances",
        "DeregisterTargets",
        "DetachInstances",
        "TerminateInstances",
        "DeleteTags",
    ],
)
async def test_unclear_answer_doubles_nothing(bench: Bench, kind: str, action: str) -> None:
    bench.make_room()
    host, image, before = (await bench.hosts())[0], bench.image("good-2.0"), bench.shape()
    since = bench.now()
    fault = bench.cloud.add_fault(kind, action=action, count=1)

    outcome = await bench.run(bench.change(host, image))

    assert outcome.state is HostState.CHANGED
    assert fault.struck == 1
    assert bench.launched(since) == [outcome.instance]
    assert {**bench.shape(), "counts": {}} == {**before, "counts": {}}


async def _change_killed(bench: Bench, host: Host, image: Image, call: int, when: When) -> bool:
    """Kill a change at the call, run it again to its end; whether there was such a call."""
    killer, since, before = Killer(bench.aws), bench.now(), bench.shape()
    change = bench.change(host, image)
    try:
        with killer.killing(call, when):
            await bench.run(change)
    except KilledError:
        pass
    else:
        return False
    outcome = await bench.run(change)

    assert outcome.state is HostState.CHANGED, f"killed {when} call {call}: {outcome.reason}"
    assert bench.launched(since) == [outcome.instance], f"killed {when} call {call}"
    assert bench.shape() == before, f"killed {when} call {call}"
    return True


@pytest.mark.slow
@pytest.mark.parametrize("when", ["before", "after"])
async def test_change_can_be_killed_at_any_call(bench: Bench, when: When) -> None:
    bench.make_room()
    image, call = bench.image("good-2.0"), 1

    while await _change_killed(bench, (await bench.hosts())[0], image, call, when):
        call += 1

    assert call > 15, "a change makes more calls than this: the killer does not see them"


@pytest.mark.slow
@pytest.mark.parametrize("when", ["before", "after"])
async def test_restore_can_be_killed_at_any_call(bench: Bench, when: When) -> None:
    bench.make_room()
    image, call, killer = bench.image("good-2.0"), 1, Killer(bench.aws)

    while True:
        host, before = (await bench.hosts())[0], bench.shape()
        change = bench.change(host, image)
        await bench.run(change)
        since = bench.now()
        try:
            with killer.killing(call, when):
                await bench.run(bench.restore(change))
            break
        except KilledError:
            restored = await bench.run(bench.restore(change))
        assert restored.state is HostState.RESTORED, f"killed {when} call {call}: {restored.reason}"
        assert bench.launched(since) == [restored.instance], f"killed {when} call {call}"
        assert bench.images() == {bench.made.image: 3}, f"killed {when} call {call}"
        assert bench.shape() == before, f"killed {when} call {call}"
        call += 1

    assert call > 15


@pytest.mark.slow
@pytest.mark.parametrize("when", ["before", "after"])
async def test_change_killed_at_any_call_can_be_restored(bench: Bench, when: When) -> None:
    """An abort finds a host half way: its before serves again, and nothing of ours is left."""
    bench.make_room()
    image, call, killer = bench.image("good-2.0"), 1, Killer(bench.aws)

    while True:
        host, before = (await bench.hosts())[0], bench.shape()
        change = bench.change(host, image)
        try:
            with killer.killing(call, when):
                await bench.run(change)
            break
        except KilledError:
            restored = await bench.run(bench.restore(change))
        assert restored.state in {HostState.RESTORED, HostState.UNTOUCHED}, f"killed {when} call {call}"
        assert bench.images() == {bench.made.image: 3}, f"killed {when} call {call}"
        assert bench.shape() == before, f"killed {when} call {call}"
        call += 1

    assert call > 15


@pytest.mark.parametrize("machines", [ForgetfulMachines, BlindMachines])
async def test_each_guard_alone_keeps_a_launch_single(bench: Bench, machines: type[Any]) -> None:
    """The token guards where the look is blind, the look where the platform ignores tokens."""
    assert len(await _launched_around_a_lost_answer(bench, mutant(bench.aws, machines))) == 1


async def test_without_both_guards_a_launch_is_doubled(bench: Bench) -> None:
    """The mutant: the assertions above hold because of the guards, not by luck."""
    assert len(await _launched_around_a_lost_answer(bench, mutant(bench.aws, RecklessMachines))) == 2


async def _launched_around_a_lost_answer(bench: Bench, fleet: AwsFleet) -> list[str]:
    bench.make_room()
    host, image, since = (await bench.hosts())[0], bench.image("good-2.0"), bench.now()
    bench.cloud.add_fault("lost", action="RunInstances", count=1)
    await bench.run(bench.change(host, image), fleet)
    return bench.launched(since)


async def test_restoring_twice_is_restoring_once(bench: Bench) -> None:
    bench.make_room()
    host = (await bench.hosts())[0]
    change = bench.change(host, bench.image("good-2.0"))
    await bench.run(change)
    first = await bench.run(bench.restore(change))
    before, since = bench.cloud.inventory(), bench.now()

    second = await bench.run(bench.restore(change))

    assert second == first
    assert bench.launched(since) == []
    assert bench.cloud.inventory() == before


async def test_change_that_is_done_changes_nothing_more(bench: Bench) -> None:
    bench.make_room()
    change = bench.change((await bench.hosts())[0], bench.image("good-2.0"))
    first = await bench.run(change)
    before = bench.cloud.inventory()

    assert await bench.run(change) == first
    assert bench.cloud.inventory() == before


@pytest.mark.parametrize("step", ["boot", "verify", "attach", "drain", "detach", "terminate"])
async def test_cancelled_change_is_restored(bench: Bench, step: str) -> None:
    bench.make_room()
    host, before = (await bench.hosts())[0], {**bench.shape(), "counts": {}}
    change = bench.change(host, bench.image("good-2.0"))

    assert await bench.cancelled_at(step, change)
    restored = await bench.run(bench.restore(change))

    assert restored.state is HostState.RESTORED
    assert bench.images() == {bench.made.image: 3}
    assert {**bench.shape(), "counts": {}} == before
