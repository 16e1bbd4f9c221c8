"""What a drill would do, told before anything is asked or made."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from fakes.drills import drill_order, drill_plan
from steadfleet_cli.drill.orders import read_plan
from steadfleet_cli.drill.plan_text import plan_document, plan_text, stages, unproven
from steadfleet_cli.exits import CommandError, ExitCode
from steadfleet_core.drill.plan import Mode
from steadfleet_core.drill.steps import steps_of

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def test_steps_that_do_not_need_one_another_are_of_one_stage() -> None:
    told = [[step.name for step in stage] for stage in stages(steps_of(drill_plan().spec))]

    assert told == [["isolate"], ["restore orders", "provision web"], ["start web"]]


def test_a_plan_tells_the_steps_what_is_made_and_what_is_measured() -> None:
    schedule = {"cron": "30 2 * * 6", "timezone": "Europe/Berlin", "blockedDates": ["2026-11-28"]}
    text = plan_text(drill_order(schedule=schedule, fleet="web"), ("no worker polls dr-drill",), NOW)

    for words in (
        "drill shop: drill, backup-restore, recovered in",
        "after  2      provision web   isolate",
        "orders: a copy of DB instance shop-orders, db.t3.micro",
        "web: 1 machine (t3.small) behind a load balancer, from ami-1, port 8080",
        "RTO 5m: recovered after 3 good probes in a row, 5s apart",
        "the shop is open: http of web, within 1m",
        "fleet web is reserved meanwhile",
        "never on 2026-11-28\n  next: 2026-12-05 01:30:00 UTC, 2026-12-12",
        "missing\n  no worker polls dr-drill",
    ):
        assert words in text


def test_what_the_strategy_says_stands_already_is_before_the_clock() -> None:
    text = plan_text(drill_order(strategy="pilot-light"), now=NOW)
    document = plan_document(drill_order(strategy="pilot-light"))

    assert "before  2      replicate orders  isolate" in text
    assert "after   1      restore orders    replicate orders" in text
    steps = document["steps"]
    assert isinstance(steps, list)
    assert [step["name"] for step in steps if step["beforeTheClock"]] == ["isolate", "replicate orders"]


def test_a_tabletop_says_that_nothing_is_made() -> None:
    order = drill_order().model_copy(update={"mode": Mode.TABLETOP})

    assert "a tabletop only looks" in plan_text(order, now=NOW)


def test_what_no_drill_of_the_plan_can_prove_is_told() -> None:
    (store,) = drill_plan().spec.stores
    blind = drill_plan(stores=[store.model_copy(update={"ledger": None}).model_dump()], validations=[])

    assert list(unproven(blind.spec)) == [
        "orders has no ledger: what it lost will not be known, so the drill cannot pass",
        "there are no validations: services that answer may still answer wrongly",
    ]
    assert list(unproven(drill_plan().spec)) == []


def test_a_file_that_is_not_there_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="there is no such file") as refused:
        read_plan(tmp_path / "drill.yaml")

    assert refused.value.code is ExitCode.USAGE
    assert "steadfleet schema DrillPlan" in refused.value.advice
