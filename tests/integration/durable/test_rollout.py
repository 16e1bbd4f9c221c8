"""A new version takes over in steps while work runs; one that goes bad is taken back by itself."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from conftest import StartEngine
from integration.durable.service import TASK_QUEUE
from integration.durable.versions import (
    DEPLOYMENT,
    SHORT_PERIODS,
    FailsAfterRenewal,
    FailsEveryTask,
    Naps,
    Renews,
    abandoned,
    current,
    deployment_of,
    finished_by,
    order,
    pinned,
    polling,
    start,
    worker,
)
from temporalio.client import Client, WorkflowHandle

from fakes.worker import until
from steadfleet_durable import rollout
from steadfleet_durable.rollout import Rollout
from steadfleet_durable.rollout_order import (
    RolledOut,
    RolloutOrder,
    RolloutRefusedError,
    RolloutTakenBackError,
)
from steadfleet_durable.rollout_routing import make_current, ramp


@pytest.fixture
async def client(start_engine: StartEngine) -> AsyncIterator[Client]:
    async with start_engine(extra_args=SHORT_PERIODS) as environment:
        yield environment.client


async def _nothing(_: int) -> None:
    pass


def _rollout(
    client: Client, order: RolloutOrder, naps: Naps | None = None, said: list[str] | None = None
) -> Rollout:
    return Rollout(client, order, (said if said is not None else []).append, naps or Naps(_nothing))


class Ramps:
    """Note how each pause found the routing."""

    def __init__(self, client: Client) -> None:
        self.seen: list[tuple[str | None, str | None, float]] = []
        self._client = client

    async def __call__(self, _: int) -> None:
        found = await deployment_of(self._client)
        self.seen.append((found.current, found.ramping, found.ramp))


async def test_a_first_install_is_made_current_at_once(client: Client) -> None:
    async with worker(client, "v1"):
        await polling(client, "v1")
        waiting = await start(client, "waiting")
        naps = Naps(_nothing)

        done = await _rollout(client, order("v1"), naps).run()

        assert done == [RolledOut(DEPLOYMENT, "v1", None, 0)]
        assert naps.times == []
        assert await finished_by(waiting) == "v1"


async def test_a_version_ramps_in_steps_while_running_work_stays_where_it_began(client: Client) -> None:
    async with current(client, "v1"), worker(client, "v2"):
        old = await start(client, "old")
        await pinned(client, "v1", 1)
        ramps, said = Ramps(client), list[str]()

        done = await _rollout(client, order("v2"), Naps(ramps), said).run()

        assert [seen for seen in ramps.seen if seen[1]] == [
            ("v1", "v2", 10),
            ("v1", "v2", 50),
            ("v1", "v2", 100),
        ]
        now = await deployment_of(client)
        assert (now.current, now.ramping) == ("v2", None)
        assert done == [RolledOut(DEPLOYMENT, "v2", "v1", 1)]
        assert said[-2:] == ["test-service: 100 % of new work goes to v2", "test-service: v2 is current"]
        assert (await finished_by(old), await finished_by(await start(client, "new"))) == ("v1", "v2")


async def test_a_version_that_never_polls_is_refused_and_nothing_is_changed(client: Client) -> None:
    async with current(client, "v1"):
        naps, said = Naps(_nothing), list[str]()
        with pytest.raises(RolloutRefusedError, match="nothing is changed, for build v2 is not ready"):
            await _rollout(client, order("v2"), naps, said).run()

        assert said == ["waiting for test-service: no worker of build v2 has polled"]
        assert (await deployment_of(client)).ramping is None


async def test_a_version_that_leaves_a_queue_behind_is_refused(client: Client) -> None:
    async with current(client, "v1"), worker(client, "v1", queue="second"), worker(client, "v2"):
        await polling(client, "v2")

        async def both() -> bool:
            version = (await deployment_of(client)).version("v1")
            return version is not None and len(version.queues) == 2

        await until(both, "v1 serves two queues")
        with pytest.raises(RolloutRefusedError, match="v1, which is current, serves workflow queue second"):
            await _rollout(client, order("v2")).run()


async def _fails_on_the_new_version(client: Client) -> None:
    """Start work until some of it has failed tasks, as a bad build makes them."""
    handles: list[WorkflowHandle[object, str]] = []

    async def failing() -> bool:
        handles.append(await start(client, f"work-{len(handles)}"))  # type: ignore[arg-type]
        described = [await handle.describe() for handle in handles]
        return any(one.raw_description.pending_workflow_task.attempt > 1 for one in described)

    await until(failing, "a task fails")


@pytest.mark.slow
async def test_a_bad_build_is_ramped_back_by_itself_and_its_work_goes_on_with_the_old_one(
    client: Client,
) -> None:
    async with current(client, "v1"), worker(client, "v2", FailsEveryTask):
        await polling(client, "v2")

        async def work(_: int) -> None:
            await _fails_on_the_new_version(client)

        said: list[str] = []
        with pytest.raises(RolloutTakenBackError, match=r"fails the workflow tasks of work-.*: a bad build"):
            await _rollout(client, order("v2", steps=(50, 100)), Naps(work), said).run()

        now = await deployment_of(client)
        assert (now.current, now.ramping, now.ramp) == ("v1", None, 0)
        assert said[-1] == "test-service: taken back; all new work goes to v1"
        assert await finished_by(await start(client, "after")) == "v1"
        async for found in client.list_workflows('ExecutionStatus = "Running"'):
            assert await finished_by(client.get_workflow_handle(found.id)) == "v1"


@pytest.mark.slow
async def test_a_rollout_that_does_not_look_makes_the_bad_build_current(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mutant of the test above: it is the look at failures that takes the ramp back."""

    async def blind(*_: object) -> None:
        return None

    monkeypatch.setattr(rollout, "illness_of", blind)
    async with current(client, "v1"), worker(client, "v2", FailsEveryTask):
        await polling(client, "v2")

        async def work(number: int) -> None:
            if number == 1:
                await _fails_on_the_new_version(client)

        await _rollout(client, order("v2", steps=(50, 100)), Naps(work)).run()

        assert (await deployment_of(client)).current == "v2"


async def test_work_that_moves_to_a_bad_build_takes_it_back_too(client: Client) -> None:
    """As a campaign does that is between waves: its new run is still written under the old version."""
    async with worker(client, "v1", Renews), worker(client, "v2", FailsAfterRenewal):
        await polling(client, "v1")
        await polling(client, "v2")
        await make_current(client, await deployment_of(client), "v1")
        await client.start_workflow(Renews.run, id="mover", task_queue=TASK_QUEUE)
        await pinned(client, "v1", 1)

        async def move(number: int) -> None:
            handle = client.get_workflow_handle("mover")
            if number == 1:
                await handle.signal(Renews.go)

            async def failing() -> bool:
                return (await handle.describe()).raw_description.pending_workflow_task.attempt > 1

            await until(failing, "the new run's first task fails")

        with pytest.raises(RolloutTakenBackError, match="fails the workflow tasks of mover: a bad build"):
            await _rollout(client, order("v2", steps=(100,)), Naps(move)).run()


@pytest.mark.slow
async def test_a_version_whose_workers_vanish_is_ramped_back(client: Client) -> None:
    async with current(client, "v1"):
        leaving = worker(client, "v2")
        async with leaving:
            await polling(client, "v2")

            async def leave(_: int) -> None:
                await leaving.shutdown()
                await abandoned(client, "v2")

            with pytest.raises(
                RolloutTakenBackError, match="nobody polls workflow queue service for version v2"
            ):
                await _rollout(client, order("v2"), Naps(leave)).run()

        assert (await deployment_of(client)).ramping is None


@pytest.mark.slow
async def test_a_rollout_that_was_interrupted_goes_on_from_where_it_stands(client: Client) -> None:
    async with current(client, "v1"), worker(client, "v2"):
        await polling(client, "v2")

        async def interrupt(number: int) -> None:
            if number == 2:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            await _rollout(client, order("v2"), Naps(interrupt)).run()
        stands = await deployment_of(client)
        assert (stands.current, stands.ramping, stands.ramp) == ("v1", "v2", 50)

        ramps = Ramps(client)
        await _rollout(client, order("v2"), Naps(ramps)).run()
        assert [ramp for _, _, ramp in ramps.seen] == [50, 100]
        assert (await deployment_of(client)).current == "v2"

        await _rollout(client, order("v2"), Naps(interrupt)).run()  # and again: nothing is left to do


@pytest.mark.slow
async def test_the_old_build_is_rolled_out_like_any_other(client: Client) -> None:
    async with current(client, "v1"), worker(client, "v2"):
        await polling(client, "v2")
        await ramp(client, await deployment_of(client), "v2", 50)

        said: list[str] = []
        await _rollout(client, order("v1"), said=said).run()
        assert said == ["test-service: v2 takes no new work any more", "test-service: v1 is current"]
        assert (await deployment_of(client)).ramping is None

        await make_current(client, await deployment_of(client), "v2")
        await _rollout(client, order("v1", steps=(100,))).run()
        assert (await deployment_of(client)).current == "v1"


async def test_where_somebody_else_steers_nothing_more_is_touched(client: Client) -> None:
    async with current(client, "v1"), worker(client, "v2"):
        await polling(client, "v2")

        async def meddle(_: int) -> None:
            await ramp(client, await deployment_of(client), "v2", 33)

        with pytest.raises(RolloutRefusedError, match="somebody else has changed its routing"):
            await _rollout(client, order("v2"), Naps(meddle)).run()
        assert (await deployment_of(client)).ramp == 33


async def test_deployments_go_in_step_and_a_bad_one_takes_all_of_them_back(client: Client) -> None:
    async with (
        current(client, "v1"),
        current(client, "v1", deployment="other", queue="other"),
        worker(client, "v2", FailsEveryTask),
        worker(client, "v2", deployment="other", queue="other"),
    ):
        await polling(client, "v2")
        await polling(client, "v2", "other")

        async def work(_: int) -> None:
            assert (await deployment_of(client, "other")).ramp == 50
            await _fails_on_the_new_version(client)

        with pytest.raises(RolloutTakenBackError):
            await _rollout(client, order("v2", DEPLOYMENT, "other", steps=(50, 100)), Naps(work)).run()

        for name in (DEPLOYMENT, "other"):
            now = await deployment_of(client, name)
            assert (now.current, now.ramping) == ("v1", None)


async def test_pauses_are_cut_into_looks(client: Client) -> None:
    async with current(client, "v1"), worker(client, "v2"):
        await polling(client, "v2")
        naps = Naps(_nothing)
        asked = RolloutOrder(
            "v2", (DEPLOYMENT,), steps=(100,), pause=timedelta(seconds=25), interval=timedelta(seconds=10)
        )

        await _rollout(client, asked, naps).run()

        assert [nap.seconds for nap in naps.times] == [10, 10, 5]
