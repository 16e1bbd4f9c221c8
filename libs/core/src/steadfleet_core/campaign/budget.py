"""How many hosts may be out of service at once, and how many may fail.

A failed host consumes the disruption budget until it is restored. Under STRICT tolerance the
hosts in flight never exceed `tolerance - failed + 1`, so that failures never exceed
`tolerance + 1` whatever the order of events (the semantic of CloudFormation StackSets' strict
failure tolerance). SOFT lets every host that the budget admits be in flight.
"""

from collections import Counter
from dataclasses import dataclass, field

from steadfleet_core.campaign.policy import PatchSpec, ToleranceMode
from steadfleet_core.model import Model, at_least, at_most


class Limits(Model):
    """A policy's shares resolved to numbers of hosts for one wave."""

    overall: int
    zones: dict[str, int]
    tolerance: int
    mode: ToleranceMode

    @property
    def strict(self) -> bool:
        return self.mode is ToleranceMode.STRICT

    def at_once(self, zones: dict[str, int]) -> int:
        """Return the most hosts of a wave, counted by zone, that can be in flight while none has failed."""
        most = min(self.overall, sum(min(self.zones[zone], count) for zone, count in zones.items()))
        return min(most, self.tolerance + 1) if self.strict else most


def limits_of(spec: PatchSpec, zones: dict[str, int], wave_hosts: int, *, restoring: bool = False) -> Limits:
    """Resolve shares: budgets of the whole fleet (up), tolerance of the wave (down).

    A restore is bounded by the budgets alone while it goes well: a fleet on a bad image must not
    wait one host after the other. It stops at the first host beyond the tolerance that is lost.
    """
    budget = spec.disruption_budget
    return Limits(
        overall=at_least(budget.overall, sum(zones.values())),
        zones={zone: at_least(budget.per_zone, count) for zone, count in zones.items()},
        tolerance=at_most(spec.failure_tolerance.hosts, wave_hosts),
        mode=ToleranceMode.SOFT if restoring else spec.failure_tolerance.mode,
    )


@dataclass
class Window:
    """What is in flight, failed and out of service in one wave; decides who may start."""

    limits: Limits
    failed: int = 0
    in_flight: Counter[str] = field(default_factory=Counter)
    unrestored: Counter[str] = field(default_factory=Counter)

    def admits(self, zone: str, *, already_out: bool = False) -> bool:
        """Say whether a host of this zone may start.

        One that is out of service already is held back only by the hosts in flight: a bake may have
        left more of them out than the budget has, and those could otherwise never be restored.
        """
        out = [self.in_flight] if already_out else [self.in_flight, self.unrestored]
        return (
            self.healthy
            and self._admitted_by_tolerance()
            and sum(hosts[zone] for hosts in out) < self.limits.zones.get(zone, 0)
            and sum(hosts.total() for hosts in out) < self.limits.overall
        )

    @property
    def healthy(self) -> bool:
        return self.failed <= self.limits.tolerance

    def start(self, zone: str) -> None:
        self.in_flight[zone] += 1

    def succeed(self, zone: str) -> None:
        self.in_flight[zone] -= 1

    def fail(self, zone: str) -> None:
        self.in_flight[zone] -= 1
        self.failed += 1
        self.unrestored[zone] += 1

    def fail_late(self, zone: str) -> None:
        """Count a host that fell ill after its change, in the bake."""
        self.failed += 1
        self.unrestored[zone] += 1

    def restore(self, zone: str) -> None:
        self.unrestored[zone] -= 1

    def _admitted_by_tolerance(self) -> bool:
        return not self.limits.strict or self.in_flight.total() < self.limits.tolerance - self.failed + 1
