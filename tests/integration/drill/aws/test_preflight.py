"""Each defect that would end a drill is predicted, with the step that it would end; and nothing is made."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from integration.drill.aws.stage import RECOVERY, Stage

from steadfleet_core.drill.order import Drill
from steadfleet_core.drill.plan import DrillPlan

Seed = Callable[[Stage, Drill, pytest.MonkeyPatch], None]


def _service(stage: Stage, **change: Any) -> list[dict[str, Any]]:
    return [stage.plan().spec.services[0].model_dump(mode="json", by_alias=True) | change]


def _store(stage: Stage, **change: Any) -> list[dict[str, Any]]:
    return [stage.plan().spec.stores[0].model_dump(mode="json", by_alias=True) | change]


def _revoke(stage: Stage, _drill: Drill, _patch: pytest.MonkeyPatch) -> None:
    stage.judge.refused.add(stage.image)


def _forget(stage: Stage, _drill: Drill, patch: pytest.MonkeyPatch) -> None:
    patch.delitem(stage.env, "ORDERS_PASSWORD")


def _fill(what: str) -> Seed:
    def seed(stage: Stage, _drill: Drill, _patch: pytest.MonkeyPatch) -> None:
        stage.cloud.limit(what, 0)

    return seed


def _nothing(_stage: Stage, _drill: Drill, _patch: pytest.MonkeyPatch) -> None:
    """Leave it: the plan itself has the defect."""


_SEEDED: dict[str, tuple[Callable[[Stage], DrillPlan], Seed, str, str]] = {
    "revoked": (lambda stage: stage.plan(), _revoke, "start web", "not signed"),
    "secret": (lambda stage: stage.plan(), _forget, "restore orders", "ORDERS_PASSWORD is not set"),
    "databases": (lambda stage: stage.plan(), _fill("DBInstances"), "restore orders", "0 are used|of 0"),
    "groups": (lambda stage: stage.plan(), _fill("AutoScalingGroups"), "start web", "Auto Scaling groups"),
    "type": (
        lambda stage: stage.plan(services=_service(stage, instanceType="x9.nano")),
        _nothing,
        "start web",
        "x9.nano is not offered",
    ),
    "class": (
        lambda stage: stage.plan(stores=_store(stage, instanceClass="db.x9.nano")),
        _nothing,
        "restore orders",
        "db.x9.nano cannot be ordered",
    ),
    "parameter": (
        lambda stage: stage.plan(stores=_store(stage, password={"parameter": "/none"})),
        _nothing,
        "restore orders",
        "SSM parameter /none",
    ),
}


@pytest.mark.parametrize("defect", _SEEDED)
async def test_a_seeded_defect_blocks_with_the_step_that_it_would_end(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, defect: str
) -> None:
    plan, seed, step, words = _SEEDED[defect]
    drill = await stage.prepare(plan(stage), f"run-{defect}")
    with _limits_kept(stage):
        seed(stage, drill, monkeypatch)
        found = await stage.inspect(drill)
    blocking = [one for one in found.blocking if one.predicts == step]
    assert len(blocking) == len(found.blocking) == 1, found.findings
    assert any(part in blocking[0].what for part in words.split("|"))


async def test_a_sound_plan_is_looked_at_and_nothing_is_made(stage: Stage) -> None:
    drill = await stage.prepare(stage.plan(), "run-sound")
    before = stage.cloud.inventory()
    found = await stage.inspect(drill)
    assert not found.blocking
    assert len(found.checked) > 10
    assert stage.cloud.inventory() == before


@pytest.mark.slow
async def test_things_of_the_same_run_are_found_before_they_are_in_the_way(stage: Stage) -> None:
    drill = await stage.prepare(stage.plan(), "run-twice")
    await stage.recover(drill)
    found = await stage.inspect(drill)
    assert {one.predicts for one in found.blocking} == {
        "isolate",
        "restore orders",
        "provision web",
        "start web",
    }


async def test_a_backup_older_than_the_rpo_and_a_missing_replica_are_told(stage: Stage) -> None:
    drill = await stage.prepare(stage.plan(objectives={"rto": "1h", "rpo": "1m"}), "run-old")
    store = drill.stores[0]
    assert store.point is not None
    old = store.model_copy(update={"point": store.point - timedelta(hours=1)})
    told = await stage.inspect(drill.model_copy(update={"stores": (old,)}))
    assert any("older than the RPO of 1m" in one.what for one in told.findings)

    live = await stage.prepare(stage.plan("pilot-light"), "run-old")
    told = await stage.inspect(live)
    assert any(f"no standing replica in {RECOVERY}" in one.what for one in told.findings)


@pytest.mark.slow
async def test_a_standing_replica_in_another_network_is_in_the_drills_way(stage: Stage) -> None:
    with stage.standing_replica() as vpc:
        drill = await stage.prepare(stage.plan("pilot-light"), "run-beside")
        found = await stage.inspect(drill)
    blocking = [one for one in found.blocking if one.predicts == "replicate orders"]
    assert len(blocking) == len(found.blocking) == 1, found.findings
    assert vpc in blocking[0].what
    assert not any("no standing replica" in one.what for one in found.findings)


@contextmanager
def _limits_kept(stage: Stage) -> Iterator[None]:
    try:
        yield
    finally:
        for what, most in {"DBInstances": 40, "AutoScalingGroups": 500}.items():
            stage.cloud.limit(what, most)
