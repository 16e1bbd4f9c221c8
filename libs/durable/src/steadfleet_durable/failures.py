"""What a failure says: to a person, and to the engine, which keeps little of it."""

from temporalio.api.failure.v1 import Failure
from temporalio.converter import DefaultFailureConverter, PayloadConverter
from temporalio.exceptions import ApplicationError, TemporalError

_MOST_STACK = 1_500
"""Characters: of a failure that is retried an engine keeps 4 KB, or only that it was too long."""


class ShortFailures(DefaultFailureConverter):
    """Sends the words of every cause, and the end of one stack; the worker's log has them whole."""

    def to_failure(
        self, exception: BaseException, payload_converter: PayloadConverter, failure: Failure
    ) -> None:
        super().to_failure(exception, payload_converter, failure)
        failure.stack_trace = failure.stack_trace[-_MOST_STACK:]
        while failure.HasField("cause"):
            failure = failure.cause
            failure.stack_trace = ""


def origin(error: BaseException) -> BaseException:
    """Return what was raised where it failed.

    What is around it only says that an activity failed, or was too late; what it was raised from is a
    vendor's error, which our own words tell already.
    """
    told = inner = error
    while inner.__cause__ is not None:
        if isinstance(inner, TemporalError) and not isinstance(inner, ApplicationError):
            told = inner.__cause__
        inner = inner.__cause__
    return told


def words_of(error: BaseException) -> str:
    """Return the sentence that was raised where it failed."""
    raised = origin(error)
    return raised.message if isinstance(raised, ApplicationError) else str(raised)
