"""A drill's page: escaped, complete, in need of no other file, and honest about what is not known."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from unit.cli.drill.page_reading import Path, changed, leaves, otherwise, parsed, part, pictures, words_of

from fakes.drill_reports import (
    at,
    drill_report,
    drill_status,
    full_report,
    loss,
    observation,
    pilot_light_steps,
)
from steadfleet_cli.drill import page_tables
from steadfleet_cli.drill.markup import Html
from steadfleet_cli.drill.report_page import write_page
from steadfleet_core.drill.plan import Mode
from steadfleet_core.drill.report import CheckResult, DrillReport, DrillState, Finding, Preflight
from steadfleet_core.drill.steps import StepState

EVIL = "</style><script>alert('x')</script>\"&<b>\x00\x1b[2J\u202egnp.exe"
NOTHING: dict[str, object] = {
    "declared_at": None,
    "steps": (),
    "observations": (),
    "losses": (),
    "ledgers": (),
    "isolation": None,
    "validations": (),
    "removed": 0,
    "findings": (),
}


def untold(report: DrillReport, write: Callable[[DrillReport], str]) -> list[Path]:
    """Return the ways to what can change without a change of the page."""
    page = write(report)
    return [path for path, _ in leaves(report) if write(changed(report, path, otherwise)) == page]


def test_whatever_a_report_says_is_on_its_page() -> None:
    assert untold(full_report(), write_page) == []


def test_a_page_that_forgot_something_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_tables, "ledgers_table", lambda _: Html())

    assert ("status", "ledgers", 0, "digest") in untold(full_report(), write_page)


def test_every_word_of_a_report_is_escaped() -> None:
    past = [drill_report(run="the one before")]
    kind = {one.tag for one in parsed(write_page(full_report(), past)).iter()}
    texts = [path for path, value in leaves(full_report()) if type(value) is str]
    report = full_report()
    for path in texts:
        report = changed(report, path, lambda _: EVIL)
    page = write_page(report, [changed(report, ("status", "run"), lambda _: EVIL * 2)])

    assert len(texts) > 40
    assert {one.tag for one in parsed(page).iter()} == kind
    assert "<script" not in page
    assert page.count("&lt;script&gt;") >= len(texts)
    assert not {"\x00", "\x1b", "\u202e"} & set(page)
    assert "\\u202egnp.exe" in page


def test_the_page_needs_no_other_file() -> None:
    page = write_page(full_report(), [drill_report(run="the one before")])

    assert {one.tag for one in parsed(page).iter()}.isdisjoint({"script", "img", "link", "iframe", "object"})
    assert not [one for one in parsed(page).iter() if {"src", "href", "onload"} & set(one.keys())]
    assert not [word for word in ("url(", "@import", "http:", "https:") if word in page]


def test_a_drill_on_a_page() -> None:
    page = write_page(drill_report())

    assert words_of(part(page, "objectives")) == (
        "Objectives Recovery time 8m30s (± 6s, by the witness); RTO 15m: 6m30s to spare "
        "Data loss orders: lost 12 of 36000 acknowledged writes, the oldest 1.2s old; RPO 5m"
    )
    assert (
        "Critical path: decide 12s → restore orders 3m18s → decide 4s → start shop 4m26s → validate 30s. "
        "The recovery time by phase: decide 16s, provision 0s, restore 3m18s, start 4m26s, validate 30s."
    ) in words_of(part(page, "timeline"))
    assert (
        "Moment At drill began 2026-03-07 02:00:00 UTC (-30m) disaster declared 2026-03-07 02:30:00 UTC "
        "RTO 2026-03-07 02:45:00 UTC (+15m) recovered 2026-03-07 02:38:30 UTC (+8m30s) ± 6s, by shop "
        "drill ended 2026-03-07 02:45:00 UTC (+15m)"
    ) in words_of(part(page, "timeline"))


def test_verdicts_are_told_apart_without_colour() -> None:
    unproven = CheckResult(name="rows", type="sql", passed=False, proven=False, reason="timeout")
    late = observation(recovered=1200)
    page = write_page(drill_report(validations=(unproven,), observations=(late,)))
    marks = [words_of(one) for one in parsed(page).iter("span") if "verdict" in (one.get("class") or "")]

    assert marks[:5] == ["✗ failed", "? not proven", "✓ passed", "✓ passed", "✗ failed"]
    assert "5m too long" in page


def test_a_recovery_that_was_not_clean_says_both() -> None:
    page = write_page(drill_report(residue=("volume vol-1",)))

    assert "<h1>Drill shop-dr: recovered, not clean</h1>" in page
    assert page.index("Left behind: volume vol-1") < page.index("Verdict on")


def test_a_time_too_near_to_the_objective_says_so() -> None:
    page = write_page(drill_report(observations=(observation(recovered=903),)))

    assert "RTO 15m: 3s too long, nearer than the witness can tell" in page


@pytest.mark.parametrize(
    ("lost", "said"),
    [
        (
            loss(oldest_lost_age=timedelta(hours=1)),
            "writes, the oldest at least 1h old (the ledger reaches back 1h only); RPO 5m",
        ),
        (
            loss(lost=0, duplicates=2),
            "lost none of 36000 acknowledged writes, known for 1h back, 2 there more",
        ),
        (loss(uncertainty=timedelta(seconds=9)), "it may be 9s older, as long was the ledger silent before"),
        (
            loss(lost=0, uncertainty=timedelta(seconds=9)),
            "of the last 9s before the declared start the ledger",
        ),
        (loss(problem="no answer"), "orders: not measured: no answer; RPO 5m"),
        (loss(acknowledged=0), "orders: not measured: its ledger is empty; RPO 5m"),
    ],
)
def test_a_loss_is_told_as_far_as_it_is_known(lost: object, said: str) -> None:
    assert said in words_of(part(write_page(drill_report(losses=(lost,))), "objectives"))


def test_an_aborted_drill_says_so_and_what_was_cut_short() -> None:
    steps = list(pilot_light_steps())
    steps[3] = steps[3].model_copy(update={"state": StepState.RUNNING, "ended_at": None})
    steps[4] = steps[4].model_copy(update={"state": StepState.WAITING, "started_at": None, "ended_at": None})
    seen = {"observations": (), "losses": (), "validations": (), "isolation": None}
    page = write_page(drill_report(steps=tuple(steps), aborted="aborted by bob: wrong plan", **seen))

    assert "<h1>Drill shop-dr: aborted, not proven</h1>" in page
    assert "<h1>Drill shop-dr: aborted, " in write_page(full_report())
    assert "no recovery time: shop did not recover" in page
    picture = words_of(pictures(page, "timeline")[0])
    assert "cut short, 14m48s" in picture
    assert "never began (waiting)" in picture


def test_a_drill_that_was_refused_has_no_picture_and_says_why() -> None:
    status = drill_status(**NOTHING, state=DrillState.REFUSED, reason="the quota is 0", preflight=None)
    page = write_page(DrillReport(status=status, ended_at=at(-1790)))

    assert "<h1>Drill shop-dr: refused before it began</h1>" in page
    assert "the quota is 0" in page
    assert not list(parsed(page).iter("svg"))
    assert "no step began" in page


def test_a_tabletop_shows_what_would_fail() -> None:
    blocking = Finding(what="no quota for 2 hosts", blocks=True, predicts="start shop", advice="ask for more")
    found = Preflight(at=at(-1700), findings=(blocking,), checked=("quotas",))
    page = write_page(drill_report(-1700, **NOTHING | {"mode": Mode.TABLETOP, "preflight": found}))

    assert "<h1>Drill shop-dr: tabletop, failed</h1>" in page
    assert "BLOCKS: no quota for 2 hosts start shop ask for more" in words_of(part(page, "preflight"))


def test_without_services_the_steps_say_the_time() -> None:
    steps = tuple(one for one in pilot_light_steps() if one.step.subject != "shop")
    page = write_page(drill_report(services=(), observations=(), steps=steps))

    assert "3m30s (by the steps&#x27; own times, no witness); RTO 15m: 11m30s to spare" in page


def test_without_stores_there_is_no_data_to_lose() -> None:
    page = write_page(drill_report(stores=(), losses=(), ledgers=()))

    assert "no stores, no data to lose" in page
    assert "No ledger was sealed." in page


def test_a_drill_broken_off_at_its_start_has_a_page() -> None:
    page = write_page(drill_report(0, **NOTHING | {"declared_at": at(0)}))

    assert "recovered -" in words_of(part(page, "timeline"))


def test_a_report_that_was_stored_has_the_same_page() -> None:
    stored = DrillReport.model_validate_json(full_report().model_dump_json())

    assert write_page(stored) == write_page(full_report())
