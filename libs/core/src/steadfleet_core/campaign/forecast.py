"""Say in words what a plan will do, where it stops, and about how long it takes."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import groupby
from math import ceil

from steadfleet_core.campaign.budget import Limits, limits_of
from steadfleet_core.campaign.plan import SHARD, Plan, PlannedWave, Preview
from steadfleet_core.campaign.policy import PatchSpec, ToleranceMode
from steadfleet_core.model import format_duration

HOST_TIME = timedelta(minutes=2)
"""Assumed for one replacement: boot, checks, drain. Said to be an assumption wherever it shows."""

LONG = timedelta(hours=12)

MOST_WAVES = 1_000
"""Waves of one campaign: its plan and its status, which list them, then stay far below 2 MB."""


def preview_of(
    plan: Plan, spec: PatchSpec, problems: tuple[str, ...] = (), host_time: timedelta = HOST_TIME
) -> Preview:
    """Add the boundaries, the warnings and the estimate that a person needs to judge a plan."""
    estimate = estimate_of(plan, spec, host_time)
    return Preview(
        plan=plan,
        digest=plan.digest,
        boundaries=(*_stops(plan, spec), *_floors(plan, spec), *_baking(spec), _lasts(estimate, host_time)),
        warnings=(*_floating(plan), *_blunt(plan, spec), *_slow(plan, spec, estimate, host_time)),
        problems=(*problems, *_too_many_waves(plan)),
        estimate=estimate,
    )


def estimate_of(plan: Plan, spec: PatchSpec, host_time: timedelta) -> timedelta:
    """Sum over the waves: rounds of `host_time`, with as many hosts at once as may be, then the bake."""
    rounds = sum(_rounds(limits_of(spec, plan.zones, wave.hosts), wave) for wave in plan.waves)
    return rounds * host_time + sum((bake_time(spec, wave.number) for wave in plan.waves), timedelta(0))


def bake_time(spec: PatchSpec, wave: int) -> timedelta:
    return spec.bake.first if wave == 1 and spec.bake.first is not None else spec.bake.time


def _at_once(limits: Limits, wave: PlannedWave) -> int:
    return min(limits.at_once(wave.zones), SHARD)  # shards run one after another


def _rounds(limits: Limits, wave: PlannedWave) -> int:
    """Count the rounds of a wave: its fullest zone, or all of it, whichever takes longer."""
    by_zone = (ceil(count / limits.zones[zone]) for zone, count in wave.zones.items())
    return max(ceil(wave.hosts / _at_once(limits, wave)), *by_zone)


def _stops(plan: Plan, spec: PatchSpec) -> Iterator[str]:
    """Say of each wave where it stops; neighbours that are alike share a line."""
    told = [(_stop(limits_of(spec, plan.zones, wave.hosts), wave), wave) for wave in plan.waves]
    for (hosts, at_once, stop), alike in groupby(told, key=lambda pair: pair[0]):
        first, *others = [wave.number for _, wave in alike]
        if not others:
            yield f"wave {first} ({hosts}, {at_once} at once): {stop}"
        else:
            through = f"to {others[-1]}" if len(others) > 1 else f"and {others[0]}"
            yield f"waves {first} {through} ({hosts} each, {at_once} at once): {stop}"


def _stop(limits: Limits, wave: PlannedWave) -> tuple[str, int, str]:
    hosts, at_once = _hosts(wave.hosts), _at_once(limits, wave)
    if limits.tolerance >= wave.hosts:
        return hosts, at_once, f"never stops; all of it may fail within the tolerance of {limits.tolerance}"
    stop = f"stops at the {_ordinal(limits.tolerance + 1)} failed host"
    most = min(limits.tolerance + (1 if limits.strict else at_once), wave.hosts)
    if most == limits.tolerance + 1:
        return hosts, at_once, f"{stop}; no more can fail"
    return hosts, at_once, f"{stop}; with those then in flight up to {most} can fail"


def _floors(plan: Plan, spec: PatchSpec) -> Iterator[str]:
    limits = limits_of(spec, plan.zones, plan.hosts)
    for zone, count in plan.zones.items():
        disturbed = min(limits.zones[zone], limits.overall, count)
        yield f"zone {zone}: never below {count - disturbed} of {_hosts(count)} undisturbed by changes"


def _baking(spec: PatchSpec) -> Iterator[str]:
    time, first = format_duration(spec.bake.time), spec.bake.first
    bakes = (
        f"each wave bakes {time}"
        if first is None
        else f"the first wave bakes {format_duration(first)}, each later one {time}"
    )
    yield f"{bakes}; hosts that fall ill in a bake count as failed, and may exceed these limits"
    if spec.rollback.automatic:
        yield f"an unhealthy wave is rolled back by itself (scope: {spec.rollback.scope})"
    else:
        yield "an unhealthy wave halts the campaign until a person decides"


def _lasts(estimate: timedelta, host_time: timedelta) -> str:
    return f"about {format_duration(estimate)} in all, assuming {format_duration(host_time)} a host"


def _floating(plan: Plan) -> Iterator[str]:
    for group in plan.groups:
        yield from (f"group {group.name}: {floating}" for floating in group.floating)


def _blunt(plan: Plan, spec: PatchSpec) -> Iterator[str]:
    """Warn of waves that no failed host can stop: a canary like that guards nothing."""
    blunt = [wave for wave in plan.waves if limits_of(spec, plan.zones, wave.hosts).tolerance >= wave.hosts]
    if blunt:
        names = ", ".join(f"{wave.number} ({_hosts(wave.hosts)})" for wave in blunt[:5])
        yield (
            f"failureTolerance.hosts: {spec.failure_tolerance.hosts} lets every host of wave {names} fail "
            "without stopping; lower it, or write a share, which is of each wave"
        )


def _slow(plan: Plan, spec: PatchSpec, estimate: timedelta, host_time: timedelta) -> Iterator[str]:
    """Warn where STRICT, not the budget or the bake, makes the campaign absurdly long."""
    soft = spec.failure_tolerance.model_copy(update={"mode": ToleranceMode.SOFT})
    otherwise = estimate_of(plan, spec.model_copy(update={"failure_tolerance": soft}), host_time)
    if estimate > LONG and estimate > 2 * otherwise:
        yield (
            f"strict tolerance of {spec.failure_tolerance.hosts} makes this {format_duration(estimate)} "
            f"long; the budget alone would allow {format_duration(otherwise)} (assuming "
            f"{format_duration(host_time)} a host); raise failureTolerance.hosts, or choose mode: soft"
        )


def _too_many_waves(plan: Plan) -> Iterator[str]:
    if len(plan.waves) > MOST_WAVES:
        yield f"{len(plan.waves)} waves: expected at most {MOST_WAVES}; let spec.strategy take larger steps"


def _hosts(count: int) -> str:
    return "1 host" if count == 1 else f"{count} hosts"


def _ordinal(number: int) -> str:
    if number % 100 in {11, 12, 13}:
        return f"{number}th"
    return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th') }"
