"""One channel of one family: the version that it points at, and how it came to."""

import asyncio

from temporalio import workflow
from temporalio.exceptions import ActivityError

from steadfleet_core.image.channel import (
    RULES,
    ChannelStatus,
    Promotion,
    PromotionReceipt,
    PromotionVerb,
    assign,
    consider,
    located,
    objection,
    target_of,
)
from steadfleet_durable.options import SLOW
from steadfleet_ports.channel import CHANNEL_WORKFLOW
from steadfleet_ports.image import ImageDecision, ImageReference, Images, ImageVerification
from steadfleet_workflows.hosts import root_cause
from steadfleet_workflows.renewal import Idle, continue_as_new, should_continue_as_new


@workflow.defn(name=CHANNEL_WORKFLOW)
class ImageChannel(Idle):
    """Point at a version once it is verified, and approved where that is demanded. Lives for ever."""

    @workflow.init
    def __init__(self, status: ChannelStatus) -> None:
        self.held = status
        self._moving = asyncio.Lock()

    @workflow.run
    async def run(self, status: ChannelStatus) -> None:
        await workflow.wait_condition(should_continue_as_new)
        await workflow.wait_condition(workflow.all_handlers_finished)
        continue_as_new(self.held)

    @workflow.query
    def status(self) -> ChannelStatus:
        return self.held

    @workflow.update
    async def promote(self, promotion: Promotion) -> PromotionReceipt:
        """Verify, then move, or wait for approvals; one at a time. What is refused is answered, with why."""
        async with self._moving:
            promotion = located(self.held, promotion)
            problem = objection(self.held, promotion)
            if problem is not None:
                return self._refused(promotion, problem)
            if target_of(self.held, promotion) == self.held.version:
                return self._receipt(promotion, moved=True)
            problems = await self._unverified(promotion)
            if problems:
                return self._refused(promotion, *problems)
            return self._move(promotion)

    def _move(self, promotion: Promotion) -> PromotionReceipt:
        previous, approved_by = self.held.version, tuple[str, ...]()
        needed = RULES[self.held.channel].approvals if promotion.verb is PromotionVerb.PROMOTE else 0
        if needed:
            self.held = consider(self.held, promotion, workflow.now())
            approved_by = self.held.proposal.approved_by if self.held.proposal else ()
        if len(approved_by) < needed:
            waiting = f"waits for {needed - len(approved_by)} more: another person runs the same promotion"
            return PromotionReceipt(
                moved=False, waiting=True, previous=previous, version=promotion.version, reasons=(waiting,)
            )
        self.held = assign(self.held, promotion, approved_by, workflow.now())
        return PromotionReceipt(moved=True, previous=previous, version=self.held.version)

    async def _unverified(self, promotion: Promotion) -> list[str]:
        """Ask the real policy at every place; could not be asked is a refusal too."""
        version = target_of(self.held, promotion)
        problems: list[str] = []
        for place in promotion.places or ("",):
            reference = ImageReference(
                platform=promotion.platform, family=self.held.family, version=version, place=place
            )
            demand = tuple(RULES[self.held.channel].demands)
            try:
                decision: ImageDecision = await workflow.execute_activity_method(
                    Images.verify_image, ImageVerification(image=reference, demand=demand), **SLOW
                )
            except ActivityError as error:
                problems.append(f"{version} could not be verified: {root_cause(error)}")
            else:
                where = f"{place}: " if place else ""
                problems += [] if decision.allowed else [f"{where}{reason}" for reason in decision.reasons]
        return problems

    def _refused(self, promotion: Promotion, *reasons: str) -> PromotionReceipt:
        return self._receipt(promotion, moved=False, reasons=reasons)

    def _receipt(
        self, promotion: Promotion, *, moved: bool, reasons: tuple[str, ...] = ()
    ) -> PromotionReceipt:
        return PromotionReceipt(
            moved=moved, previous=self.held.version, version=target_of(self.held, promotion), reasons=reasons
        )
