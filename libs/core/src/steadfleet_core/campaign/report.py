"""What a campaign says of itself: while it runs, and at its end."""

from collections import Counter
from datetime import datetime, timedelta
from typing import Self

from pydantic import Field

from steadfleet_core.campaign.lifecycle import Receipt, State
from steadfleet_core.campaign.verdict import Verdict
from steadfleet_core.fleet import HostFailure, HostState
from steadfleet_core.model import Digest, Model

MOST_FAILURES = 50
"""Failures that a status lists; the counts are always whole."""


class Counts(Model):
    """Hosts by what became of them; `failed` counts every host that ever failed, restored or not."""

    total: int = 0
    untouched: int = 0
    in_flight: int = 0
    changed: int = 0
    failed: int = 0
    restored: int = 0
    lost: int = 0

    def __add__(self, other: Self) -> Self:
        sums = Counter(self.model_dump())
        sums.update(other.model_dump())
        return type(self).model_validate(sums)


class WaveProgress(Model):
    """One wave as it stands. `baked` is watched time without pauses, of `bake` in all."""

    number: int
    counts: Counts
    verdict: Verdict | None = None
    baking: bool = False
    baked: timedelta = timedelta(0)
    bake: timedelta = timedelta(0)
    started_at: datetime | None = None
    ended_at: datetime | None = None


class WaveReport(Model):
    """How a wave ended; `states` has one letter a host in plan order (see `HostState`)."""

    progress: WaveProgress
    states: str
    failures: tuple[HostFailure, ...] = ()
    reason: str = ""
    stopped: bool = False

    def having(self, state: HostState) -> tuple[int, ...]:
        return tuple(index for index, letter in enumerate(self.states) if letter == state)


class CampaignStatus(Model):
    """The answer to the one query: counts are whole, failures are the first 50."""

    name: str
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
    approvals: tuple[str, ...] = ()
    approvals_needed: int = 0
    receipts: tuple[Receipt, ...] = ()
    warnings: tuple[str, ...] = ()
    open_obligations: tuple[str, ...] = Field(default=(), description="what a person must still put right")


class CampaignReport(Model):
    """The result of a campaign: its last status, and when it began and ended."""

    status: CampaignStatus
    started_at: datetime
    ended_at: datetime
