"""Read where a build stands: from its worker, from its result, or from what Temporal itself knows."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta

from temporalio.client import (
    Client,
    WorkflowFailureError,
    WorkflowQueryFailedError,
    WorkflowQueryRejectedError,
)
from temporalio.service import RPCError

from steadfleet_cli.engine import IMAGES, cause_of
from steadfleet_cli.executions import COMPLETED, NATIVELY_PAUSED, Execution, describe
from steadfleet_cli.exits import CommandError, ExitCode
from steadfleet_cli.image.orders import image_handle, order_of
from steadfleet_cli.pending import Step, steps_of
from steadfleet_core.image.order import workflow_id
from steadfleet_core.image.report import ImageState, ImageStatus
from steadfleet_workflows.image import GoldenImage
from steadfleet_workflows.visibility import REASON, STATE

_ANSWER_TIME = timedelta(seconds=5)
_LOOK_EVERY = timedelta(seconds=1)
_KILLED = {"terminated", "timed out"}


@dataclass(frozen=True)
class Standing:
    """A build's status and what it does just now; `silent` is why only Temporal answers."""

    status: ImageStatus
    execution: Execution
    steps: tuple[Step, ...] = ()
    silent: str = ""

    @property
    def ended(self) -> bool:
        return not self.execution.open


async def read_standing(client: Client, family: str, version: str) -> Standing:
    """Say where the newest build of that version stands; raise when there is none."""
    execution = await describe(client, workflow_id(family, version))
    if execution is None:
        raise CommandError(
            f"Temporal knows of no build of {family} {version}",
            ExitCode.REFUSED,
            f"`steadfleet image list {family}` shows what was built and what is released",
        )
    if execution.status == COMPLETED:
        handle = image_handle(client, family, version, execution.run_id)
        return Standing((await handle.result()).status, execution)
    steps = await steps_of(client, execution) if execution.open else ()
    try:
        status = await _ask(client, family, version, execution)
    except (RPCError, WorkflowQueryFailedError, WorkflowQueryRejectedError) as error:
        known = await _known(client, execution)
        return Standing(known, execution, steps, _silence(execution, error))
    return Standing(status, execution, steps)


async def follow_standing(
    client: Client, family: str, version: str
) -> AsyncIterator[Standing | CommandError]:
    """Yield where it stands, every second, until it has ended; an error when the engine is away."""
    while True:
        try:
            standing = await read_standing(client, family, version)
        except RPCError as error:
            yield CommandError(str(error), ExitCode.UNREACHABLE, "")
        else:
            yield standing
            if standing.ended:
                return
        await asyncio.sleep(_LOOK_EVERY.total_seconds())


async def _ask(client: Client, family: str, version: str, execution: Execution) -> ImageStatus:
    handle = image_handle(client, family, version, execution.run_id)
    status = await handle.query(GoldenImage.status, rpc_timeout=_ANSWER_TIME)
    if execution.status not in _KILLED:
        return status
    killed = f"{execution.status} in Temporal while {status.state}: its lease takes away what it had made"
    return status.model_copy(update={"state": ImageState.FAILED, "reason": killed})


async def _known(client: Client, execution: Execution) -> ImageStatus:
    """Put together what needs no worker: the order, the search attributes, how it was closed."""
    order = await order_of(client, execution.workflow_id, execution.run_id)
    reported = execution.word(STATE.name)
    reason = execution.word(REASON.name)
    if not execution.open:
        reported, reason = ImageState.FAILED, await _end_of(client, execution)
    return ImageStatus(
        family=order.image.family,
        version=order.image.version,
        labels=order.image.metadata.labels,
        state=ImageState(reported or ImageState.PREPARING),
        reason=reason,
        requested_by=order.requested_by,
        order=order.digest,
        run="",
        started_at=execution.started_at,
    )


async def _end_of(client: Client, execution: Execution) -> str:
    handle = client.get_workflow_handle(execution.workflow_id, run_id=execution.run_id)
    try:
        await handle.result(follow_runs=False)
    except WorkflowFailureError as error:
        return cause_of(error) if execution.status == "failed" else f"{execution.status} in Temporal"
    return execution.status


def _silence(execution: Execution, error: Exception) -> str:
    if execution.status == NATIVELY_PAUSED:
        unpause = f"`temporal workflow unpause -w {execution.workflow_id}`"
        return f"it was paused in Temporal itself, and answers nothing until {unpause}"
    return f"no worker answers on {IMAGES.task_queue} ({cause_of(error)}); this is what Temporal itself knows"
