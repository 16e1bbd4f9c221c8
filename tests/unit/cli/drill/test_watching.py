"""Watching a drill: a line for each change, a live screen, and an exit code at the end."""

import io

import pytest
from rich.console import Console

from fakes.drill_looks import activity, ended, halted, look
from fakes.drill_reports import at, drill_status
from steadfleet_cli.drill.following import exit_code, news
from steadfleet_cli.drill.screen import standing_screen
from steadfleet_core.drill.plan import Mode
from steadfleet_core.drill.report import DrillState
from steadfleet_core.drill.steps import StepState


def test_the_first_look_tells_the_clock_the_state_and_the_steps() -> None:
    assert news(None, look(activities=(activity(),))) == [
        "disaster declared at 2026-03-07 02:30:00 UTC: the clock runs",
        "drill shop-dr: halted — restore orders: no capacity; retry, skip or abort",
        "step isolate done after 40s",
        "step replicate orders done after 22m20s",
        "step restore orders failed after 3m18s: no capacity",
        "step provision shop done after 1m23s",
        "step start shop done after 4m26s",
        "finding: the quota leaves room for 2 more hosts; ask for more",
        "restore_store: at 40%",
    ]


def test_no_change_is_no_news_however_long_a_step_takes() -> None:
    assert news(look(activities=(activity(),)), look(activities=(activity(since=at(60)),))) == []


def test_what_the_witness_the_ledger_and_the_validations_say_is_news() -> None:
    told = news(look(), ended())

    for line in (
        "drill shop-dr: passed",
        "step restore orders done after 3m18s",
        "witness: shop recovered in 8m30s (± 6s, 102 probes)",
        "validation order count: passed",
        "ledger: orders: 12 of 36000 acknowledged writes lost, the oldest 1.2s old",
    ):
        assert line in told


def test_another_try_says_why() -> None:
    again = activity(attempt=2, failure="RequestLimitExceeded")

    assert news(look(activities=(activity(),)), look(activities=(again,))) == [
        "restore_store is tried again (attempt 2): RequestLimitExceeded"
    ]


@pytest.mark.parametrize("state", [state for state in DrillState if state.closed])
def test_only_a_drill_that_passed_ends_with_0(state: DrillState) -> None:
    assert exit_code(drill_status(state=state)) == (0 if state is DrillState.PASSED else 6)


@pytest.mark.parametrize("state", [state for state in DrillState if state.closed])
def test_a_tabletop_ends_with_0_where_nothing_blocks_though_it_proves_nothing(state: DrillState) -> None:
    good = state in {DrillState.NOT_PROVEN, DrillState.PASSED}

    assert exit_code(drill_status(state=state, mode=Mode.TABLETOP)) == (0 if good else 6)


def draw(**changes: object) -> str:
    file = io.StringIO()
    shown = look(halted(**changes), activities=(activity(),))
    Console(file=file, width=140).print(standing_screen(shown, note="retry: accepted", now=at(300)))
    return file.getvalue()


def test_the_screen_tells_the_clock_the_steps_and_the_keys() -> None:
    screen = draw()

    for words in (
        "drill shop-dr  halted  35m",
        "2026-03-07 02:30:00 UTC, 5m ago (RTO 15m)",
        "✓  replicate orders  before the clock  done    22m20s",
        "✗  restore orders                      failed  3m18s",
        "… restore_store, 5m: at 40%",
        "! the quota leaves room for 2 more hosts",
        "retry: accepted",
        "q leave",
    ):
        assert words in screen


def test_the_screen_counts_how_long_a_step_runs() -> None:
    (step,) = [one for one in halted().steps if one.step.name == "restore orders"]
    running = step.model_copy(update={"state": StepState.RUNNING, "reason": ""})

    assert "▶  restore orders    running  4m48s" in draw(steps=(running,))


def test_the_screen_of_a_drill_that_was_judged_tells_the_verdicts_and_what_is_left() -> None:
    file = io.StringIO()
    left = ended(residue=("volume vol-1",))
    Console(file=file, width=140).print(standing_screen(left, now=at(5000)))
    screen = file.getvalue()

    for words in (
        "drill shop-dr  failed  45m",
        "recovery   passed",
        "clean-up   failed",
        "recovered, not clean",
        "left behind: volume vol-1",
    ):
        assert words in screen


def test_no_word_of_a_drill_is_read_as_markup() -> None:
    assert "[bold]x[/nonsense]" in draw(reason="[bold]x[/nonsense]")
