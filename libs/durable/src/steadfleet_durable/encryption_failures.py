"""Failures whose words are payloads, and so are encrypted as payloads are."""

from collections.abc import Iterator

from temporalio.api.failure.v1 import Failure
from temporalio.converter import DefaultFailureConverter, PayloadConverter

from steadfleet_durable.failures import ShortFailures

SEALED = "Encoded failure"
"""What stands in place of the words: Temporal's own, which its other SDKs and its UI know."""

_MOST_CAUSES = 6
"""An encrypted cause has some 300 bytes, and of a failure that is retried an engine keeps 4 KB."""


class SealedFailures(DefaultFailureConverter):
    """Moves message and stack of each cause to where a codec reaches them; folds a long tail of causes."""

    def to_failure(
        self, exception: BaseException, payload_converter: PayloadConverter, failure: Failure
    ) -> None:
        ShortFailures().to_failure(exception, payload_converter, failure)
        _fold(failure)
        for cause in _chain(failure):
            if cause.message != SEALED:
                _seal(cause, payload_converter)


def _chain(failure: Failure) -> Iterator[Failure]:
    yield failure
    while failure.HasField("cause"):
        failure = failure.cause
        yield failure


def _fold(failure: Failure) -> None:
    """Put the words of what lies too deep into one cause, unless it says more than words."""
    causes = list(_chain(failure))
    last, folded = causes[_MOST_CAUSES : _MOST_CAUSES + 1], causes[_MOST_CAUSES + 1 :]
    if folded and not any(_says_more_than_words(cause) for cause in last + folded):
        last[0].message = "; caused by: ".join(cause.message for cause in last + folded)
        last[0].ClearField("cause")


def _says_more_than_words(failure: Failure) -> bool:
    told = failure.application_failure_info
    return (
        failure.HasField("encoded_attributes")
        or not failure.HasField("application_failure_info")
        or bool(told.details.payloads)
    )


def _seal(failure: Failure, payload_converter: PayloadConverter) -> None:
    words = {"message": failure.message, "stack_trace": failure.stack_trace}
    failure.encoded_attributes.CopyFrom(payload_converter.to_payloads([words])[0])
    failure.message, failure.stack_trace = SEALED, ""
