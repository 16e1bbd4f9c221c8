"""What becomes of the lease of a drill that could not be cleaned up after."""

import asyncio

from temporalio.client import Client

from steadfleet_dr_drill.rehearsal.scene import Rehearsal
from steadfleet_ports.lease import LeaseState, Owner, lease_id
from steadfleet_workflows.lease import Lease

_CLEANED_WITHIN = 60.0
_LOOK_EVERY = 0.2


async def expect_open(client: Client, run: str) -> list[str]:
    """Say what is wrong with a lease that must still insist, and have told a person."""
    status = await client.get_workflow_handle(lease_id(run)).query(Lease.status)
    problems = []
    if status.state is not LeaseState.SWEEPING:
        problems.append(f"{lease_id(run)} is {status.state} although something is left, expected sweeping")
    if not status.alarms:
        problems.append(f"{lease_id(run)} has told nobody what is left")
    return problems


async def expect_cleaned(client: Client, run: str, drill: Rehearsal) -> list[str]:
    """Let the lease look again now, rather than when its pause is over, and wait for its end."""
    handle = client.get_workflow_handle(lease_id(run))
    await handle.execute_update(Lease.close, Owner(workflow=drill.id, run=drill.run))
    try:
        async with asyncio.timeout(_CLEANED_WITHIN):
            while True:
                status = await handle.query(Lease.status)
                if status.state is LeaseState.ENDED:
                    break
                await asyncio.sleep(_LOOK_EVERY)
    except TimeoutError:
        return [f"{lease_id(run)} is still {status.state} {_CLEANED_WITHIN:g} s after deletes succeed again"]
    return [f"{lease_id(run)} has ended, and left {one}" for one in status.residue.left]
