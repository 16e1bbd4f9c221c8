"""A drill's status, list and report as text."""

import pytest

from fakes.drill_looks import activity, ended, execution, halted, look
from fakes.drill_reports import at, drill_report, full_report
from steadfleet_cli.drill.orders import meant, plan_of
from steadfleet_cli.drill.report_text import report_text
from steadfleet_cli.drill.status_text import (
    document_of,
    list_text,
    next_steps,
    preflight_text,
    receipt_text,
    standing_text,
)
from steadfleet_cli.exits import CommandError
from steadfleet_core.drill.report import DrillReceipt, Finding, Preflight


def test_a_drill_that_waits_tells_the_clock_the_steps_and_what_can_be_done() -> None:
    text = standing_text(look(activities=(activity(),)), at(300))

    for words in (
        "drill shop-dr: halted — restore orders: no capacity; retry, skip or abort",
        "id drill/shop-dr/20260307T020000Z, run shop-dr-20260307T020000Z",
        "drill · pilot-light · in eu-central-1",
        "tier: 1",
        "clock: disaster declared at 2026-03-07 02:30:00 UTC, 5m ago (RTO 15m)",
        "now: restore_store, 5m: at 40%",
        "replicate orders  before  done    22m20s  1",
        "restore orders    after   failed  3m18s   1         no capacity",
        "next: steadfleet drill retry drill/shop-dr/20260307T020000Z, or skip, or abort",
    ):
        assert words in text


def test_a_drill_that_has_ended_tells_what_was_measured_and_each_verdict() -> None:
    text = standing_text(ended(), at(5000))

    for words in (
        "took 45m",
        "clock: disaster declared at 2026-03-07 02:30:00 UTC, recovered in 8m30s (RTO 15m)",
        "spent on decide 12s, restore orders 3m18s",
        "shop recovered in 8m30s (± 6s, 102 probes)",
        "orders: 12 of 36000 acknowledged writes lost, the oldest 1.2s old",
        "front page   http  passed   0.2",
        "tried from inside: orders-prod.internal:5432, 10.0.3.7:8080",
        "recovery   passed  shop recovered in 8m30s",
        "overall: passed",
        "findings\n  the quota leaves room for 2 more hosts; ask for more",
    ):
        assert words in text


def test_what_is_left_behind_is_told_with_how_to_take_it_away() -> None:
    left = ended(residue=("volume vol-1",), obligations=("ask the janitor",))
    text = standing_text(left, at(5000))

    assert "left behind\n  volume vol-1" in text
    assert "to put right\n  ask the janitor" in text
    assert text.endswith("next: steadfleet sweep --run shop-dr-20260307T020000Z --region eu-central-1")


def test_what_only_temporal_knows_is_said_to_be_so() -> None:
    assert standing_text(look(silent="no worker answers")).splitlines()[1] == "note: no worker answers"
    assert document_of(look(silent="no worker answers"))["answered"] is False


def test_of_several_steps_that_wait_one_is_named() -> None:
    first = halted().steps[2]
    both = halted(steps=(first, first.model_copy(update={"step": first.step.model_copy()})))

    assert '--step "restore orders"' in next(iter(next_steps(look(both))))


def test_the_report_tells_everything_that_has_a_place_in_it() -> None:
    text = report_text(full_report())

    for words in ("requested by alice", "took 45m", "10.0.0.1:5432", "left behind\n  volume vol-1"):
        assert words in text


def test_a_preflight_says_what_it_predicts() -> None:
    finding = Finding(what="no backup", blocks=True, predicts="restore orders", advice="make one")
    found = Preflight(at=at(0), findings=(finding,), checked=("backups",))

    assert preflight_text("shop", found).splitlines() == [
        "preflight of shop at 2026-03-07 02:30:00 UTC: 1 of what was found would stop a drill",
        "",
        "looked at",
        "  backups",
        "",
        "findings",
        "  blocks: no backup (will fail restore orders); make one",
    ]


def test_a_list_does_not_repeat_the_state_as_a_reason() -> None:
    rows = list_text([execution(at(900), SfState="passed", SfReason="passed")]).splitlines()

    assert rows[1] == "drill/shop-dr/20260307T020000Z  passed  2026-03-07 02:00:00 UTC  45m"


def test_a_drill_that_was_killed_is_not_what_it_last_said() -> None:
    assert "terminated" in list_text([execution(at(900), "terminated", SfState="recovering")])


def test_a_receipt_says_who_why_and_what_follows() -> None:
    receipt = DrillReceipt(verb="skip", by="bob", reason="no capacity", at=at(60), effect="left out")

    assert receipt_text(receipt, "shop").splitlines() == [
        "skip of shop accepted at 2026-03-07 02:31:00 UTC",
        "by: bob: no capacity",
        "then: left out",
    ]


@pytest.mark.parametrize("identity", ["drill/shop-2/20270131T023000Z", "drill/shop-2-2027-01-31T02:30:00Z"])
def test_a_drill_is_meant_by_its_id_by_hand_or_of_a_schedule(identity: str) -> None:
    assert meant(identity) == ("shop-2", identity)
    assert plan_of(identity) == "shop-2"


def test_a_drill_is_meant_by_its_plan_and_nothing_else() -> None:
    assert meant("shop") == ("shop", "")
    with pytest.raises(CommandError, match="is no drill: expected a plan's name, or an id"):
        meant("campaign/web")


def test_the_document_of_a_report_is_read_again() -> None:
    report = drill_report()

    assert type(report).model_validate_json(report.model_dump_json(by_alias=True)) == report
