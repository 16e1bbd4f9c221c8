"""Turn what AWS, a registry or a signing service says into errors of ours, at the edge."""

from collections.abc import Iterator
from contextlib import contextmanager

from temporalio.exceptions import ApplicationError

from steadfleet_activities.image import errors
from steadfleet_signing.errors import SigningServiceError


@contextmanager
def at_the_edge(doing: str) -> Iterator[None]:
    """Let nothing but our own errors leave: what may get better is retried."""
    with errors.at_the_edge(doing):
        try:
            yield
        except SigningServiceError as error:
            raise ApplicationError(f"{doing}: {error}", type=type(error).__name__) from error
