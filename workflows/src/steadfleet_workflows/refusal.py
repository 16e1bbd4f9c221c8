"""What a workflow answers to what it does not do."""

from temporalio.exceptions import ApplicationError


def refused(problem: str) -> ApplicationError:
    """Return the failure of a verb, or of an order, that no retry can mend."""
    return ApplicationError(problem, type="RefusedError", non_retryable=True)
