"""Ask which hosts there are, and tell a fleet's reservation what people want."""

import secrets
from dataclasses import dataclass
from datetime import timedelta

from temporalio.client import Client, WithStartWorkflowOperation
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.service import RPCError, RPCStatusCode

from steadfleet_cli.engine import PATIENCE, TASK_QUEUE, answered, result_of
from steadfleet_core.campaign.lifecycle import Request
from steadfleet_ports.fleet import FleetListing, FleetQuery
from steadfleet_ports.reservation import reservation_id
from steadfleet_workflows.fleet import FleetHolding, FleetReservation
from steadfleet_workflows.inspection import FleetInspection

_MOST = timedelta(minutes=5)


@dataclass(frozen=True)
class Inspection:
    """The hosts, and of a fleet that was named, who holds it."""

    name: str | None
    listing: FleetListing
    holding: FleetHolding | None


async def inspect(client: Client, name: str | None) -> Inspection:
    handle = await client.start_workflow(
        FleetInspection.run,
        FleetQuery(name=name),
        id=f"inspection/{name or 'all'}/{secrets.token_hex(4)}",
        task_queue=TASK_QUEUE,
        execution_timeout=_MOST,
    )
    listing = await result_of(client, handle)
    return Inspection(name, listing, await holding_of(client, name) if name else None)


async def holding_of(client: Client, name: str) -> FleetHolding:
    """Return who holds and who froze the fleet; nobody, when none ever did."""
    handle = client.get_workflow_handle_for(FleetReservation.run, reservation_id(name))
    try:
        return await handle.query(FleetReservation.holding, rpc_timeout=PATIENCE)
    except RPCError as error:
        if error.status == RPCStatusCode.NOT_FOUND:
            return FleetHolding()
        raise


async def freeze(client: Client, name: str, request: Request) -> FleetHolding:
    start = _start(name)
    return await answered(
        client,
        client.execute_update_with_start_workflow(
            FleetReservation.freeze, request, start_workflow_operation=start
        ),
    )


async def unfreeze(client: Client, name: str, request: Request) -> FleetHolding:
    start = _start(name)
    return await answered(
        client,
        client.execute_update_with_start_workflow(
            FleetReservation.unfreeze, request, start_workflow_operation=start
        ),
    )


async def stop_the_line(client: Client, name: str, request: Request) -> FleetHolding:
    start = _start(name)
    return await answered(
        client,
        client.execute_update_with_start_workflow(
            FleetReservation.stop_the_line, request, start_workflow_operation=start
        ),
    )


def _start(name: str) -> WithStartWorkflowOperation[FleetReservation, None]:
    """Start the reservation if there is none: a fleet can be frozen before its first campaign."""
    return WithStartWorkflowOperation(
        FleetReservation.run,
        id=reservation_id(name),
        task_queue=TASK_QUEUE,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
    )
