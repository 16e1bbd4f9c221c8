"""Send a verb to a workflow: its receipt, or its refusal in its own words."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from temporalio.client import Client, WorkflowUpdateFailedError
from temporalio.service import RPCError, RPCStatusCode

from steadfleet_cli.engine import CAMPAIGNS, Service, answered, cause_of
from steadfleet_cli.exits import CommandError, ExitCode

_Answer = TypeVar("_Answer")


async def sent(
    client: Client,
    update: Awaitable[_Answer],
    *,
    subject: str,
    advice: str,
    ended: Callable[[], Awaitable[CommandError]],
    service: Service = CAMPAIGNS,
) -> _Answer:
    """Return the answer; `ended` says what to tell when there is no open workflow of that name."""
    try:
        return await answered(client, update, service)
    except WorkflowUpdateFailedError as error:
        raise CommandError(cause_of(error), ExitCode.REFUSED, advice) from error
    except RPCError as error:
        if error.status == RPCStatusCode.NOT_FOUND:
            raise await ended() from error
        if error.status == RPCStatusCode.FAILED_PRECONDITION:
            raise CommandError(
                f"the worker fails on {subject}, so nothing was asked: {error.message}",
                ExitCode.UNREACHABLE,
                "its log says why; mend the worker, then ask again",
            ) from error
        raise
