"""What is told of a failure, and how much of it travels."""

import pytest
from temporalio.api.failure.v1 import Failure
from temporalio.client import WorkflowFailureError
from temporalio.converter import DefaultFailureConverter
from temporalio.exceptions import ActivityError, ApplicationError, RetryState, TimeoutType
from temporalio.exceptions import TimeoutError as TooLateError

from steadfleet_durable import data_converter, words_of

MOST_KEPT = 4096
"""Bytes of an activity's last failure that the engine keeps while it is retried."""
VENDOR = OSError("errno 111")


def caused(error: BaseException, cause: BaseException) -> BaseException:
    error.__cause__ = cause
    return error


def of_activity(cause: BaseException) -> BaseException:
    failed = ActivityError(
        "Activity task failed",
        scheduled_event_id=1,
        started_event_id=2,
        identity="worker",
        activity_type="publish_image",
        activity_id="1",
        retry_state=RetryState.MAXIMUM_ATTEMPTS_REACHED,
    )
    return caused(failed, cause)


OURS = caused(ApplicationError("no answer from the registry: errno 111"), VENDOR)
LATE = caused(
    TooLateError("schedule to close", type=TimeoutType.SCHEDULE_TO_CLOSE, last_heartbeat_details=[]), OURS
)


@pytest.mark.parametrize(
    "error",
    [
        OURS,
        of_activity(OURS),
        of_activity(LATE),
        WorkflowFailureError(cause=of_activity(OURS)),
        WorkflowFailureError(cause=caused(ApplicationError("publishing failed"), of_activity(OURS))),
    ],
)
def test_our_words_are_told_and_not_what_they_were_made_from(error: BaseException) -> None:
    assert words_of(error) == "no answer from the registry: errno 111"


def test_a_failure_without_a_cause_speaks_for_itself() -> None:
    assert words_of(VENDOR) == "errno 111"


def raised(error: Exception, cause: BaseException) -> Exception:
    """Raise it, so that it has a stack."""
    try:
        raise error from cause
    except type(error) as caught:
        return caught


def failing_after(layers: int) -> Exception:
    """Fail as a client does that turns each layer's error into one of its own."""
    error: Exception = VENDOR
    for number in range(layers):
        error = raised(ConnectionError(f"layer {number} got no answer"), error)
    return raised(ApplicationError("publishing to eu-west-1: no answer"), error)


def sent(by: type[DefaultFailureConverter]) -> Failure:
    failure = Failure()
    by().to_failure(failing_after(30), data_converter().payload_converter, failure)
    return failure


def test_a_failure_of_many_layers_is_short_enough_to_be_kept_with_all_its_words() -> None:
    failure = sent(data_converter().failure_converter_class)  # type: ignore[arg-type]

    assert failure.ByteSize() < MOST_KEPT < sent(DefaultFailureConverter).ByteSize()
    assert failure.message == "publishing to eu-west-1: no answer"
    assert failure.cause.message == "layer 29 got no answer"
    assert "in raised" in failure.stack_trace
