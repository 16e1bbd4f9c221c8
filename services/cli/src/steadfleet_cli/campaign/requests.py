"""Send verbs to a campaign: each returns a receipt, or raises with the campaign's own refusal."""

from collections.abc import Awaitable
from pathlib import Path
from typing import TypeVar

from temporalio.client import Client

from steadfleet_cli.campaign.orders import CampaignHandle, campaign_handle, campaign_id
from steadfleet_cli.campaign.reading import read_standing
from steadfleet_cli.exits import CommandError, ExitCode
from steadfleet_cli.verbs import sent
from steadfleet_core.campaign.lifecycle import Abort, Approve, Receipt, Request, RollBack
from steadfleet_core.campaign.policy import RollbackScope
from steadfleet_workflows.campaign import PatchCampaign

_LEAST = 12
_Answer = TypeVar("_Answer")


async def approve(client: Client, name: str, request: Request, plan: str, key: Path | None = None) -> Receipt:
    """Approve the plan of that digest; a part of it must be that of the plan which waits."""
    waiting = (await read_standing(client, name)).status.plan
    order = Approve(by=request.by, reason=request.reason, plan=whole_digest(plan, waiting))
    if key is not None:
        order = order.model_copy(update={"proof": await _proof(client, name, order, key)})
    return await _send(client, name, _handle(client, name).execute_update(PatchCampaign.approve, order))


def whole_digest(given: str, waiting: str | None) -> str:
    """Complete a digest of 12 or more hex digits, if it is the waiting plan's."""
    digits = given.removeprefix("sha256:").lower()
    if waiting is None:
        raise CommandError(
            "no plan is frozen, so there is none to approve", ExitCode.REFUSED, "`campaign status`"
        )
    if len(digits) < _LEAST or set(digits) - set("0123456789abcdef"):
        raise CommandError(
            f"--plan {given}: expected {_LEAST} or more hex digits of the plan's digest",
            ExitCode.USAGE,
            "`campaign status` shows the plan that waits",
        )
    if not waiting.removeprefix("sha256:").startswith(digits):
        raise CommandError(
            f"--plan {given} is not the plan that waits, which is {waiting}",
            ExitCode.REFUSED,
            "read that plan, then approve it",
        )
    return waiting


async def _proof(client: Client, name: str, order: Approve, key: Path) -> str:
    from steadfleet_cli.campaign.sealing import proof_of  # noqa: PLC0415  # cryptography is slow to load
    from steadfleet_signing.approval import Approval  # noqa: PLC0415

    described = await _handle(client, name).describe()
    run = described.raw_description.workflow_execution_info.first_run_id
    approval = Approval(campaign=campaign_id(name), run=run, plan=order.plan, by=order.by)
    return proof_of(approval, key)


async def reject(client: Client, name: str, request: Request) -> Receipt:
    return await _send(client, name, _handle(client, name).execute_update(PatchCampaign.reject, request))


async def pause(client: Client, name: str, request: Request) -> Receipt:
    return await _send(client, name, _handle(client, name).execute_update(PatchCampaign.pause, request))


async def resume(client: Client, name: str, request: Request) -> Receipt:
    return await _send(client, name, _handle(client, name).execute_update(PatchCampaign.resume, request))


async def advance(client: Client, name: str, request: Request) -> Receipt:
    return await _send(client, name, _handle(client, name).execute_update(PatchCampaign.advance, request))


async def retry(client: Client, name: str, request: Request) -> Receipt:
    return await _send(client, name, _handle(client, name).execute_update(PatchCampaign.retry, request))


async def abort(client: Client, name: str, request: Request, *, rollback: bool) -> Receipt:
    order = Abort(by=request.by, reason=request.reason, rollback=rollback)
    return await _send(client, name, _handle(client, name).execute_update(PatchCampaign.abort, order))


async def roll_back(client: Client, name: str, request: Request, scope: str) -> Receipt:
    order = RollBack(by=request.by, reason=request.reason, scope=RollbackScope(scope))
    return await _send(client, name, _handle(client, name).execute_update(PatchCampaign.rollback, order))


def _handle(client: Client, name: str) -> CampaignHandle:
    return campaign_handle(client, campaign_id(name))


async def _send(client: Client, name: str, update: Awaitable[_Answer]) -> _Answer:
    return await sent(
        client,
        update,
        subject=f"campaign {name}",
        advice=f"`campaign status {name}` shows where it stands",
        ended=lambda: _ended(client, name),
    )


async def _ended(client: Client, name: str) -> CommandError:
    """Tell a campaign that never was from one that has ended."""
    state = (await read_standing(client, name)).status.state
    return CommandError(
        f"campaign {name} has ended ({state}): a closed campaign takes no verbs",
        ExitCode.REFUSED,
        f"`campaign report {name}`, or start a new one",
    )
