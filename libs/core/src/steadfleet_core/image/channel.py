"""Channels: named pointers to versions, how they move, and what must hold before they do. Pure."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from pydantic import Field

from steadfleet_core.image.golden import Channel
from steadfleet_core.image.order import Platform
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
    platform: Platform = Platform.AWS
    places: tuple[str, ...] = ()


class Assignment(Model):
    """One entry of a channel's history; `by` asked for it, and it was verified at `places`."""

    version: str
    platform: Platform = Platform.AWS
    places: tuple[str, ...] = ()
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


RULES: Mapping[Channel, ChannelRule] = {
    Channel.DEV: ChannelRule(),
    Channel.STAGING: ChannelRule(demands=(Demand.SIGNATURE,)),
    Channel.PROD: ChannelRule(demands=tuple(Demand), approvals=1),
}
"""What each channel wants. They are not the contract's to loosen: who builds is not who judges."""

MOST_HISTORY = 100


def target_of(status: ChannelStatus, promotion: Promotion) -> str:
    """Return the version that is meant: a rollback's is the one that the channel stood at before."""
    if promotion.verb is PromotionVerb.PROMOTE:
        return promotion.version
    before = _before(status)
    return before.version if before else ""


def located(status: ChannelStatus, promotion: Promotion) -> Promotion:
    """Complete a rollback by where the version before was verified, unless it says itself."""
    before = _before(status)
    if promotion.verb is PromotionVerb.PROMOTE or promotion.places or before is None:
        return promotion
    return promotion.model_copy(update={"platform": before.platform, "places": before.places})


def _before(status: ChannelStatus) -> Assignment | None:
    return next((one for one in status.history if one.version != status.version), None)


def objection(status: ChannelStatus, promotion: Promotion) -> str | None:
    """Say why the channel may not be moved so, whatever the image is; None if it may."""
    here = f"channel {status.channel} of {status.family}"
    stands = status.version or "nothing"
    if promotion.expected is not None and promotion.expected != status.version:
        return (
            f"{here} stands at {stands}, expected {promotion.expected or 'nothing'}: somebody moved it; "
            "look again, and say what you expect now"
        )
    target = target_of(status, promotion)
    if promotion.verb is PromotionVerb.ROLL_BACK:
        return None if target else f"{here} has stood at nothing before {stands}: there is no way back"
    if status.version and precedence(target) < precedence(status.version):
        return f"{here} stands at {stands}, which is newer than {target}: roll back to go back"
    return None


def assign(
    status: ChannelStatus, promotion: Promotion, approved_by: tuple[str, ...], at: datetime
) -> ChannelStatus:
    """Move the channel, and remember who asked for it: who approved it is another."""
    asked = status.proposal if approved_by else None
    entry = Assignment(
        version=target_of(status, promotion),
        platform=promotion.platform,
        places=promotion.places,
        by=asked.by if asked else promotion.by,
        approved_by=approved_by,
        reason=asked.reason if asked else promotion.reason,
        verb=promotion.verb,
        at=at,
    )
    history = (entry, *status.history)[:MOST_HISTORY]
    return status.model_copy(update={"version": entry.version, "proposal": None, "history": history})


def consider(status: ChannelStatus, promotion: Promotion, at: datetime) -> ChannelStatus:
    """Take an order that needs approvals: a proposal, or the approval of the same one by another person."""
    pending = status.proposal
    if pending is None or pending.version != promotion.version:
        pending = Proposal(version=promotion.version, by=promotion.by, reason=promotion.reason, at=at)
    elif promotion.by not in (pending.by, *pending.approved_by):
        pending = pending.model_copy(update={"approved_by": (*pending.approved_by, promotion.by)})
    return status.model_copy(update={"proposal": pending})


def precedence(version: str) -> tuple[tuple[int, ...], bool, tuple[tuple[bool, int, str], ...]]:
    """Order versions as semver.org's point 11 does: a pre-release comes before its release."""
    numbers, _, pre = version.partition("-")
    parts = tuple(
        (not one.isdecimal(), int(one) if one.isdecimal() else 0, one) for one in pre.split(".") if one
    )
    return tuple(int(number) for number in numbers.split(".")), not pre, parts
