"""A fleet is cut into widening waves, each spread over the zones."""

from collections import Counter
from itertools import accumulate, pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.plans import hosts_in
from steadfleet_core.campaign.policy import Strategy
from steadfleet_core.campaign.waves import plan_waves, spread
from steadfleet_core.fleet import Host
from steadfleet_core.model import at_least

ZONES = ("a", "b", "c", "d", "e")

percentages = st.integers(1, 1_000).map(lambda tenths: f"{tenths / 10:g}%")
quotas = st.integers(1, 2_500) | percentages


def _steps(hosts: set[int], shares: set[int]) -> list[int | str]:
    return [*sorted(hosts), *(f"{share / 10:g}%" for share in sorted(shares)), "100%"]


steps = st.builds(_steps, st.sets(st.integers(1, 2_500)), st.sets(st.integers(1, 999)))

canaries: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.just({}),
    st.fixed_dictionaries({"steps": steps}),
    st.fixed_dictionaries({"growth": st.just("linear"), "initial": quotas, "increment": quotas}),
    st.fixed_dictionaries(
        {
            "growth": st.just("exponential"),
            "initial": quotas,
            "factor": st.floats(1, 10, exclude_min=True),
        }
    ),
)
strategies = st.one_of(
    st.just({"type": "immediate"}),
    st.fixed_dictionaries({"type": st.just("rolling"), "rolling": st.fixed_dictionaries({"batch": quotas})}),
    st.fixed_dictionaries({"type": st.just("canary"), "canary": canaries}),
).map(Strategy.model_validate)


def _uneven(total: int, cuts: list[float]) -> dict[str, int]:
    ends = [*sorted(round(cut * total) for cut in cuts), total]
    counts = [end - start for start, end in zip([0, *ends], ends, strict=False)]
    return {zone: count for zone, count in zip(ZONES, counts, strict=False) if count}


fleets = st.builds(_uneven, st.integers(1, 2_000), st.lists(st.floats(0, 1), max_size=len(ZONES) - 1)).map(
    hosts_in
)


def canary(**parts: Any) -> Strategy:
    return Strategy.model_validate({"type": "canary", "canary": parts})


def sizes(strategy: Strategy, total: int) -> list[int]:
    return [len(wave) for wave in plan_waves(hosts_in({"a": total}), strategy)]


def reached(strategy: Strategy, total: int) -> list[int]:
    """Return how many hosts are changed after each wave."""
    return list(accumulate(sizes(strategy, total)))


@settings(deadline=None)
@given(fleets, strategies)
def test_every_host_is_in_exactly_one_wave_and_no_wave_is_empty(
    fleet: list[Host], strategy: Strategy
) -> None:
    waves = plan_waves(fleet, strategy)

    assert Counter(host.id for wave in waves for host in wave) == Counter(host.id for host in fleet)
    assert all(waves)


@settings(deadline=None)
@given(fleets, strategies)
def test_the_order_in_which_hosts_were_found_does_not_matter(fleet: list[Host], strategy: Strategy) -> None:
    assert plan_waves(fleet[::-1], strategy) == plan_waves(fleet, strategy)


def spread_bound(zones: Counter[str], zone: str) -> float:
    """Return by how many hosts a stretch may differ from a zone's share: less than one, and rounding."""
    return 1 + zones[zone] / zones.total() * len(zones)


@settings(deadline=None)
@given(fleets, st.integers(0, 2_000), st.integers(0, 2_000))
def test_every_stretch_has_each_zone_in_proportion(fleet: list[Host], one: int, other: int) -> None:
    zones = Counter(host.zone for host in fleet)
    stretch = spread(fleet)[min(one, other) : max(one, other)]
    there = Counter(host.zone for host in stretch)

    for zone, count in zones.items():
        share = len(stretch) * count / len(fleet)
        assert abs(there[zone] - share) <= spread_bound(zones, zone) + 1e-9


def test_hosts_by_id_alone_would_fail_the_same_proof() -> None:
    fleet = hosts_in({"a": 10, "b": 10, "c": 10})
    zones = Counter(host.zone for host in fleet)

    assert Counter(host.zone for host in fleet[:10])["a"] - 10 / 3 > spread_bound(zones, "a")


def test_a_wave_of_three_in_three_even_zones_has_one_host_of_each() -> None:
    waves = plan_waves(hosts_in({"a": 8, "b": 8, "c": 8}), canary(steps=[3, 6, "100%"]))

    assert [Counter(host.zone for host in wave) for wave in waves[:2]] == [Counter("abc")] * 2


def test_a_zone_of_one_host_comes_in_the_middle() -> None:
    ordered = spread(hosts_in({"a": 4, "b": 1}))

    assert [host.zone for host in ordered] == ["a", "a", "b", "a", "a"]


def test_no_hosts_make_no_waves() -> None:
    assert [plan_waves([], canary(growth=growth)) for growth in (None, "linear", "exponential")] == [[]] * 3


def test_the_type_decides_how_the_fleet_is_cut() -> None:
    cuts = {kind: sizes(Strategy.model_validate({"type": kind}), 20) for kind in ("immediate", "rolling")}

    assert cuts == {"immediate": [20], "rolling": [5, 5, 5, 5]}
    assert sizes(canary(), 20) == [1, 4, 5, 10]


def test_a_rolling_batch_is_a_share_of_the_whole_fleet_rounded_up() -> None:
    rolling = Strategy.model_validate({"type": "rolling", "rolling": {"batch": "10%"}})

    assert sizes(rolling, 24) == [3] * 8
    assert sizes(rolling, 25) == [3] * 8 + [1]


def test_a_rolling_batch_may_be_a_number_of_hosts_or_more_than_there_are() -> None:
    def rolling(batch: int) -> Strategy:
        return Strategy.model_validate({"type": "rolling", "rolling": {"batch": batch}})

    assert sizes(rolling(7), 20) == [7, 7, 6]
    assert sizes(rolling(100), 20) == [20]


def test_steps_not_written_are_5_25_50_and_100_percent() -> None:
    assert reached(canary(), 100) == [5, 25, 50, 100]
    assert reached(canary(), 24) == [2, 6, 12, 24]


def test_a_single_host_is_a_single_wave() -> None:
    assert sizes(canary(), 1) == [1]


def test_steps_are_cumulative_hosts_then_shares() -> None:
    assert reached(canary(steps=[1, 10, "25%", "100%"]), 200) == [1, 10, 50, 200]


def test_a_step_that_adds_no_host_is_no_wave() -> None:
    assert reached(canary(steps=[3, "10%", "20%", "100%"]), 24) == [3, 5, 24]
    assert reached(canary(steps=[50, "100%"]), 24) == [24]


@given(steps, st.integers(1, 2_000))
def test_every_wave_ends_at_a_step_rounded_up(written: list[int | str], total: int) -> None:
    ends = reached(canary(steps=written), total)

    assert set(ends) <= {min(at_least(step, total), total) for step in written}
    assert ends[-1] == total


def test_a_linear_canary_begins_with_initial_and_grows_by_increment() -> None:
    assert reached(canary(growth="linear", initial=2, increment="25%"), 24) == [2, 8, 14, 20, 24]


def test_an_exponential_canary_begins_with_initial_and_multiplies_by_factor() -> None:
    assert reached(canary(growth="exponential", initial="2%", factor=3), 100) == [2, 6, 18, 54, 100]


@pytest.mark.parametrize("growth", ["linear", "exponential"])
@pytest.mark.parametrize(("initial", "first"), [(1, 1), ("10%", 3), ("100%", 24)])
def test_the_first_wave_of_a_growing_canary_is_initial(growth: str, initial: int | str, first: int) -> None:
    assert sizes(canary(growth=growth, initial=initial), 24)[0] == first


def test_a_factor_multiplies_exactly_where_floats_lie() -> None:
    assert reached(canary(growth="exponential", initial=10, factor=1.1), 14) == [10, 11, 13, 14]


@given(st.floats(1, 10, exclude_min=True), st.integers(1, 2_000))
def test_waves_of_an_exponential_canary_never_shrink_but_for_the_last(factor: float, total: int) -> None:
    *waves, _last = sizes(canary(growth="exponential", initial=1, factor=factor), total)

    assert all(earlier <= later for earlier, later in pairwise(waves[1:]))
