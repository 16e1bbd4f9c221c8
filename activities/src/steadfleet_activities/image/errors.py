"""Turn what AWS, an engine or a registry says into errors of ours, at the edge."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from python_on_whales.exceptions import DockerException
from temporalio.exceptions import ApplicationError

from steadfleet_activities.fleet import errors


@contextmanager
def at_the_edge(doing: str) -> Iterator[None]:
    """Let nothing of a platform's own errors leave an activity: say what was being done."""
    with errors.at_the_edge(doing):
        try:
            yield
        except DockerException as error:
            said = (error.stderr or "").strip() or f"exit code {error.return_code}"
            raise ApplicationError(
                f"{doing}: the Docker engine answered: {said}", type="DockerError"
            ) from error
        except httpx.HTTPStatusError as error:
            status = error.response.status_code
            raise ApplicationError(
                f"{doing}: the registry answered {error.request.method} {error.request.url} with {status}",
                type=f"Registry{status}",
                non_retryable=error.response.is_client_error and status not in {408, 425, 429},
            ) from error
        except httpx.HTTPError as error:
            raise ApplicationError(
                f"{doing}: no answer from {_asked(error)}: {error}", type=type(error).__name__
            ) from error


def _asked(error: httpx.HTTPError) -> str:
    try:
        return f"the registry {error.request.url.netloc.decode()}"
    except RuntimeError:  # it arose before anything was asked
        return "the registry"
