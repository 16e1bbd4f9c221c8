"""A look at which hosts there are; nothing is touched."""

from temporalio import workflow

from steadfleet_durable.options import SLOW
from steadfleet_ports.fleet import Fleet, FleetListing, FleetQuery


@workflow.defn
class FleetInspection:
    """List hosts with their zone, image and health."""

    @workflow.run
    async def run(self, query: FleetQuery) -> FleetListing:
        return await workflow.execute_activity_method(Fleet.list_fleets, query, **SLOW)
