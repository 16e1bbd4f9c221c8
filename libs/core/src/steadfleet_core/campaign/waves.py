"""Cut a fleet into widening waves.

Shares are of the whole fleet and round up: 10% of 24 hosts is 3, and no wave is empty.
"""

import math
from collections.abc import Iterator
from fractions import Fraction

from steadfleet_core.campaign.policy import CanarySpec, Growth, Strategy, StrategyType
from steadfleet_core.fleet import Host
from steadfleet_core.model import Quota, at_least

DEFAULT_STEPS: tuple[Quota, ...] = ("5%", "25%", "50%", "100%")


def plan_waves(hosts: list[Host], strategy: Strategy) -> list[tuple[Host, ...]]:
    """Put every host into exactly one wave, each wave spread over the zones."""
    if not hosts:
        return []
    ordered = spread(hosts)
    ends = _increasing(_targets(strategy, len(hosts)), len(hosts))
    return [tuple(ordered[start:end]) for start, end in zip([0, *ends], ends, strict=False)]


def spread(hosts: list[Host]) -> list[Host]:
    """Order hosts so that every stretch has each zone in proportion; by id within a zone."""
    zones: dict[str, list[Host]] = {}
    for host in sorted(hosts, key=lambda host: host.id):
        zones.setdefault(host.zone, []).append(host)
    ranked = [
        ((rank + 0.5) / len(members), zone, host)
        for zone, members in zones.items()
        for rank, host in enumerate(members)
    ]
    return [host for _, _, host in sorted(ranked, key=lambda entry: entry[:2])]


def _targets(strategy: Strategy, total: int) -> Iterator[int]:
    """Yield how many hosts are changed after each wave; it may overshoot or repeat."""
    match strategy.type:
        case StrategyType.IMMEDIATE:
            yield total
        case StrategyType.ROLLING:
            batch = at_least(strategy.rolling.batch, total)
            yield from _linear(batch, batch, total)
        case StrategyType.CANARY:
            yield from _canary(strategy.canary, total)


def _canary(canary: CanarySpec, total: int) -> Iterator[int]:
    first = at_least(canary.initial, total)
    match canary.growth:
        case None:
            yield from (at_least(step, total) for step in canary.steps or DEFAULT_STEPS)
        case Growth.LINEAR:
            yield from _linear(first, at_least(canary.increment, total), total)
        case Growth.EXPONENTIAL:
            factor = Fraction(str(canary.factor))  # exact: 10 hosts times 1.1 is 11, not 11.000000000000002
            while first < total:
                yield first
                first = math.ceil(first * factor)
            yield total


def _linear(first: int, increment: int, total: int) -> Iterator[int]:
    yield from range(first, total, increment)
    yield total


def _increasing(targets: Iterator[int], total: int) -> list[int]:
    """Keep the targets that add hosts: steps of 1 and 5% are one wave in a fleet of 10."""
    ends: list[int] = []
    for target in targets:
        if min(target, total) > (ends[-1] if ends else 0):
            ends.append(min(target, total))
    return ends
