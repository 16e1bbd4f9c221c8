"""Say in words what a plan will do, where it stops, and about how long it takes."""

from datetime import timedelta
from math import ceil

from steadfleet_core.campaign.budget import Limits, limits_of
from steadfleet_core.campaign.plan import Plan, Preview
from steadfleet_core.campaign.policy import PatchSpec, ToleranceMode
from steadfleet_core.model import format_duration

HOST_TIME = timedelta(minutes=2)
"""Assumed for one replacement: boot, checks, drain. Said to be an assumption wherever it shows."""

LONG = timedelta(hours=12)


def preview_of(
    plan: Plan, spec: PatchSpec, problems: tuple[str, ...] = (), host_time: timedelta = HOST_TIME
) -> Preview:
    """Add the boundaries, the warnings and the estimate that a person needs to judge a plan."""
    estimate = estimate_of(plan, spec, host_time)
    return Preview(
        plan=plan,
        digest=plan.digest,
        boundaries=(*_stops(plan, spec), *_floors(plan, spec), *_baking(spec)),
        warnings=_warnings(plan, spec, estimate, host_time),
        problems=problems,
        estimate=estimate,
    )


def estimate_of(plan: Plan, spec: PatchSpec, host_time: timedelta) -> timedelta:
    """Sum over the waves: rounds of `host_time` at the wave's concurrency, then the bake."""
    total = timedelta(0)
    for wave in plan.waves:
        limits = limits_of(spec, plan.zones, wave.hosts)
        total += ceil(wave.hosts / limits.concurrency) * host_time + bake_time(spec, wave.number)
    return total


def bake_time(spec: PatchSpec, wave: int) -> timedelta:
    return spec.bake.first if wave == 1 and spec.bake.first is not None else spec.bake.time


def _stops(plan: Plan, spec: PatchSpec) -> list[str]:
    lines = []
    for wave in plan.waves:
        limits = limits_of(spec, plan.zones, wave.hosts)
        bound = (
            f"never more than {limits.tolerance + 1} failed" if _strict(limits) else "more may fail in flight"
        )
        lines.append(
            f"wave {wave.number} ({_hosts(wave.hosts)}, {limits.concurrency} at once): "
            f"stops at the {_ordinal(limits.tolerance + 1)} failed host; {bound}"
        )
    return lines


def _floors(plan: Plan, spec: PatchSpec) -> list[str]:
    limits = limits_of(spec, plan.zones, plan.hosts)
    spared = {
        zone: max(count - min(limits.zones[zone], limits.overall), 0) for zone, count in plan.zones.items()
    }
    return [
        f"zone {zone}: never below {spared[zone]} of {_hosts(plan.zones[zone])} undisturbed"
        for zone in spared
    ]


def _baking(spec: PatchSpec) -> list[str]:
    first = spec.bake.first
    opening = (
        f"the first wave bakes {format_duration(first)}, each later wave"
        if first is not None
        else "each wave bakes"
    )
    then = {
        True: f"an unhealthy wave is rolled back by itself (scope: {spec.rollback.scope})",
        False: "an unhealthy wave halts the campaign until a person decides",
    }
    return [f"{opening} {format_duration(spec.bake.time)}", then[spec.rollback.automatic]]


def _warnings(plan: Plan, spec: PatchSpec, estimate: timedelta, host_time: timedelta) -> tuple[str, ...]:
    warnings = [f"group {group.name}: {floating}" for group in plan.groups for floating in group.floating]
    narrow = limits_of(spec, plan.zones, plan.waves[-1].hosts).concurrency if plan.waves else 1
    if _strict(limits_of(spec, plan.zones, plan.hosts)) and narrow == 1 and estimate > LONG:
        warnings.append(
            f"strict tolerance of {spec.failure_tolerance.hosts} changes one host after the other: about "
            f"{format_duration(estimate)} in all (assuming {format_duration(host_time)} a host); "
            "raise failureTolerance.hosts, or choose mode: soft"
        )
    return tuple(warnings)


def _strict(limits: Limits) -> bool:
    return limits.mode is ToleranceMode.STRICT


def _hosts(count: int) -> str:
    return "1 host" if count == 1 else f"{count} hosts"


def _ordinal(number: int) -> str:
    if number % 100 in {11, 12, 13}:
        return f"{number}th"
    return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th') }"
