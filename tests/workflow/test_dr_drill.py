"""A drill says what it proved, and nothing of it stays: whatever fails, hangs or is aborted."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.client import WorkflowFailureError, WorkflowHandle, WorkflowUpdateFailedError
from temporalio.testing import WorkflowEnvironment

from fakes.drills import PRODUCTION, DrillWorld, drill_order, drill_workers, start_drill
from fakes.worker import decide, is_at_rest, until
from steadfleet_core.campaign.lifecycle import Request
from steadfleet_core.drill.plan import Mode
from steadfleet_core.drill.report import DrillReport, DrillState, DrillStatus, Finding
from steadfleet_core.drill.steps import Phase, StepState, split
from steadfleet_core.drill.verdict import Verdict
from steadfleet_workflows.drill import DrDrill
from steadfleet_workflows.drill_inspection import DrillPreflight
from steadfleet_workflows.drill_shown import StepRequested

Drilling = WorkflowHandle[DrDrill, DrillReport]
STEPS = ("isolate", "restore orders", "provision web", "start web")
TWO_STORES = [
    {
        "name": name,
        "type": "rds",
        "id": name,
        "database": "shop",
        "user": "shop",
        "password": {"environment": "SHOP_PASSWORD"},
    }
    for name in ("orders", "carts")
]


async def reaches(drill: Drilling, state: DrillState) -> DrillStatus:
    async def reached() -> bool:
        return (await drill.query(DrDrill.status)).state is state

    await until(reached, f"the drill is {state}")
    return await drill.query(DrDrill.status)


async def ended(env: WorkflowEnvironment, world: DrillWorld, **spec: Any) -> DrillStatus:
    async with drill_workers(env, world):
        return (await (await start_drill(env, **spec)).result()).status


async def test_what_was_recovered_in_time_and_torn_down_has_passed(
    time_skipping: WorkflowEnvironment,
) -> None:
    world = DrillWorld()
    status = await ended(time_skipping, world)

    assert status.judgement is not None
    assert (status.state, status.judgement.words) == (DrillState.PASSED, "passed")
    assert status.recovery_time == timedelta(seconds=30), (
        "the third success in a row, 5 s apart, from 20 s on"
    )
    assert sum(split(status.critical_path).values(), timedelta(0)) == status.recovery_time
    assert [one.state for one in status.steps] == [StepState.DONE] * 4
    assert world.things == set()
    assert world.calls.index("open lease") < world.calls.index("isolate") < world.calls.index("declare") + 5
    assert json.loads(world.reports[0])["status"]["state"] == "passed"


async def test_a_step_is_told_where_the_stores_are_that_it_needs(time_skipping: WorkflowEnvironment) -> None:
    world = DrillWorld()
    await ended(time_skipping, world)

    start = next(one for one in world.requests if one.step.name == "start web")
    assert start.made["restore orders"] == {"host": "10.9.0.5", "port": "5432"}


@pytest.mark.parametrize(
    ("strategy", "before"),
    [
        ("backup-restore", set()),
        ("pilot-light", {"isolate", "replicate orders"}),
        ("warm-standby", {"isolate", "replicate orders", "provision web"}),
    ],
)
async def test_what_stands_already_is_made_before_the_clock_starts(
    time_skipping: WorkflowEnvironment, strategy: str, before: set[str]
) -> None:
    world = DrillWorld()
    status = await ended(time_skipping, world, strategy=strategy)

    declared = world.calls.index("declare")
    steps = {one.step.name for one in status.steps}
    assert {call for call in world.calls[:declared] if call in steps} == before
    assert not {one.name for one in status.critical_path} & before


@pytest.mark.parametrize(
    ("fault", "verdict", "words"),
    [
        ({"recovers_after": timedelta(minutes=9)}, "recovery", "web recovered in 9m10s (± 5s), RTO 5m"),
        ({"recovers_after": None}, "recovery", "web did not answer 3 times in a row: refused"),
        ({"lost": 70}, "data", "orders lost 70 of 100 acknowledged writes, 1m10s old, RPO 1m"),
        ({"wrong": ("orders are there",)}, "data", "orders are there: it is not what was expected"),
        ({"wrong": ("the shop is open",)}, "recovery", "the shop is open: it is not what was expected"),
        ({"left": ("copy",)}, "cleanup", "left behind: db-instance copy in eu-central-1: it is stuck"),
        ({"reachable": (PRODUCTION,)}, "isolation", f"production is reached from inside: {PRODUCTION}"),
    ],
)
async def test_each_fault_turns_its_verdict_red_with_the_reason(
    time_skipping: WorkflowEnvironment, fault: dict[str, Any], verdict: str, words: str
) -> None:
    status = await ended(time_skipping, DrillWorld(**fault))

    judgement = status.judgement
    assert judgement is not None
    verdicts = {name: getattr(judgement, name).verdict for name in type(judgement).model_fields}
    assert verdicts == {**dict.fromkeys(verdicts, Verdict.PASSED), verdict: Verdict.FAILED}
    assert getattr(judgement, verdict).reasons == (words,)
    assert status.state is DrillState.FAILED
    assert judgement.words == ("recovered, not clean" if verdict == "cleanup" else "failed")


@pytest.mark.parametrize(
    ("fault", "spec", "verdict"),
    [
        ({"blind": True}, {}, "recovery"),
        ({"unproven": ("the shop is open",)}, {}, "recovery"),
        ({"unproven": ("orders are there",)}, {}, "data"),
        ({"lost": 100}, {"objectives": {"rto": "5m", "rpo": "1h"}}, "data"),
        ({"reachable": (PRODUCTION,)}, {"isolation": "observed"}, "isolation"),
    ],
)
async def test_what_could_not_be_proven_is_never_green(
    time_skipping: WorkflowEnvironment, fault: dict[str, Any], spec: dict[str, Any], verdict: str
) -> None:
    status = await ended(time_skipping, DrillWorld(**fault), **spec)

    assert status.judgement is not None
    assert getattr(status.judgement, verdict).verdict is Verdict.NOT_PROVEN
    assert status.state is DrillState.NOT_PROVEN


async def test_what_came_after_the_recovery_point_that_was_asked_for_is_no_loss(
    time_skipping: WorkflowEnvironment,
) -> None:
    latest, asked = DrillWorld(), DrillWorld()
    status = await ended(time_skipping, latest)
    await ended(time_skipping, asked, recoveryPoint={"at": "2026-01-31T04:00:00Z"})

    assert latest.counted_until == status.declared_at
    assert asked.counted_until == datetime(2026, 1, 31, 4, tzinfo=UTC)


async def test_a_tabletop_touches_nothing_and_proves_nothing(time_skipping: WorkflowEnvironment) -> None:
    world = DrillWorld()
    order = drill_order().model_copy(update={"mode": Mode.TABLETOP})
    async with drill_workers(time_skipping, world):
        status = (await (await start_drill(time_skipping, order=order)).result()).status

    assert world.calls == ["prepare", "inspect"]
    assert status.state is DrillState.NOT_PROVEN


async def test_a_blocking_finding_refuses_the_drill_before_anything_is_made(
    time_skipping: WorkflowEnvironment,
) -> None:
    world = DrillWorld(findings=(Finding(what="the newest backup is 3d old", blocks=True, advice="back up"),))
    with pytest.raises(WorkflowFailureError) as failure:
        await ended(time_skipping, world)

    assert "the newest backup is 3d old (back up)" in str(failure.value.cause)
    assert world.calls == ["prepare", "inspect"]


async def test_a_fleet_that_a_campaign_holds_blocks_the_start(time_skipping: WorkflowEnvironment) -> None:
    world = DrillWorld(holder="campaign/web-1.4")
    with pytest.raises(WorkflowFailureError) as failure:
        await ended(time_skipping, world, fleet="web")

    assert "fleet web is reserved by campaign/web-1.4" in str(failure.value.cause)
    assert "open lease" not in world.calls


async def test_the_fleet_is_held_around_all_and_given_back(time_skipping: WorkflowEnvironment) -> None:
    world = DrillWorld()
    await ended(time_skipping, world, fleet="web")

    assert world.calls.index("reserve") < world.calls.index("open lease")
    assert world.calls[-1] == "release"


async def test_a_failed_step_waits_for_a_person_and_goes_on_after_a_retry(
    time_skipping: WorkflowEnvironment,
) -> None:
    world = DrillWorld(failures={"restore orders": 1})
    async with drill_workers(time_skipping, world):
        drill = await start_drill(time_skipping)
        halted = await reaches(drill, DrillState.HALTED)
        receipt = await decide(drill, DrDrill.retry, StepRequested(by="bea"))
        status = (await drill.result()).status

    assert halted.reason == "restore orders: restore orders went wrong; retry, skip or abort"
    assert receipt.effect == "restore orders is tried again; the clock runs on"
    assert status.state is DrillState.PASSED
    assert next(one for one in status.steps if one.step.name == "restore orders").attempts == 2


async def test_a_skipped_step_is_a_finding_and_the_drill_is_not_green(
    time_skipping: WorkflowEnvironment,
) -> None:
    world = DrillWorld(failures={"provision web": 1})
    async with drill_workers(time_skipping, world):
        drill = await start_drill(time_skipping)
        await reaches(drill, DrillState.HALTED)
        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await decide(drill, DrDrill.skip, StepRequested(by="bea"))
        request = StepRequested(by="bea", reason="the old one stands", step="provision web")
        await decide(drill, DrDrill.skip, request)
        status = (await drill.result()).status

    assert "expected a reason" in str(refused.value.cause)
    assert status.state is DrillState.NOT_PROVEN
    assert status.findings[-1].what == "provision web was skipped by bea: the old one stands"


async def test_a_failed_step_that_nobody_decides_on_fails_the_drill_and_all_is_torn_down(
    time_skipping: WorkflowEnvironment,
) -> None:
    world = DrillWorld(failures={"restore orders": 9})
    status = await ended(time_skipping, world, limits={"haltTime": "10m"})

    assert status.judgement is not None
    assert status.judgement.recovery.reasons[0] == "restore orders: restore orders went wrong"
    assert status.state is DrillState.FAILED
    assert world.things == set()


async def test_two_failed_steps_must_be_told_apart(time_skipping: WorkflowEnvironment) -> None:
    world = DrillWorld(failures={"restore orders": 1, "restore carts": 1})
    spec: dict[str, Any] = {"stores": TWO_STORES, "services": [], "validations": []}
    async with drill_workers(time_skipping, world):
        drill = await start_drill(time_skipping, **spec)

        async def both() -> bool:
            steps = (await drill.query(DrDrill.status)).steps
            return sum(one.state is StepState.FAILED for one in steps) == 2

        await until(both, "both wait")
        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await decide(drill, DrDrill.retry, StepRequested(by="bea"))
        world.hanging.add("restore orders")
        for moving, step in enumerate(("restore orders", "restore carts")):
            await decide(drill, DrDrill.retry, StepRequested(by="bea", step=step), running=moving)
        world.hanging.clear()
        status = (await drill.result()).status

    assert "which step? expected one of restore orders, restore carts" in str(refused.value.cause)
    assert status.recovery_time is not None
    assert {one.phase for one in status.critical_path} <= set(Phase)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("how", ["abort", "cancel"])
async def test_an_abort_at_any_step_tears_all_down(
    time_skipping: WorkflowEnvironment, step: str, how: str
) -> None:
    world = DrillWorld(hanging={step})
    async with drill_workers(time_skipping, world):
        drill = await start_drill(time_skipping)

        await until(lambda: step in world.calls)
        await until(lambda: is_at_rest(drill, running=1), f"{step} runs, and nothing else")
        if how == "cancel":
            await drill.cancel()
            with pytest.raises(WorkflowFailureError):
                await drill.result()
        else:
            await drill.execute_update(DrDrill.abort, Request(by="bea", reason="enough"))
            status = (await drill.result()).status
            assert (status.state, status.reason) == (DrillState.ABORTED, "aborted by bea: enough")

    assert world.things == set()
    assert world.calls[-1] == "close lease"


async def test_a_drill_that_takes_longer_than_its_limit_is_ended_and_torn_down(
    time_skipping: WorkflowEnvironment,
) -> None:
    world = DrillWorld(hanging={"start web"})
    async with drill_workers(time_skipping, world):
        with time_skipping.auto_time_skipping_disabled():
            drill = await start_drill(time_skipping, limits={"time": "3s"})
            status = (await drill.result()).status

    assert status.findings[-1].what == "the recovery ended early: took longer than limits.time, 3s"
    assert status.state is DrillState.FAILED
    assert world.things == set()


async def test_a_preflight_alone_touches_nothing_and_tells_what_it_found(
    time_skipping: WorkflowEnvironment,
) -> None:
    world = DrillWorld(findings=(Finding(what="no backup", blocks=True),))
    async with drill_workers(time_skipping, world):
        found = await time_skipping.client.execute_workflow(
            DrillPreflight.run, drill_order(), id="drill-preflight/shop", task_queue="dr-drill"
        )

    assert [finding.what for finding in found.preflight.blocking] == ["no backup"]
    assert world.calls == ["prepare", "inspect"]
