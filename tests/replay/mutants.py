"""Campaigns with changed commands, which a replay must refuse: they prove that it can fail."""

from temporalio import workflow

from steadfleet_core.campaign.book import ContinuedOrder
from steadfleet_core.campaign.plan import CampaignOrder, Plan
from steadfleet_core.campaign.report import CampaignReport
from steadfleet_workflows.campaign import PatchCampaign


@workflow.defn(name="PatchCampaign")
class UnheldCampaign(PatchCampaign):
    """Forgets to hold the groups before it changes hosts."""

    @workflow.init
    def __init__(self, order: CampaignOrder | ContinuedOrder) -> None:
        super().__init__(order)

    @workflow.run
    async def run(self, order: CampaignOrder | ContinuedOrder) -> CampaignReport:
        return await super().run(order)

    async def _hold_groups(self, plan: Plan) -> None:
        self.book.holding = True


@workflow.defn(name="PatchCampaign")
class EarlyCampaign(PatchCampaign):
    """Holds the groups before anybody has approved."""

    @workflow.init
    def __init__(self, order: CampaignOrder | ContinuedOrder) -> None:
        super().__init__(order)

    @workflow.run
    async def run(self, order: CampaignOrder | ContinuedOrder) -> CampaignReport:
        return await super().run(order)

    async def _approval(self) -> None:
        if self.book.plan:
            await self._hold_groups(self.book.plan)
        await super()._approval()
