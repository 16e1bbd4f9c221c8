"""What a campaign remembers: all of it goes along when it continues as new."""

from datetime import datetime, timedelta

from pydantic import BaseModel

from steadfleet_core.campaign.counts import Counts, tally
from steadfleet_core.campaign.lifecycle import Receipt
from steadfleet_core.campaign.plan import CampaignOrder, Plan, PlannedWave
from steadfleet_core.campaign.report import Approver
from steadfleet_core.campaign.verdict import Verdict
from steadfleet_core.campaign.wave import MOST_FAILURES, Direction, WaveProgress, WaveReport
from steadfleet_core.fleet import HostFailure, HostState

MOST_RECEIPTS = 100
MOST_WARNINGS = 100


class Book(BaseModel):
    """The one mutable record of a campaign; nothing in it needs a clock or the world.

    `lease` is the term of the lease that is held, if one is.
    """

    run: str
    started_at: datetime
    plan: Plan | None = None
    approved: bool = False
    holding: bool = False
    lease: timedelta | None = None
    reports: dict[int, WaveReport] = {}
    attempts: dict[int, int] = {}
    approvals: list[Approver] = []
    receipts: list[Receipt] = []
    warnings: list[str] = []
    obligations: list[str] = []
    failures: list[HostFailure] = []

    def note(self, receipt: Receipt) -> None:
        self.receipts = [*self.receipts, receipt][-MOST_RECEIPTS:]

    def warn(self, *warnings: str) -> None:
        self.warnings = list(dict.fromkeys([*self.warnings, *warnings]))[-MOST_WARNINGS:]

    def take_in(self, report: WaveReport) -> None:
        """Keep how a wave ended.

        A retry keeps count of the hosts that failed before it; a restore keeps the verdict and the
        failures of the change before it.
        """
        number = report.progress.number
        before = self.reports.get(number)
        restoring = report.progress.direction is Direction.RESTORE
        if before is not None:
            report = _joined(before, report) if restoring else _retried(before, report)
        if restoring and _all_accounted_for(report):
            self.failures = [_healed(failure, number) for failure in self.failures]
        self.failures = _latest([*self.failures, *report.failures])
        self.reports = {**self.reports, number: report}
        self._owe(report)

    def failed_before(self, number: int) -> int:
        """Count the failures of a wave that is watched again; one that a person retries begins anew."""
        before = self.reports.get(number)
        return before.progress.counts.failed if before and before.verdict is Verdict.INCONCLUSIVE else 0

    def lose_sight(self, wave: PlannedWave) -> None:
        """Take the hosts of a wave whose workflow broke off as failed: any of them may have been touched."""
        before = self.reports.get(wave.number)
        states = before.states if before else tuple(HostState.UNTOUCHED * size for size in wave.sizes)
        states = tuple(shard.replace(HostState.UNTOUCHED, HostState.FAILED) for shard in states)
        failed = before.progress.counts.failed if before else 0
        progress = WaveProgress(number=wave.number, counts=tally(states, failed=failed))
        report = WaveReport(progress=progress, states=states, reason="its workflow broke off")
        self.reports = {**self.reports, wave.number: report}

    def owe_failed(self) -> None:
        """Name, at the end, the hosts that nobody restored."""
        for number, report in self.reports.items():
            count = report.letters(HostState.FAILED)
            hosts = [one.host for one in self.failures if one.wave == number and not one.restored]
            look = f": look at {', '.join(sorted(hosts)[:5])}" if hosts else ""
            if count:
                self.obligations = [*self.obligations, f"wave {number}: {count} not restored{look}"]

    def unrestored(self, besides: int) -> dict[str, int]:
        """Count by zone the failed hosts of the other waves: they consume the budget still."""
        zones: dict[str, int] = {}
        for number, report in self.reports.items():
            for zone, count in report.unrestored.items() if number != besides else ():
                zones[zone] = zones.get(zone, 0) + count
        return zones

    def _owe(self, report: WaveReport) -> None:
        """Name the hosts that a person must look at, in place of what was said of this wave before."""
        wave = f"wave {report.progress.number}: "
        self.obligations = [owed for owed in self.obligations if not owed.startswith(wave)]
        count = report.letters(HostState.LOST)
        if count:
            lost = sorted({failure.host for failure in report.failures if not failure.restored})
            self.obligations.append(f"{wave}{count} lost: look at {', '.join(lost[:5])}")


class ContinuedOrder(CampaignOrder):
    """An order under way: what the run before it remembered comes along."""

    book: Book


def _joined(change: WaveReport, restore: WaveReport) -> WaveReport:
    states = tuple(merged(old, new) for old, new in zip(change.states, restore.states, strict=True))
    counts = tally(states, failed=change.progress.counts.failed)
    progress = change.progress.model_copy(update={"counts": counts, "ended_at": restore.progress.ended_at})
    return restore.model_copy(
        update={"progress": progress, "states": states, "reason": change.reason or restore.reason}
    )


def _retried(first: WaveReport, again: WaveReport) -> WaveReport:
    pairs = zip("".join(first.states), "".join(again.states), strict=True)
    if first.verdict is Verdict.INCONCLUSIVE:  # watched again: it counted on from there
        return again
    twice = sum(old == HostState.FAILED and new in _FAILED_AGAIN for old, new in pairs)
    failed = first.progress.counts.failed + again.progress.counts.failed - twice
    counts = again.progress.counts.model_copy(update={"failed": failed})
    return again.model_copy(update={"progress": again.progress.model_copy(update={"counts": counts})})


_FAILED_AGAIN = {HostState.FAILED, HostState.RESTORED, HostState.LOST}


def _all_accounted_for(restore: WaveReport) -> bool:
    """Say whether every host that failed is restored, or told of as lost by the restore itself."""
    told = sum(not failure.restored for failure in restore.failures)
    ended = restore.letters(HostState.RESTORED) + restore.letters(HostState.LOST)
    return (
        restore.letters(HostState.FAILED) == 0
        and restore.letters(HostState.LOST) == told
        and ended >= restore.progress.counts.failed
    )


def _healed(failure: HostFailure, wave: int) -> HostFailure:
    return failure.model_copy(update={"restored": True}) if failure.wave == wave else failure


def masked(states: str, kept: set[HostState]) -> str:
    """Blank out all hosts but those in the kept states, so that nothing is done to the others."""
    return "".join(letter if letter in kept else HostState.UNTOUCHED for letter in states)


def merged(before: str, after: str) -> str:
    """Take each host's newer letter; one that was left alone keeps its older one."""
    pairs = zip(before, after, strict=True)
    return "".join(old if new == HostState.UNTOUCHED else new for old, new in pairs)


def _latest(failures: list[HostFailure]) -> list[HostFailure]:
    return list({failure.host: failure for failure in failures}.values())[:MOST_FAILURES]


def waves_of(book: Book) -> dict[int, WaveProgress]:
    """Return every wave of the plan as it stands; those to come have untouched hosts only."""
    waves = book.plan.waves if book.plan else ()
    to_come = {
        wave.number: WaveProgress(number=wave.number, counts=Counts(total=wave.hosts, untouched=wave.hosts))
        for wave in waves
    }
    return {**to_come, **{number: report.progress for number, report in book.reports.items()}}
