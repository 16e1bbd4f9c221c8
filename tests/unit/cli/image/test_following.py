"""Watching a build without a screen: a line for each change, and an exit code at the end."""

import pytest

from fakes.builds import examined, minutes, places, standing, status, step
from steadfleet_cli.image.following import exit_code, news
from steadfleet_core.image.report import ImageState, PlaceState


def test_the_first_look_tells_where_it_stands() -> None:
    assert news(None, standing(steps=(step(),))) == [
        "image web 1.4.2: halted — us-east-1: no capacity",
        "place eu-west-1 ami-1 ready",
        "place us-east-1 failed: no capacity",
        "tests: 1 passed, 1 did not",
        "failed: nginx answers: answered 502",
        "build_image: packer: Waiting for SSH",
    ]


def test_no_change_is_no_news_however_long_a_step_takes() -> None:
    later = step(since=minutes(1))

    assert news(standing(steps=(step(),)), standing(steps=(later,))) == []


def test_only_what_changed_is_told() -> None:
    before = standing(state=ImageState.BUILDING, reason="", examination=None, places=(), steps=(step(),))
    said = step(said="packer: Stopping the source instance")
    now = standing(state=ImageState.BUILDING, reason="", examination=None, places=(), steps=(said,))

    assert news(before, now) == ["build_image: packer: Stopping the source instance"]


def test_another_try_says_why() -> None:
    again = step(attempt=2, failure="RequestLimitExceeded")

    assert news(standing(steps=(step(),)), standing(steps=(again,))) == [
        "build_image is tried again (attempt 2): RequestLimitExceeded"
    ]


def test_a_place_that_comes_and_tests_that_end_are_news() -> None:
    here, there = places()
    before = standing(examination=None, places=(here, there))
    moved = there.model_copy(update={"state": PlaceState.COPYING, "reason": ""})

    assert news(before, standing(examination=examined(), places=(here, moved))) == [
        "place us-east-1 copying",
        "tests: 1 passed, 1 did not",
        "failed: nginx answers: answered 502",
    ]


def test_that_nobody_answers_is_told_once() -> None:
    silent = standing(silent="no worker answers")

    assert news(standing(), silent) == ["note: no worker answers"]
    assert news(silent, silent) == []


@pytest.mark.parametrize("state", [state for state in ImageState if state.closed])
def test_only_a_published_image_ends_with_0(state: ImageState) -> None:
    assert exit_code(status(state=state)) == (0 if state is ImageState.PUBLISHED else 6)
