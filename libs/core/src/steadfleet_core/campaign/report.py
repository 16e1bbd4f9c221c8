"""What a campaign says of itself: while it runs, and at its end."""

from datetime import datetime

from steadfleet_core.campaign.counts import Counts
from steadfleet_core.campaign.lifecycle import Receipt, State
from steadfleet_core.campaign.wave import WaveProgress
from steadfleet_core.fleet import HostFailure
from steadfleet_core.model import Digest, Model


class Approver(Model):
    """Who agreed to which plan, and when."""

    by: str
    plan: Digest
    reason: str
    at: datetime


class CampaignStatus(Model):
    """The answer to the one query.

    `obligations` are what a person must still put right. Waves of the plan that have not begun
    are listed with untouched hosts only.
    """

    name: str
    labels: dict[str, str] = {}
    state: State
    reason: str = ""
    fleet: str = ""
    image: str = ""
    order: Digest
    plan: Digest | None = None
    requested_by: str = ""
    counts: Counts = Counts()
    waves: tuple[WaveProgress, ...] = ()
    failures: tuple[HostFailure, ...] = ()
    approvals: tuple[Approver, ...] = ()
    approvals_needed: int = 0
    receipts: tuple[Receipt, ...] = ()
    warnings: tuple[str, ...] = ()
    obligations: tuple[str, ...] = ()


class CampaignReport(Model):
    """The result of a campaign: its last status, and when it began and ended."""

    status: CampaignStatus
    started_at: datetime
    ended_at: datetime
