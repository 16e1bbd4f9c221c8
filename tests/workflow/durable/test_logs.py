"""Lines from workflows and activities say where they come from, and come once."""

import io
import json
import logging
import uuid
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from temporalio.testing import WorkflowEnvironment
from workflow.durable.talker import Talker, patch

from fakes.logs import restored_logs
from steadfleet_durable import WorkerSettings, build_worker, configure_logs


class Unfiltered(logging.Handler):
    """What a handler without our filter gets."""

    def __init__(self) -> None:
        super().__init__()
        self.said: Counter[str] = Counter()

    def emit(self, record: logging.LogRecord) -> None:
        self.said[record.name] += 1


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    with restored_logs():
        configure_logs(stream=stream, env={"STEADFLEET_LOG": "json"})
        yield stream


@pytest.fixture
async def lines(time_skipping: WorkflowEnvironment, stream: io.StringIO) -> list[dict[str, Any]]:
    queue = uuid.uuid4().hex
    worker = build_worker(
        time_skipping.client,
        task_queue=queue,
        workflows=[Talker],
        activities=[patch],
        settings=WorkerSettings(max_cached_workflows=0),
    )
    async with worker:
        await time_skipping.client.execute_workflow(
            Talker.run, id="talker", task_queue=queue, execution_timeout=timedelta(days=10)
        )
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def _said_by(lines: list[dict[str, Any]], logger: str) -> list[dict[str, Any]]:
    return [line for line in lines if line["logger"] == logger and "activity" not in line]


@pytest.mark.parametrize(
    ("logger", "said"),
    [
        ("talker", ["ours"] * 3),
        ("bare", ["bare"] * 3),
        ("stdlib", ["stdlib 0", "stdlib 1", "stdlib 2"]),
    ],
)
def test_a_workflow_says_each_line_once(lines: list[dict[str, Any]], logger: str, said: list[str]) -> None:
    ours = _said_by(lines, logger)
    assert [line["event"] for line in ours] == said
    assert {line["workflow_id"] for line in ours} == {"talker"}
    assert all(line["run_id"] and line["level"] == "info" and line["timestamp"] for line in ours)


def test_the_sdk_s_workflow_logger_fits_in(lines: list[dict[str, Any]]) -> None:
    said = [line for line in lines if line["event"].startswith("sdk ")]
    assert [line["event"] for line in said] == ["sdk 0", "sdk 1", "sdk 2"]
    assert {line["workflow_id"] for line in said} == {"talker"}


def test_what_is_bound_is_on_the_line(lines: list[dict[str, Any]]) -> None:
    assert [(line["wave"], line["step"]) for line in _said_by(lines, "talker")] == [
        ("canary", 0),
        ("canary", 1),
        ("canary", 2),
    ]


def test_an_activity_says_which_it_is(lines: list[dict[str, Any]]) -> None:
    said = [line for line in lines if line.get("activity") == "patch"]
    assert [(line["logger"], line["event"], line.get("host")) for line in said[:2]] == [
        ("talker", "patching", "web-0"),
        ("stdlib", "patching web-0", None),
    ]
    assert {(line["workflow_id"], line["attempt"]) for line in said} == {("talker", 1)}


async def test_a_logger_that_knows_nothing_of_replays_repeats(
    time_skipping: WorkflowEnvironment, stream: io.StringIO
) -> None:
    """So the tests above would notice: the same lines, through a handler without the filter."""
    unfiltered = Unfiltered()
    logging.getLogger().addHandler(unfiltered)
    queue = uuid.uuid4().hex
    worker = build_worker(
        time_skipping.client,
        task_queue=queue,
        workflows=[Talker],
        activities=[patch],
        settings=WorkerSettings(max_cached_workflows=0),
    )
    async with worker:
        await time_skipping.client.execute_workflow(
            Talker.run, id="talker", task_queue=queue, execution_timeout=timedelta(days=10)
        )
    assert unfiltered.said["stdlib"] > 3 + 3
    assert unfiltered.said["bare"] == 3
    assert unfiltered.said["talker"] == 3 + 3  # the workflow's and the activity's
