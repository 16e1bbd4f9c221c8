"""What `plan` says before anything is touched: where it stops, what it leaves alone, how long it takes."""

from datetime import timedelta
from typing import Any

import pytest

from fakes.plans import plan_of, spec_of
from steadfleet_core.campaign.forecast import (
    HOST_TIME,
    MOST_WAVES,
    _ordinal,
    bake_time,
    estimate_of,
    preview_of,
)
from steadfleet_core.campaign.plan import Preview
from steadfleet_core.model import canonical

CANARY = {"type": "canary", "canary": {"steps": [10, "25%", "50%", "100%"]}}


def preview(zones: dict[str, int], *floating: str, **spec: Any) -> Preview:
    plan, _ = plan_of(zones, *floating, **spec)
    return preview_of(plan, spec_of(**spec))


def minutes(zones: dict[str, int], **spec: Any) -> float:
    plan, _ = plan_of(zones, **spec)
    return estimate_of(plan, spec_of(**spec), HOST_TIME) / timedelta(minutes=1)


def test_a_strict_canary_is_told_in_words() -> None:
    bounds = preview(
        {"a": 20, "b": 20, "c": 20},
        strategy=CANARY,
        failureTolerance={"hosts": 2},
        bake={"time": "10m", "first": "30m"},
    ).boundaries

    assert bounds == (
        "wave 1 (10 hosts, 3 at once): stops at the 3rd failed host; no more can fail",
        "wave 2 (5 hosts, 3 at once): stops at the 3rd failed host; no more can fail",
        "wave 3 (15 hosts, 3 at once): stops at the 3rd failed host; no more can fail",
        "wave 4 (30 hosts, 3 at once): stops at the 3rd failed host; no more can fail",
        "zone a: never below 18 of 20 hosts undisturbed by changes",
        "zone b: never below 18 of 20 hosts undisturbed by changes",
        "zone c: never below 18 of 20 hosts undisturbed by changes",
        (
            "the first wave bakes 30m, each later one 10m; hosts that fall ill in a bake count as failed, "
            "and may exceed these limits"
        ),
        "an unhealthy wave is rolled back by itself (scope: wave)",
        "about 1h42m in all, assuming 2m a host",
    )


def test_a_soft_rolling_campaign_without_automatic_rollback_is_told_in_words() -> None:
    bounds = preview(
        {"a": 20, "b": 20},
        strategy={"type": "rolling", "rolling": {"batch": "25%"}},
        failureTolerance={"hosts": "10%", "mode": "soft"},
        disruptionBudget={"overall": 6, "perZone": 2},
        rollback={"automatic": False},
    ).boundaries

    assert bounds == (
        (
            "waves 1 to 4 (10 hosts each, 4 at once): stops at the 2nd failed host; "
            "with those then in flight up to 5 can fail"
        ),
        "zone a: never below 18 of 20 hosts undisturbed by changes",
        "zone b: never below 18 of 20 hosts undisturbed by changes",
        "each wave bakes 5m; hosts that fall ill in a bake count as failed, and may exceed these limits",
        "an unhealthy wave halts the campaign until a person decides",
        "about 44m in all, assuming 2m a host",
    )


def test_two_waves_alike_are_told_as_two() -> None:
    bounds = preview({"a": 10}, strategy={"type": "rolling", "rolling": {"batch": "50%"}}).boundaries

    assert bounds[0] == (
        "waves 1 and 2 (5 hosts each, 1 at once): stops at the 1st failed host; no more can fail"
    )


def test_a_wave_that_no_failure_can_stop_is_said_and_warned_of() -> None:
    told = preview({"a": 30}, failureTolerance={"hosts": 2})

    assert told.boundaries[0] == (
        "wave 1 (2 hosts, 2 at once): never stops; all of it may fail within the tolerance of 2"
    )
    assert told.warnings == (
        (
            "failureTolerance.hosts: 2 lets every host of wave 1 (2 hosts) fail without stopping; "
            "lower it, or write a share, which is of each wave"
        ),
    )


def test_a_zone_is_never_promised_fewer_than_no_hosts() -> None:
    bounds = preview({"a": 3, "b": 1}, disruptionBudget={"overall": 9, "perZone": 9}).boundaries

    assert "zone a: never below 0 of 3 hosts undisturbed by changes" in bounds
    assert "zone b: never below 0 of 1 host undisturbed by changes" in bounds


def test_a_budget_of_the_whole_fleet_spares_a_zone_that_its_own_would_not() -> None:
    bounds = preview({"a": 20}, disruptionBudget={"overall": 1, "perZone": "50%"}).boundaries

    assert "zone a: never below 19 of 20 hosts undisturbed by changes" in bounds


def test_a_scope_of_the_campaign_is_said() -> None:
    bounds = preview({"a": 3}, rollback={"scope": "campaign"}).boundaries

    assert "an unhealthy wave is rolled back by itself (scope: campaign)" in bounds


def test_the_first_wave_bakes_as_long_as_the_policy_says_and_the_others_as_they_do() -> None:
    spec = spec_of(bake={"time": "10m", "first": "30m"})

    assert [bake_time(spec, wave) for wave in (1, 2, 3)] == [timedelta(minutes=m) for m in (30, 10, 10)]


def test_every_wave_bakes_alike_where_no_first_is_written() -> None:
    spec = spec_of(bake={"time": "10m"})

    assert [bake_time(spec, wave) for wave in (1, 2)] == [timedelta(minutes=10)] * 2


def test_a_first_bake_of_no_time_is_none_and_not_the_others() -> None:
    assert bake_time(spec_of(bake={"time": "10m", "first": "0s"}), 1) == timedelta(0)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, 80),  # strict tolerance of 0: one host after the other
        ({"failureTolerance": {"hosts": 3}}, 20),  # four at once
        ({"failureTolerance": {"mode": "soft"}}, 20),  # the budget of 4
        ({"failureTolerance": {"mode": "soft"}, "disruptionBudget": {"perZone": 1}}, 60),  # zone a alone
        ({"bake": {"time": "1h"}}, 140),
    ],
)
def test_the_estimate_counts_rounds_of_as_many_hosts_as_may_be_in_flight(
    spec: dict[str, Any], expected: int
) -> None:
    whole = {"strategy": {"type": "immediate"}, "bake": {"time": "0s"}}

    assert minutes({"a": 30, "b": 10}, **{**whole, **spec}) == expected


def test_the_estimate_knows_that_shards_run_one_after_another() -> None:
    spec = {"strategy": {"type": "immediate"}, "bake": {"time": "0s"}, "failureTolerance": {"mode": "soft"}}

    assert minutes({"a": 1_000}, disruptionBudget={"overall": 1_000, "perZone": 1_000}, **spec) == 4


def test_strict_tolerance_that_makes_a_campaign_absurdly_long_is_warned_of() -> None:
    (warning,) = preview({"a": 2_000, "b": 2_000}).warnings

    assert warning == (
        "strict tolerance of 0 makes this 5d13h40m long; the budget alone would allow 42m (assuming "
        "2m a host); raise failureTolerance.hosts, or choose mode: soft"
    )


@pytest.mark.parametrize(
    ("zones", "spec"),
    [
        ({"a": 60}, {}),
        ({"a": 4_000}, {"failureTolerance": {"mode": "soft"}}),
        ({"a": 60}, {"bake": {"time": "2d"}}),
        ({"a": 4_000}, {"disruptionBudget": {"overall": 1}}),
    ],
    ids=["short", "soft", "long only by its bakes", "no longer than the budget makes it"],
)
def test_nobody_is_warned_of_a_length_that_strict_tolerance_does_not_make(
    zones: dict[str, int], spec: dict[str, Any]
) -> None:
    assert preview(zones, **spec).warnings == ()


def test_a_before_that_floats_is_warned_of_by_group() -> None:
    told = preview({"a": 3}, "its template version is $Latest", "its image is a parameter")

    assert told.warnings == (
        "group web: its template version is $Latest",
        "group web: its image is a parameter",
    )


def test_a_plan_of_too_many_waves_is_a_problem() -> None:
    strategy = {"type": "rolling", "rolling": {"batch": 1}}

    assert preview({"a": MOST_WAVES}, strategy=strategy).problems == ()
    assert preview({"a": MOST_WAVES + 1}, strategy=strategy).problems == (
        "1001 waves: expected at most 1000; let spec.strategy take larger steps",
    )


def test_a_preview_of_the_most_waves_fits_a_payload() -> None:
    told = preview({"a": MOST_WAVES}, strategy={"type": "rolling", "rolling": {"batch": 1}})

    assert len(canonical(told)) < 1_000_000
    assert told.boundaries[0].startswith("waves 1 to 1000 (1 host each, 1 at once)")


def test_problems_found_elsewhere_come_first_and_stay() -> None:
    plan, _ = plan_of({"a": 3})

    assert preview_of(plan, spec_of(), ("i-1 is ill",)).problems == ("i-1 is ill",)


def test_the_preview_is_known_by_its_plans_digest() -> None:
    plan, _ = plan_of({"a": 3})

    assert preview_of(plan, spec_of()).digest == plan.digest


@pytest.mark.parametrize(
    ("number", "word"),
    [
        (1, "1st"),
        (2, "2nd"),
        (3, "3rd"),
        (4, "4th"),
        (11, "11th"),
        (12, "12th"),
        (21, "21st"),
        (113, "113th"),
    ],
)
def test_ordinals_read_as_in_speech(number: int, word: str) -> None:
    assert _ordinal(number) == word
