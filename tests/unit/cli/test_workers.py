"""The rollout's words, checked before any engine is asked, and versions as text."""

import pytest

from steadfleet_cli.exits import ExitCode
from steadfleet_cli.main import steadfleet
from steadfleet_cli.workers.text import stands_text, status_text, versions_text
from steadfleet_durable.deployments import Deployment, TaskQueue, Version, VersionState, problems_of

WORK = TaskQueue("web", "workflow")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "Missing option '--build-id'"),
        (["--build-id=v2", "--steps=ten"], "--steps ten: expected percentages, such as 10,50,100"),
        (["--build-id=v2", "--pause=5"], "--pause 5: expected"),
        (["--build-id=v2", "--patience=soon"], "--patience soon: expected"),
        (["--build-id=v2", "--gate=Look"], "--gate Look: expected DEPLOYMENT:WORKFLOW"),
        (["--build-id=v2", "--gate=web:Look:{"], "--gate web:Look:{: expected DEPLOYMENT:WORKFLOW"),
    ],
)
def test_a_word_that_cannot_be_read_is_refused_before_any_engine_is_asked(
    words: list[str], told: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")

    assert steadfleet.answer(["workers", "rollout", *words]) == ExitCode.USAGE
    assert told in capsys.readouterr().err


def _deployment(pollers: frozenset[str]) -> Deployment:
    unpolled = frozenset() if pollers else frozenset({WORK})
    old = Version("v1", VersionState.CURRENT, frozenset({WORK}), frozenset(), frozenset({"web/1@a"}), 3)
    new = Version("v2", VersionState.RAMPING, frozenset({WORK}), unpolled, pollers, 0)
    return Deployment("web", "v1", "v2", 10, (old, new))


def test_a_version_is_listed_with_its_share_of_new_work() -> None:
    assert versions_text([_deployment(frozenset({"web/2@b", "web/3@c"}))]).splitlines() == [
        "deployment  version  state    new work  pinned  polled by",
        "web         v1       current  90 %      3       web/1@a",
        "web         v2       ramping  10 %      0       web/2@b, web/3@c",
    ]


def test_an_alarm_says_what_waits_and_what_to_do() -> None:
    silent = _deployment(frozenset())

    told = status_text([silent], list(problems_of(silent)))

    assert "\nALARM\n  version v2 of worker deployment 'web' has work (ramping; running" in told
    assert "  → start a worker with TEMPORAL_DEPLOYMENT_NAME=web and TEMPORAL_WORKER_BUILD_ID=v2" in told


def test_where_a_rollout_stands_is_said_in_a_line() -> None:
    assert stands_text(_deployment(frozenset())) == "web: v1 is current, v2 has 10 % of new work"
