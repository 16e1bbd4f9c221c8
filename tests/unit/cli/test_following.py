"""Watching without a screen: a line for each change, and an exit code at the end."""

from datetime import timedelta

import pytest

from fakes.campaigns import failure, first_wave, receipt, second_wave, status
from steadfleet_cli.campaign.following import exit_code, news
from steadfleet_core.campaign.counts import Counts
from steadfleet_core.campaign.lifecycle import State


def test_the_first_look_tells_where_it_stands() -> None:
    assert news(None, status()) == [
        "campaign web: running",
        "wave 1 healthy: 3 of 4 hosts changed, 1 failed, 1 restored",
        "wave 2 changing: 2 of 8 hosts changed, 0 failed, 2 in flight",
        "failed: i-1 (a, wave 1, restored): http :8080/healthz answered 500",
        "heard: 2026-03-01 12:01:00 UTC pause by bob: lunch",
    ]


def test_no_change_is_no_news() -> None:
    assert news(status(), status()) == []


def test_only_what_changed_is_told() -> None:
    moved = second_wave().model_copy(update={"counts": Counts(total=8, changed=3)})

    assert news(status(), status(waves=(first_wave(), moved))) == [
        "wave 2 changing: 3 of 8 hosts changed, 0 failed"
    ]


def test_time_that_passes_in_a_bake_is_no_news() -> None:
    baking = second_wave().model_copy(update={"baking": True})
    later = baking.model_copy(update={"baked": timedelta(seconds=9)})

    assert news(status(waves=(baking,)), status(waves=(later,))) == []


def test_a_state_a_failure_and_a_receipt_are_news() -> None:
    now = status(
        state=State.HALTED,
        reason="wave 2 is unhealthy",
        failures=(failure(), failure("tcp :22 refused")),
        receipts=(receipt(), receipt("more lunch")),
    )

    state, failed, heard = news(status(), now)

    assert state == "campaign web: halted — wave 2 is unhealthy"
    assert failed == "failed: i-1 (a, wave 1, restored): tcp :22 refused"
    assert heard.endswith("pause by bob: more lunch")


@pytest.mark.parametrize("state", [state for state in State if state.closed])
def test_only_success_ends_with_0(state: State) -> None:
    assert exit_code(status(state=state)) == (0 if state is State.SUCCEEDED else 6)
