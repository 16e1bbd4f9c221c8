"""Send verbs to a drill: each returns a receipt, or raises with the drill's own refusal."""

from collections.abc import Awaitable, Callable

from temporalio.client import Client

from steadfleet_cli.drill.orders import Drilled, DrillHandle, drill_handle
from steadfleet_cli.drill.reading import find_open, read_standing
from steadfleet_cli.engine import DRILLS
from steadfleet_cli.exits import CommandError, ExitCode
from steadfleet_cli.verbs import sent
from steadfleet_core.campaign.lifecycle import Request
from steadfleet_core.drill.report import DrillReceipt
from steadfleet_workflows.drill import DrDrill
from steadfleet_workflows.drill_shown import StepRequested


async def retry(client: Client, drill: Drilled, request: StepRequested) -> DrillReceipt:
    return await _send(client, drill, lambda handle: handle.execute_update(DrDrill.retry, request))


async def skip(client: Client, drill: Drilled, request: StepRequested) -> DrillReceipt:
    return await _send(client, drill, lambda handle: handle.execute_update(DrDrill.skip, request))


async def abort(client: Client, drill: Drilled, request: Request) -> DrillReceipt:
    return await _send(client, drill, lambda handle: handle.execute_update(DrDrill.abort, request))


async def _send(
    client: Client, drill: Drilled, verb: Callable[[DrillHandle], Awaitable[DrillReceipt]]
) -> DrillReceipt:
    identity = (await find_open(client, drill)).workflow_id
    return await sent(
        client,
        verb(drill_handle(client, identity)),
        subject=identity,
        advice=f"`steadfleet drill status {identity}` shows where it stands",
        ended=lambda: _ended(client, Drilled(drill.plan, identity)),
        service=DRILLS,
    )


async def _ended(client: Client, drill: Drilled) -> CommandError:
    state = (await read_standing(client, drill)).status.state
    return CommandError(
        f"{drill} has ended ({state}): a closed drill takes no verbs",
        ExitCode.REFUSED,
        f"`steadfleet drill status {drill}`, or start another",
    )
