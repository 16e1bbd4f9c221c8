"""Budgets and tolerance hold in whatever order hosts end; and the proof of it can fail."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from fakes.plans import spec_of
from fakes.window_runs import BrokenPromiseError, Run, play, runs
from steadfleet_core.campaign.budget import Limits, Window, limits_of
from steadfleet_core.campaign.policy import ToleranceMode

FLEET = {"a": 24, "b": 9, "c": 1}


def limits(overall: int = 6, per_zone: int = 2, tolerance: int = 9, mode: str = "soft") -> Limits:
    return Limits(
        overall=overall,
        zones={"a": per_zone, "b": per_zone},
        tolerance=tolerance,
        mode=ToleranceMode(mode),
    )


def test_the_overall_budget_is_a_share_of_the_fleet_rounded_up() -> None:
    resolved = limits_of(spec_of(disruptionBudget={"overall": "10%", "perZone": "50%"}), FLEET, 5)

    assert resolved.overall == 4


def test_the_budget_of_a_zone_is_a_share_of_its_hosts_rounded_up() -> None:
    resolved = limits_of(spec_of(disruptionBudget={"overall": "50%", "perZone": "10%"}), FLEET, 5)

    assert resolved.zones == {"a": 3, "b": 1, "c": 1}


def test_the_tolerance_is_a_share_of_the_wave_rounded_down() -> None:
    spec = spec_of(failureTolerance={"hosts": "10%"})

    assert [limits_of(spec, FLEET, hosts).tolerance for hosts in (9, 24, 30)] == [0, 2, 3]


def test_a_tolerance_of_two_is_two_in_every_wave() -> None:
    spec = spec_of(failureTolerance={"hosts": 2})

    assert [limits_of(spec, FLEET, hosts).tolerance for hosts in (1, 24)] == [2, 2]


def test_the_mode_is_the_policys_but_a_restore_is_held_by_the_budgets_alone() -> None:
    spec = spec_of(failureTolerance={"hosts": 1, "mode": "strict"})

    assert limits_of(spec, FLEET, 24).strict
    assert not limits_of(spec, FLEET, 24, restoring=True).strict
    assert limits_of(spec, FLEET, 24, restoring=True).tolerance == 1


def test_a_host_of_a_zone_that_the_plan_does_not_know_never_starts() -> None:
    assert not Window(limits()).admits("z")


def test_a_failed_host_consumes_the_budget_until_it_is_restored() -> None:
    window = Window(limits(per_zone=1))
    window.start("a")
    window.fail("a")
    assert not window.admits("a")
    assert window.admits("b")

    window.restore("a")

    assert window.admits("a")


def test_failed_hosts_of_other_waves_consume_the_budget_too() -> None:
    window = Window(limits(overall=2), unrestored=Counter({"a": 2}))

    assert not window.admits("b")


def test_a_host_that_is_out_already_may_be_worked_on_where_no_other_may_start() -> None:
    window = Window(limits(per_zone=1), unrestored=Counter({"a": 1}))

    assert not window.admits("a")
    assert window.admits("a", already_out=True)


def test_more_ill_hosts_than_the_budget_has_are_restored_as_many_at_once_as_it_has() -> None:
    window = Window(limits(per_zone=2), unrestored=Counter({"a": 10}))
    started = 0
    while window.admits("a", already_out=True):
        window.restore("a")
        window.start("a")
        started += 1

    assert started == 2


@pytest.mark.parametrize(("mode", "at_once"), [("strict", 3), ("soft", 4)])
def test_at_once_is_what_a_healthy_wave_can_have_in_flight(mode: str, at_once: int) -> None:
    wave = {"a": 20, "b": 20}
    bounds = limits(overall=6, per_zone=2, tolerance=2, mode=mode)
    window = Window(bounds)
    for zone in wave:
        while window.admits(zone):
            window.start(zone)

    assert window.in_flight.total() == bounds.at_once(wave) == at_once


def test_at_once_is_no_more_than_the_wave_has_in_each_zone() -> None:
    assert limits(overall=6, per_zone=2).at_once({"a": 1}) == 1


@settings(max_examples=1_000, deadline=None)
@given(runs)
def test_budgets_and_tolerance_hold_in_whatever_order_hosts_end(run: Run) -> None:
    play(Window, run)


class TolerancePlusTwo(Window):
    def _admitted_by_tolerance(self) -> bool:
        return not self.limits.strict or self.in_flight.total() <= self.limits.tolerance - self.failed + 1


class ToleranceNotShrunkByFailures(Window):
    def _admitted_by_tolerance(self) -> bool:
        return not self.limits.strict or self.in_flight.total() < self.limits.tolerance + 1


class ToleranceWithoutItsPlusOne(Window):
    """Too careful: it never starts the first host of a tolerance of 0."""

    def _admitted_by_tolerance(self) -> bool:
        return not self.limits.strict or self.in_flight.total() < self.limits.tolerance - self.failed


class NeverUnhealthy(Window):
    @property
    def healthy(self) -> bool:
        return True


class UnhealthyTooSoon(Window):
    @property
    def healthy(self) -> bool:
        return self.failed < self.limits.tolerance


class Bent(Window):
    """A window whose limits are bent in one way when it admits."""

    def bent(self, zone: str, *, already_out: bool) -> dict[str, Any]:
        raise NotImplementedError

    def admits(self, zone: str, *, already_out: bool = False) -> bool:
        changes = self.bent(zone, already_out=already_out)
        limits = self.limits.model_copy(update={k: v for k, v in changes.items() if k in Limits.model_fields})
        unrestored = changes.get("unrestored", self.unrestored)
        straight = Window(limits, self.failed, self.in_flight, unrestored)
        return straight.admits(zone, already_out=changes.get("already_out", already_out))


class FailedHostsCostNothing(Bent):
    def bent(self, zone: str, *, already_out: bool) -> dict[str, Any]:
        return {"unrestored": Counter()}


class OverallBudgetPlusOne(Bent):
    def bent(self, zone: str, *, already_out: bool) -> dict[str, Any]:
        return {"overall": self.limits.overall + 1}


class ZoneBudgetPlusOne(Bent):
    def bent(self, zone: str, *, already_out: bool) -> dict[str, Any]:
        return {"zones": {zone: self.limits.zones[zone] + 1}}


class NoZones(Bent):
    def bent(self, zone: str, *, already_out: bool) -> dict[str, Any]:
        return {"zones": {zone: self.limits.overall}}


class FailedHostsPayTwice(Bent):
    """More hosts ill than the budget has, and none of them could ever be restored."""

    def bent(self, zone: str, *, already_out: bool) -> dict[str, Any]:
        return {"already_out": False}


class FailedHostsAreFree(Window):
    def admits(self, zone: str, *, already_out: bool = False) -> bool:
        return (already_out and self.healthy) or super().admits(zone, already_out=already_out)


class ForgetsToFreeTheBudget(Window):
    def restore(self, zone: str) -> None:
        pass


class ForgetsLateFailures(Window):
    def fail_late(self, zone: str) -> None:
        self.unrestored[zone] += 1


MUTANTS = [
    TolerancePlusTwo,
    ToleranceNotShrunkByFailures,
    ToleranceWithoutItsPlusOne,
    NeverUnhealthy,
    UnhealthyTooSoon,
    FailedHostsCostNothing,
    OverallBudgetPlusOne,
    ZoneBudgetPlusOne,
    NoZones,
    FailedHostsPayTwice,
    FailedHostsAreFree,
    ForgetsToFreeTheBudget,
    ForgetsLateFailures,
]
"""Wrong windows, planted: each differs from the true one in a single point."""


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_wrong_window_is_caught_by_the_same_events(mutant: type[Window]) -> None:
    @settings(
        max_examples=2_000,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    @given(runs)
    def same_events(run: Run) -> None:
        play(mutant, run)

    with pytest.raises(BrokenPromiseError):
        same_events()
