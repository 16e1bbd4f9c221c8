"""What Temporal knows, read so that a status from the future is no error."""

from datetime import UTC, datetime

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflow.v1 import WorkflowExecutionInfo

from steadfleet_cli.executions import execution_of

BEGAN = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def info(status: int, *, closed: bool = False) -> WorkflowExecutionInfo:
    info = WorkflowExecutionInfo(execution=WorkflowExecution(workflow_id="campaign/web", run_id="r"))
    info.status = status  # type: ignore[assignment]
    info.start_time.FromDatetime(BEGAN)
    if closed:
        info.close_time.FromDatetime(BEGAN)
    return info


@pytest.mark.parametrize(
    ("status", "closed", "words", "is_open"),
    [
        (1, False, "running", True),
        (2, True, "completed", False),
        (5, True, "terminated", False),
        (8, False, "paused in Temporal", True),
        (42, False, "status 42", True),
        (42, True, "status 42", False),
    ],
)
def test_every_status_has_words(status: int, words: str, *, closed: bool, is_open: bool) -> None:
    execution = execution_of(info(status, closed=closed))

    assert (execution.status, execution.open, execution.started_at) == (words, is_open, BEGAN)
