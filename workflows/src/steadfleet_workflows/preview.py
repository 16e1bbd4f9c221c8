"""A look at what a campaign would do; nothing is touched."""

from temporalio import workflow

from steadfleet_core.campaign.plan import Preview
from steadfleet_durable.options import SLOW
from steadfleet_ports.fleet import Fleet, Freeze


@workflow.defn
class CampaignPreview:
    """Resolve an order to its plan, boundaries, warnings and problems."""

    @workflow.run
    async def run(self, freeze: Freeze) -> Preview:
        look = freeze.model_copy(update={"store": False})
        return await workflow.execute_activity_method(Fleet.preview_plan, look, **SLOW)
