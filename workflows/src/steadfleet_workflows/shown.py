"""What a person sees of a campaign: one query, search attributes, details in markdown."""

from temporalio import workflow

from steadfleet_core.campaign.book import waves_of
from steadfleet_core.campaign.counts import Counts
from steadfleet_core.campaign.lifecycle import State
from steadfleet_core.campaign.report import CampaignStatus
from steadfleet_core.campaign.wave import MOST_FAILURES, Direction, WaveProgress
from steadfleet_workflows.verbs import Verbs
from steadfleet_workflows.visibility import attributes, details


class Shown(Verbs):
    """Answers the query, and keeps what needs no worker to be read up to date."""

    def __init__(self) -> None:
        super().__init__()
        self._showing: tuple[object, ...] = ()

    @workflow.query
    def status(self) -> CampaignStatus:
        """Return counts of all hosts and the first 50 failures."""
        waves = waves_of(self.book)
        if self.wave is not None and self.wave.direction is Direction.CHANGE:
            waves[self.wave.number] = self.wave
        plan = self.book.plan
        return CampaignStatus(
            name=self.order.policy.metadata.name,
            labels=self.order.policy.metadata.labels,
            state=self.state,
            reason=self.reason,
            fleet=self.spec.fleet.name,
            image=plan.image.id if plan else str(self.spec.image),
            order=self.order.digest,
            plan=plan.digest if plan else None,
            requested_by=self.order.requested_by,
            counts=sum((wave.counts for wave in waves.values()), Counts()),
            waves=tuple(waves.values()),
            failures=tuple(self.book.failures[:MOST_FAILURES]),
            approvals=tuple(self.book.approvals),
            approvals_needed=self.spec.approval.minimum_approvers if self.spec.approval.required else 0,
            receipts=tuple(self.book.receipts),
            warnings=tuple(self.book.warnings),
            obligations=tuple(self.book.obligations),
        )

    @workflow.signal(description="A wave tells its campaign; not for people.")
    async def wave_progress(self, progress: WaveProgress) -> None:
        """Hear of the wave under way; what an earlier wave still says is too late."""
        if self.wave is not None and progress.number == self.wave.number:
            self.wave = progress
            if self.phase in {State.RUNNING, State.BAKING}:
                self.phase = State.BAKING if progress.baking else State.RUNNING
            workflow.set_current_details(details(self.status()))  # costs no event

    async def _keep_showing(self) -> None:
        while True:
            self._show()
            await workflow.wait_condition(lambda: self._shown() != self._showing)

    def _show(self) -> None:
        status = self.status()
        self._showing = self._shown()
        workflow.set_current_details(details(status))
        if self.order.search_attributes:
            wave = self.wave.number if self.wave else max(self.book.reports, default=0)
            workflow.upsert_search_attributes(attributes(status, wave))

    def _shown(self) -> tuple[object, ...]:
        """Say what search attributes follow: each new value costs an event, so not every host."""
        return (self.state, self.reason, self.wave.number if self.wave else 0, len(self.book.reports))
