"""Three verdicts and isolation, and what they come to. What could not be proven is never green."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from enum import StrEnum

from steadfleet_core.drill.measuring import DataLoss, Observation
from steadfleet_core.model import Model, format_duration


class Verdict(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    NOT_PROVEN = "not proven"


class Judged(Model):
    """A verdict with its reasons: what was measured, or what is missing."""

    verdict: Verdict
    reasons: tuple[str, ...] = ()


class Judgement(Model):
    recovery: Judged
    data: Judged
    cleanup: Judged
    isolation: Judged

    @property
    def overall(self) -> Verdict:
        """Failed where anything failed, else not proven where anything is not."""
        all_ = {one.verdict for one in (self.recovery, self.data, self.cleanup, self.isolation)}
        return next(
            verdict for verdict in (Verdict.FAILED, Verdict.NOT_PROVEN, Verdict.PASSED) if verdict in all_
        )

    @property
    def words(self) -> str:
        """The overall verdict in words: what is known stays said where the rest went wrong."""
        recovered = {self.recovery.verdict, self.data.verdict} == {Verdict.PASSED}
        if recovered and self.cleanup.verdict is Verdict.FAILED:
            return "recovered, not clean"
        if recovered and self.isolation.verdict is Verdict.NOT_PROVEN is self.overall:
            return "recovered, isolation not proven"
        return self.overall.value


def settle(failed: Sequence[str], unproven: Sequence[str], passed: Sequence[str]) -> Judged:
    if failed:
        return Judged(verdict=Verdict.FAILED, reasons=(*failed, *unproven))
    if unproven:
        return Judged(verdict=Verdict.NOT_PROVEN, reasons=tuple(unproven))
    if not passed:
        return Judged(verdict=Verdict.NOT_PROVEN, reasons=("nothing was observed",))
    return Judged(verdict=Verdict.PASSED, reasons=tuple(passed))


def judge_recovery(
    observations: Sequence[Observation],
    expected: Iterable[str],
    rto: timedelta,
    *,
    broken: Sequence[str] = (),
    unproven: Sequence[str] = (),
    path_time: timedelta | None = None,
    cut_short: bool = False,
) -> Judged:
    """
    Hold the recovery time against the RTO.

    A service counts as late when its recovery time is over the RTO, and is not proven where only the
    witness's uncertainty lies between. `broken` are steps and validations that failed. `path_time` is
    what the steps took, for a plan without services: then there is nothing for a witness to see.
    Where the watch was `cut_short`, a service that had not answered might still have done so.
    """
    failed, doubts, good = list(broken), list(unproven), []
    seen = {observation.service: observation for observation in observations}
    for service in expected:
        observation = seen.get(service)
        problem, doubt, met = _recovered(service, observation, rto)
        if cut_short and observation is not None and observation.recovered_at is None:
            problem, doubt = [], [*problem, *doubt]
        failed += problem
        doubts += doubt
        good += met
    if not seen and path_time is not None:
        said = f"the data was up after {_words(path_time)}, RTO {_words(rto)}"
        (failed if path_time > rto else good).append(said)
    return settle(failed, doubts, good)


def _recovered(
    service: str, seen: Observation | None, rto: timedelta
) -> tuple[list[str], list[str], list[str]]:
    if seen is None or not seen.probes:
        return [], [f"{service}: the witness did not probe it"], []
    if seen.recovery_time is None:
        last = seen.stretches[-1].reason if seen.stretches else ""
        return [f"{service} did not answer {seen.successes} times in a row: {last or 'it flapped'}"], [], []
    within = f"± {_words(seen.uncertainty)}"
    said = f"{service} recovered in {_words(seen.recovery_time)} ({within}), RTO {_words(rto)}"
    if seen.recovery_time - seen.uncertainty > rto:
        return [said], [], []
    if seen.recovery_time > rto:
        return [], [f"{said}: nearer to the RTO than the witness can tell"], []
    if seen.longest_gap > 3 * seen.interval:
        blind = f"{service}: the witness was blind for {_words(seen.longest_gap)}"
        return [], [blind], []
    return [], [], [said]


def judge_data(
    losses: Sequence[DataLoss],
    stores: Iterable[str],
    rpo: timedelta,
    *,
    broken: Sequence[str] = (),
    unproven: Sequence[str] = (),
) -> Judged:
    """
    Hold the data loss against the RPO: the age of the oldest acknowledged write that is lost.

    Where the oldest entry of a ledger is lost, the loss is at least what is known; where the ledger was
    silent, it may be older by that time. Both fail or prove nothing, but never pass. Without stores
    there is nothing to lose.
    """
    stores = list(stores)
    failed, doubts = list(broken), list(unproven)
    good = [] if stores else ["no store is in the plan: no data can be lost"]
    known = {loss.store: loss for loss in losses}
    for store in stores:
        problem, doubt, said = _kept(store, known.get(store), rpo)
        failed += problem
        doubts += doubt
        good += said
    return settle(failed, doubts, good)


def _kept(store: str, loss: DataLoss | None, rpo: timedelta) -> tuple[list[str], list[str], list[str]]:
    if loss is None:
        return [], [f"{store} has no ledger: what it lost is not known"], []
    if loss.problem or not loss.acknowledged:
        return [], [f"{store}: {loss.problem or 'its ledger is empty'}"], []
    age = _words(loss.oldest_lost_age)
    said = (
        f"{store} lost {loss.lost} of {loss.acknowledged} acknowledged writes, {age} old, RPO {_words(rpo)}"
    )
    failed = [said] if loss.oldest_lost_age > rpo else []
    if loss.duplicates:
        failed.append(f"{store} has {loss.duplicates} writes more than once")
    if failed:
        return failed, [], []
    if loss.lost and loss.oldest_lost_age >= loss.covered:
        return [], [f"{said}: at least, as nothing older than that was acknowledged"], []
    if loss.oldest_lost_age + loss.uncertainty > rpo:
        silent = f"the ledger was silent for {_words(loss.uncertainty)} before, and says nothing of then"
        return [], [f"{said}: {silent}"], []
    return [], [], [said]


def judge_cleanup(residue: Sequence[str], removed: int, problems: Sequence[str] = ()) -> Judged:
    left = [f"left behind: {one}" for one in residue]
    return settle([*left, *problems], [], [f"{removed} things were removed, nothing is left"])


def judge_isolation(probed: Sequence[str], reached: Sequence[str], problem: str, *, enforced: bool) -> Judged:
    """Judge the probes: a way to production fails the drill where isolation is enforced."""
    leaks = [f"production is reached from inside: {address}" for address in reached]
    if leaks:
        return settle(leaks, [], []) if enforced else settle([], leaks, [])
    if problem or not probed:
        return settle([], [f"isolation: not proven: {problem or 'there was nothing to probe from'}"], [])
    return settle([], [], [f"{len(probed)} ways to production were tried from inside: none is open"])


def _words(time: timedelta) -> str:
    """Write a duration to a tenth of a second."""
    return format_duration(timedelta(seconds=round(time.total_seconds(), 1)))
