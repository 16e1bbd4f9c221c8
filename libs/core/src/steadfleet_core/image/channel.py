"""Channels: named pointers to versions, how they move, and what must hold before they do. Pure."""

from datetime import datetime
from enum import StrEnum

from pydantic import Field

from steadfleet_core.image.golden import Channel
from steadfleet_core.model import Model


class Demand(StrEnum):
    """What a channel wants to see verified before it points at an image."""

    SIGNATURE = "signature"
    PROVENANCE = "provenance"
    SBOM = "sbom"
    TESTS = "tests"


class ChannelRule(Model):
    """`approvals` by people other than the one who asked first."""

    demands: tuple[Demand, ...] = ()
    approvals: int = 0


class PromotionVerb(StrEnum):
    PROMOTE = "promote"
    ROLL_BACK = "rollback"


class Promotion(Model):
    """Move a channel to `version`, if it stands at `expected` now (None: do not look; "": at nothing).

    A rollback names no version: the one before is meant.
    """

    family: str
    channel: Channel
    verb: PromotionVerb = PromotionVerb.PROMOTE
    version: str = ""
    expected: str | None = None
    by: str = Field(min_length=1)
    reason: str = ""
    places: tuple[str, ...] = ()


class Assignment(Model):
    """One entry of a channel's history."""

    version: str
    by: str
    approved_by: tuple[str, ...] = ()
    reason: str = ""
    verb: PromotionVerb
    at: datetime


class Proposal(Model):
    """A promotion that waits for approvals."""

    version: str
    by: str
    approved_by: tuple[str, ...] = ()
    reason: str = ""
    at: datetime


class ChannelStatus(Model):
    """Where a channel points, whence it came, and what waits; history is the newest first, at most 100."""

    family: str
    channel: Channel
    version: str = ""
    proposal: Proposal | None = None
    history: tuple[Assignment, ...] = ()


class PromotionReceipt(Model):
    """The answer: moved, waiting for approvals, or refused, and why."""

    moved: bool
    waiting: bool = False
    previous: str = ""
    version: str = ""
    reasons: tuple[str, ...] = ()
