"""Read where a campaign stands: from its worker while it runs, from its result when it has ended."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from temporalio.client import (
    Client,
    WorkflowFailureError,
    WorkflowQueryFailedError,
    WorkflowQueryRejectedError,
)
from temporalio.service import RPCError

from steadfleet_cli.campaign.orders import campaign_handle, campaign_id, order_of
from steadfleet_cli.engine import cause_of
from steadfleet_cli.executions import COMPLETED, NATIVELY_PAUSED, Execution, describe, search
from steadfleet_cli.exits import CommandError, ExitCode
from steadfleet_core.campaign.lifecycle import State
from steadfleet_core.campaign.report import CampaignStatus
from steadfleet_workflows.campaign import PatchCampaign

_TOLD = ("state", "wave", "changed", "failed", "reason")
_ANSWER_TIME = timedelta(seconds=5)
_LOOK_EVERY = timedelta(seconds=1)


@dataclass(frozen=True)
class Standing:
    """A campaign's status, and when it began and ended."""

    status: CampaignStatus
    started_at: datetime
    ended_at: datetime | None


async def read_standing(client: Client, name: str) -> Standing:
    """Say where the newest campaign of that name stands; raise when there is none, or nobody can tell."""
    execution = await describe(client, campaign_id(name))
    if execution is None:
        raise CommandError(
            f"there is no campaign {name}", ExitCode.REFUSED, "`campaign list` shows the names"
        )
    if execution.open:
        status = await _ask(client, execution)
        return Standing(status, execution.started_at, None)
    return await _ended(client, execution)


async def follow_standing(client: Client, name: str) -> AsyncIterator[Standing | CommandError]:
    """Yield where it stands, every second, until it has ended; an error when nobody answers just now."""
    while True:
        try:
            standing = await read_standing(client, name)
        except CommandError as error:
            if error.code != ExitCode.UNREACHABLE:
                raise
            yield error
        except RPCError as error:
            yield CommandError(str(error), ExitCode.UNREACHABLE, "")
        else:
            yield standing
            if standing.ended_at is not None:
                return
        await asyncio.sleep(_LOOK_EVERY.total_seconds())


async def list_executions(client: Client, *, running: bool, most: int) -> list[Execution]:
    query = "WorkflowType = 'PatchCampaign'"
    if running:
        query += " AND (ExecutionStatus = 'Running' OR ExecutionStatus = 'Paused')"
    return [execution async for execution in search(client, query, most)]


async def _ask(client: Client, execution: Execution) -> CampaignStatus:
    handle = campaign_handle(client, execution.workflow_id)
    try:
        return await handle.query(PatchCampaign.status, rpc_timeout=_ANSWER_TIME)
    except (RPCError, WorkflowQueryFailedError, WorkflowQueryRejectedError) as error:
        raise _unanswered(execution, error) from error


def _unanswered(execution: Execution, error: Exception) -> CommandError:
    """Say what the search attributes know, which need no worker."""
    name = execution.workflow_id.removeprefix("campaign/")
    said = {key: execution.word(f"Sf{key.capitalize()}") for key in _TOLD}
    last = ", ".join(f"{key} {word}" for key, word in said.items() if word) or execution.status
    if execution.status == NATIVELY_PAUSED:
        return CommandError(
            f"campaign {name} was paused in Temporal itself, and answers nothing; last: {last}",
            ExitCode.UNREACHABLE,
            f"`temporal workflow unpause -w {execution.workflow_id}`; to hold one use `campaign pause`",
        )
    return CommandError(
        f"no worker answers for campaign {name} ({cause_of(error)}); last reported: {last}",
        ExitCode.UNREACHABLE,
        "`steadfleet doctor`, then start the worker: the campaign goes on where it stood",
    )


async def _ended(client: Client, execution: Execution) -> Standing:
    handle = campaign_handle(client, execution.workflow_id, execution.run_id)
    if execution.status == COMPLETED:
        report = await handle.result()
        return Standing(report.status, report.started_at, report.ended_at)
    try:
        await handle.result(follow_runs=False)
        reason = execution.status
    except WorkflowFailureError as error:
        reason = cause_of(error)
    return Standing(await _failed(client, execution, reason), execution.started_at, execution.ended_at)


async def _failed(client: Client, execution: Execution, reason: str) -> CampaignStatus:
    """Describe a campaign that closed without a report."""
    order = await order_of(client, execution.workflow_id, execution.run_id)
    words = reason if execution.status == "failed" else f"{execution.status} in Temporal: {reason}"
    return CampaignStatus(
        name=order.policy.metadata.name,
        state=State.FAILED,
        reason=words,
        fleet=order.policy.spec.fleet.name,
        image=str(order.policy.spec.image),
        order=order.digest,
        requested_by=order.requested_by,
    )
