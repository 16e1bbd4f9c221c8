"""Campaigns as the command line meets them."""

from datetime import UTC, datetime, timedelta

from steadfleet_cli.campaign.reading import Standing
from steadfleet_core.campaign.counts import Counts
from steadfleet_core.campaign.lifecycle import Receipt, State, Verb
from steadfleet_core.campaign.report import Approver, CampaignStatus
from steadfleet_core.campaign.verdict import Verdict
from steadfleet_core.campaign.wave import WaveProgress
from steadfleet_core.fleet import HostFailure

BEGAN = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
PLAN = "sha256:" + "0123456789abcdef" * 4
ORDER = "sha256:" + "f" * 64


def minutes(count: float) -> datetime:
    return BEGAN + timedelta(minutes=count)


def first_wave() -> WaveProgress:
    """Return a wave that was changed in 2 minutes and baked for 3, with one failed host."""
    return WaveProgress(
        number=1,
        counts=Counts(total=4, changed=3, failed=1, restored=1),
        verdict=Verdict.HEALTHY,
        baked=timedelta(minutes=3),
        bake=timedelta(minutes=3),
        started_at=minutes(0),
        changed_at=minutes(2),
        ended_at=minutes(5),
    )


def second_wave() -> WaveProgress:
    """Return a wave that is being changed."""
    return WaveProgress(
        number=2,
        counts=Counts(total=8, changed=2, in_flight=2, untouched=4),
        bake=timedelta(minutes=3),
        started_at=minutes(5),
    )


def receipt(reason: str = "lunch") -> Receipt:
    return Receipt(
        verb=Verb.PAUSE,
        by="bob",
        reason=reason,
        at=minutes(1),
        state=State.RUNNING,
        effect="no new host is started; hosts in flight finish",
    )


def failure(reason: str = "http :8080/healthz answered 500") -> HostFailure:
    return HostFailure(host="i-1", zone="a", wave=1, reason=reason, restored=True)


def status(**changes: object) -> CampaignStatus:
    running = CampaignStatus(
        name="web",
        state=State.RUNNING,
        fleet="web",
        image="ami-2",
        order=ORDER,
        plan=PLAN,
        requested_by="ann",
        counts=first_wave().counts + second_wave().counts,
        waves=(first_wave(), second_wave(), WaveProgress(number=3, counts=Counts(total=12, untouched=12))),
        failures=(failure(),),
        approvals=(Approver(by="bob", plan=PLAN, reason="read it", at=minutes(0)),),
        approvals_needed=1,
        receipts=(receipt(),),
    )
    return running.model_copy(update=changes)


def standing(ended_at: datetime | None = None, **changes: object) -> Standing:
    return Standing(status(**changes), BEGAN, ended_at)
