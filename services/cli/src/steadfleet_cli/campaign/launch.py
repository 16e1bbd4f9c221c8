"""Start a campaign, or attach to the one that runs."""

import asyncio
from collections.abc import Callable
from typing import Any

from temporalio.client import Client
from temporalio.exceptions import WorkflowAlreadyStartedError

from steadfleet_cli.campaign.orders import campaign_id, order_of
from steadfleet_cli.campaign.preview import preview_of
from steadfleet_cli.campaign.reading import read_standing
from steadfleet_cli.differences import differences
from steadfleet_cli.engine import TASK_QUEUE, ui_link
from steadfleet_cli.executions import attributes_registered, describe
from steadfleet_cli.exits import CommandError, ExitCode
from steadfleet_core.campaign.plan import CampaignOrder, Preview
from steadfleet_core.model import Digest, Model
from steadfleet_workflows.campaign import PatchCampaign

_FROZEN_WITHIN = 20
"""Seconds that `start` waits for the frozen plan, to print its digest."""


class Launch(Model):
    """What `start` did; `attached` when the same campaign ran already, and nothing was started."""

    campaign: str
    workflow_id: str
    attached: bool
    ui: str
    plan: Digest | None = None
    preview: Preview | None = None
    notes: tuple[str, ...] = ()


async def attachment(client: Client, order: CampaignOrder) -> Launch | None:
    """Return the campaign that runs under the order's name; refuse if it has another order."""
    name = order.policy.metadata.name
    execution = await describe(client, campaign_id(name))
    if execution is None or not execution.open:
        return None
    running = await order_of(client, campaign_id(name), execution.run_id)
    if running.digest == order.digest:
        return _launch(client, order, attached=True, plan=await _frozen_plan(client, name))
    differing = "; ".join(differences(running.policy, order.policy))
    raise CommandError(
        f"campaign {name} runs already, with a different order: {differing}",
        ExitCode.NAME_TAKEN,
        f"`campaign status {name}`; wait for its end, abort it, or start this under another --name",
    )


async def begin(client: Client, order: CampaignOrder, ask: Callable[[Preview], None]) -> Launch:
    """Attach, or preview, `ask`, and start; `ask` raises to go no further."""
    attached = await attachment(client, order)
    if attached is not None:
        return attached
    preview = await prepare(client, order)
    ask(preview)
    return await launch(client, order, preview)


async def prepare(client: Client, order: CampaignOrder) -> Preview:
    """Preview the order; a plan with problems is not started."""
    preview = await preview_of(client, order, probe=True)
    if preview.problems:
        raise CommandError(
            "; ".join(preview.problems), ExitCode.REFUSED, "`campaign plan` shows the whole plan"
        )
    return preview


async def launch(client: Client, order: CampaignOrder, preview: Preview) -> Launch:
    """Start the campaign. Whoever asked for the same at the same moment shares it."""
    registered = await attributes_registered(client)
    order = order.model_copy(update={"search_attributes": registered})
    try:
        await client.start_workflow(
            PatchCampaign.run,
            order,
            id=campaign_id(order.policy.metadata.name),
            task_queue=TASK_QUEUE,
            static_summary=f"{order.policy.spec.fleet.name} to {order.policy.spec.image}",
        )
    except WorkflowAlreadyStartedError:
        attached = await attachment(client, order)
        if attached is None:  # it has closed in between
            return await launch(client, order, preview)
        return attached
    notes = () if registered else ("`campaign list` will show no progress: `steadfleet doctor` says why",)
    plan = await _frozen_plan(client, order.policy.metadata.name)
    if plan and plan != preview.digest:
        notes = (
            *notes,
            "the fleet moved since the preview: `campaign status` shows the plan that was frozen",
        )
    return _launch(client, order, attached=False, preview=preview, plan=plan, notes=notes)


async def _frozen_plan(client: Client, name: str) -> str | None:
    """Return the digest of the plan that the campaign froze; raise if it was refused. None: not in time."""
    for _ in range(_FROZEN_WITHIN):
        try:
            standing = await read_standing(client, name)
        except CommandError as error:
            if error.code != ExitCode.UNREACHABLE:
                raise
            return None
        if standing.status.plan:
            return standing.status.plan
        if standing.ended_at:
            raise CommandError(
                standing.status.reason, ExitCode.REFUSED, "`campaign plan` shows the whole plan"
            )
        await asyncio.sleep(1)
    return None


def _launch(client: Client, order: CampaignOrder, **more: Any) -> Launch:
    name = order.policy.metadata.name
    return Launch(campaign=name, workflow_id=campaign_id(name), ui=ui_link(client, campaign_id(name)), **more)
