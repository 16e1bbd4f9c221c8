"""Who may take over, from which step on, and what must stay."""

import pytest

from steadfleet_durable.deployments import Deployment, TaskQueue, Version, VersionState, problems_of
from steadfleet_durable.rollout import remaining_steps, unready
from steadfleet_durable.rollout_order import Gate, RolloutOrder, RolloutRefusedError
from steadfleet_durable.rollout_prune import kept_because

WORK = TaskQueue("web", "workflow")
CALLS = TaskQueue("web", "activity")


def version(
    build_id: str = "v2",
    state: VersionState = VersionState.INACTIVE,
    queues: tuple[TaskQueue, ...] = (WORK, CALLS),
    unpolled: tuple[TaskQueue, ...] = (),
    running: int = 0,
) -> Version:
    polled = bool(set(queues) - set(unpolled))
    pollers = frozenset({f"{build_id}@host"} if polled else ())
    return Version(build_id, state, frozenset(queues), frozenset(unpolled), pollers, running)


def deployment(*versions: Version, ramping: str | None = None, ramp: float = 0) -> Deployment:
    current = next((one.build_id for one in versions if one.state is VersionState.CURRENT), None)
    return Deployment("web", current, ramping, ramp, versions)


CURRENT = version("v1", VersionState.CURRENT)


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (None, "no worker of build v2 has polled"),
        (deployment(CURRENT), "no worker of build v2 has polled"),
        (deployment(CURRENT, version(unpolled=(CALLS,))), "nobody polls activity queue web for it now"),
        (
            deployment(CURRENT, version(queues=(WORK,))),
            "v1, which is current, serves activity queue web: nobody polls it for v2",
        ),
        (deployment(CURRENT, version()), None),
        (deployment(version(queues=(WORK,))), None),
    ],
)
def test_a_version_takes_over_only_when_it_polls_all_that_the_current_one_serves(
    found: Deployment | None, why: str | None
) -> None:
    assert unready(found, "v2") == why


@pytest.mark.parametrize(
    ("ramps", "left"),
    [
        ([("v2", 0)], (10, 50, 100)),
        ([("v2", 10)], (10, 50, 100)),
        ([("v2", 30)], (50, 100)),
        ([("v2", 100)], (100,)),
        ([("v2", 50), ("v2", 10)], (10, 50, 100)),
        ([("v0", 50)], (10, 50, 100)),
    ],
)
def test_a_rollout_goes_on_from_the_lowest_ramp_and_watches_that_step_again(
    ramps: list[tuple[str, float]], left: tuple[int, ...]
) -> None:
    found = [deployment(CURRENT, version(), ramping=build_id, ramp=ramp) for build_id, ramp in ramps]

    assert remaining_steps(found, RolloutOrder("v2", ("web",))) == left


@pytest.mark.parametrize("steps", [(50, 10), (10, 10), (0, 100), (10, 101)])
def test_steps_that_do_not_rise_to_at_most_100_are_refused(steps: tuple[int, ...]) -> None:
    with pytest.raises(RolloutRefusedError, match="expected whole percentages that rise"):
        RolloutOrder("v2", ("web",), steps=steps)


def test_a_gate_is_for_a_deployment_that_is_rolled_out() -> None:
    with pytest.raises(RolloutRefusedError, match="a gate for db, which is not rolled out here"):
        RolloutOrder("v2", ("web",), gates=(Gate("db", "Look"),))


@pytest.mark.parametrize(
    ("one", "alarms"),
    [
        (version("v1", VersionState.CURRENT, unpolled=(WORK, CALLS)), 1),
        (version("v1", VersionState.CURRENT, unpolled=(CALLS,)), 1),
        (version("v1", VersionState.CURRENT), 0),
    ],
)
def test_a_current_version_must_be_polled_on_every_queue(one: Version, alarms: int) -> None:
    assert len(list(problems_of(deployment(one)))) == alarms


@pytest.mark.parametrize(
    ("state", "running", "alarms"),
    [
        (VersionState.DRAINING, 2, 1),
        (VersionState.DRAINING, 0, 0),
        (VersionState.DRAINED, 0, 0),
        (VersionState.INACTIVE, 0, 0),
        (VersionState.RAMPING, 0, 1),
    ],
)
def test_a_version_without_a_poller_is_an_alarm_only_while_it_has_work(
    state: VersionState, running: int, alarms: int
) -> None:
    silent = version("v0", state, unpolled=(WORK, CALLS), running=running)

    found = list(problems_of(deployment(CURRENT, silent)))

    assert [problem.build_id for problem in found] == ["v0"] * alarms


@pytest.mark.parametrize(
    ("one", "why"),
    [
        (version("v0", VersionState.DRAINING, running=3), "not drained; running workflows pinned to it: 3"),
        (version("v0", VersionState.DRAINED, running=1), "not drained; running workflows pinned to it: 1"),
        (version("v0", VersionState.DRAINED), "drained, but still polled by v0@host: stop them"),
        (version("v0", VersionState.DRAINED, unpolled=(WORK, CALLS)), None),
    ],
)
def test_a_version_is_deleted_only_when_nothing_needs_it(one: Version, why: str | None) -> None:
    assert kept_because(one) == why
