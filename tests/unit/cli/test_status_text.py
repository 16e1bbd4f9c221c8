"""A campaign's status as text."""

from dataclasses import replace
from datetime import timedelta

import pytest

from fakes.campaigns import BEGAN, first_wave, minutes, receipt, second_wave, standing, status
from steadfleet_cli.campaign.status_text import (
    list_text,
    listed,
    next_steps,
    receipt_text,
    report_document,
    status_text,
    wave_state,
)
from steadfleet_cli.executions import Execution
from steadfleet_core.campaign.lifecycle import State
from steadfleet_core.campaign.verdict import Verdict
from steadfleet_core.campaign.wave import Direction, WaveProgress

EXECUTION = Execution(
    workflow_id="campaign/web",
    run_id="run-1",
    status="running",
    open=True,
    started_at=BEGAN,
    ended_at=None,
    attributes={},
)


def test_a_status_tells_counts_waves_failures_and_receipts() -> None:
    text = status_text(status(obligations=("release fleet web",), warnings=("a host came later",)))

    assert "campaign web: running" in text
    assert "5 of 12 hosts changed, 1 failed, 2 in flight, 1 restored" in text
    assert "i-1 (a, wave 1, restored): http :8080/healthz answered 500" in text
    assert "2026-03-01 12:01:00 UTC pause by bob: lunch" in text
    assert "to put right\n  release fleet web" in text
    assert "warnings\n  a host came later" in text


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"started_at": None}, "not begun"),
        ({}, "changing"),
        ({"baking": True, "baked": timedelta(seconds=30.4)}, "baking, 2m30s left"),
        ({"direction": Direction.RESTORE}, "restoring"),
        ({"direction": Direction.RESTORE, "ended_at": minutes(6)}, "restored"),
        ({"ended_at": minutes(6)}, "stopped"),
        ({"ended_at": minutes(6), "verdict": Verdict.UNHEALTHY}, "unhealthy"),
    ],
)
def test_a_wave_is_told_in_a_few_words(changes: dict[str, object], words: str) -> None:
    assert wave_state(second_wave().model_copy(update=changes)) == words


@pytest.mark.parametrize(
    ("state", "verb"),
    [
        (State.AWAITING_APPROVAL, "approve web --plan 0123456789ab"),
        (State.PAUSED, "resume"),
        (State.HALTED, "retry"),
    ],
)
def test_where_a_person_is_needed_the_next_step_is_said(state: State, verb: str) -> None:
    assert verb in "\n".join(next_steps(status(state=state)))


def test_a_campaign_that_goes_on_by_itself_needs_nobody() -> None:
    assert list(next_steps(status())) == []


def test_a_receipt_says_who_why_and_what_follows() -> None:
    assert receipt_text("web", receipt()).splitlines() == [
        "pause of campaign web accepted at 2026-03-01 12:01:00 UTC, while running",
        "by: bob: lunch",
        "then: no new host is started; hosts in flight finish",
    ]


def test_a_list_shows_what_the_campaigns_reported() -> None:
    attributes: dict[str, object] = {"SfState": "halted", "SfFleet": "web", "SfWave": 2, "SfFailed": 3}
    execution = replace(EXECUTION, attributes=attributes)

    assert list_text([execution]).splitlines()[1].split() == [
        *("web", "halted", "web", "2", "3", "2026-03-01", "12:00:00", "UTC")
    ]
    assert listed(execution)["failed"] == 3


@pytest.mark.parametrize("said", ["paused in Temporal", "terminated", "status 9"])
def test_what_temporal_knows_better_is_believed(said: str) -> None:
    execution = replace(EXECUTION, status=said, attributes={"SfState": "running"})

    assert listed(execution)["state"] == said


def test_an_empty_list_says_so() -> None:
    assert "no campaigns" in list_text([])


def test_the_report_of_an_open_campaign_has_no_end() -> None:
    assert report_document(standing())["ended_at"] is None
    assert report_document(standing(minutes(9)))["ended_at"] == "2026-03-01T12:09:00+00:00"


def test_a_wave_of_the_plan_that_has_not_begun_says_so() -> None:
    assert wave_state(WaveProgress(number=3)) == "not begun"
    assert wave_state(first_wave()) == "healthy"
