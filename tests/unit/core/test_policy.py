"""What a PatchPolicy may say, and what it may demand of this release."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from steadfleet_core.campaign.demands import refuse_order
from steadfleet_core.campaign.plan import CampaignOrder
from steadfleet_core.campaign.policy import (
    Approval,
    Bake,
    CanarySpec,
    DisruptionBudget,
    FailureTolerance,
    HealthChecks,
    ImageSpec,
    PatchPolicy,
    Selector,
    Strategy,
    ToleranceMode,
)
from steadfleet_core.errors import RefusedError
from steadfleet_core.model import canonical

PROVEN = {"proven": True, "keys": {"ana": "pem"}}
CHECK = {"type": "tcp", "port": 8080}


def policy(**spec: Any) -> PatchPolicy:
    parts = {
        "fleet": {"name": "web", "selector": {"groups": ["web"]}},
        "image": {"family": "web", "version": "2.0.0"},
        "strategy": {"type": "canary"},
        "healthChecks": {"checks": [CHECK]},
    }
    header = {"apiVersion": "steadfleet.dev/v1", "kind": "PatchPolicy", "metadata": {"name": "web"}}
    return PatchPolicy.model_validate({**header, "spec": {**parts, **spec}})


def test_what_is_not_written_is_careful() -> None:
    spec = policy().spec

    assert spec.approval.required
    assert spec.rollback.automatic
    assert spec.failure_tolerance == FailureTolerance(hosts=0, mode=ToleranceMode.STRICT)
    assert spec.disruption_budget == DisruptionBudget(overall="10%", per_zone="10%")


@pytest.mark.parametrize("steps", [["100%"], [1, "25%", "100%"], [1, 5, "100.0%"], ["0.5%", "100%"]])
def test_steps_ascend_to_all(steps: list[int | str]) -> None:
    assert CanarySpec.model_validate({"steps": steps}).steps == tuple(steps)


@pytest.mark.parametrize(
    "steps",
    [
        ["50%", "25%", "100%"],
        ["25%", "50%"],
        ["25%", "25%", "100%"],
        [5, 1, "100%"],
        ["5%", 10, "100%"],
        [100],
    ],
)
def test_steps_that_do_not_ascend_to_all_are_refused(steps: list[int | str]) -> None:
    with pytest.raises(ValidationError, match="steps must ascend and end at 100%"):
        CanarySpec.model_validate({"steps": steps})


@pytest.mark.parametrize("steps", [[], [0, "100%"], ["0%", "100%"], ["0.0%", "100%"]])
def test_a_step_is_never_empty(steps: list[int | str]) -> None:
    with pytest.raises(ValidationError):
        CanarySpec.model_validate({"steps": steps})


@pytest.mark.parametrize(
    ("canary", "problem"),
    [
        ({"steps": ["100%"], "growth": "linear"}, "steps and growth exclude each other"),
        ({"steps": ["100%"], "initial": "1%"}, "initial would be ignored"),
        ({"initial": "1%"}, "initial would be ignored"),
        (
            {"growth": "linear", "factor": 3},
            "factor would be ignored: expected it only with growth: exponential",
        ),
        ({"growth": "exponential", "increment": 3}, "increment would be ignored"),
        ({"growth": "linear", "increment": "0%"}, "must be more than 0"),
        ({"growth": "exponential", "factor": 1}, "greater than 1"),
    ],
)
def test_a_canary_grows_in_one_way(canary: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        CanarySpec.model_validate(canary)


@pytest.mark.parametrize(
    ("strategy", "block"),
    [
        ({"type": "rolling", "canary": {"steps": ["100%"]}}, "canary"),
        ({"type": "canary", "rolling": {"batch": 3}}, "rolling"),
        ({"type": "immediate", "rolling": {"batch": 3}}, "rolling"),
    ],
)
def test_a_block_of_another_strategy_is_not_ignored(strategy: dict[str, Any], block: str) -> None:
    with pytest.raises(ValidationError, match=f"{block} would be ignored"):
        Strategy.model_validate(strategy)


@pytest.mark.parametrize("budget", [{"overall": 0}, {"perZone": "0%"}])
def test_a_budget_of_no_host_is_refused(budget: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="must be more than 0"):
        DisruptionBudget.model_validate(budget)


@pytest.mark.parametrize("mode", ["strict", "STRICT", ToleranceMode.STRICT])
def test_a_tolerance_mode_may_be_shouted(mode: str) -> None:
    assert FailureTolerance.model_validate({"mode": mode}).mode is ToleranceMode.STRICT


@pytest.mark.parametrize("mode", ["Strict", "", "lenient"])
def test_another_tolerance_mode_is_refused(mode: str) -> None:
    with pytest.raises(ValidationError):
        FailureTolerance.model_validate({"mode": mode})


@pytest.mark.parametrize(
    "image",
    [
        {},
        {"family": "web"},
        {"version": "2.0.0"},
        {"id": "ami-0123456789abcdef0", "family": "web", "version": "2.0.0"},
        {"id": "ami-0123456789abcdef0", "family": "web"},
    ],
)
def test_an_image_is_named_in_one_way_and_whole(image: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="expected an id"):
        ImageSpec.model_validate(image)


@pytest.mark.parametrize("version", ["latest", "2", "2.0", "v2.0.0", "$Latest", "2.0.0\n"])
def test_a_floating_version_is_refused(version: str) -> None:
    with pytest.raises(ValidationError, match="version"):
        ImageSpec.model_validate({"family": "web", "version": version})


def test_an_image_says_what_it_is() -> None:
    assert str(ImageSpec(family="web", version="2.0.0")) == "web@2.0.0"
    assert str(ImageSpec(id="ami-0123456789abcdef0")) == "ami-0123456789abcdef0"


@pytest.mark.parametrize("selector", [{}, {"zones": ["us-east-1a"]}, {"excludeHosts": ["i-1"]}])
def test_a_selector_selects_something(selector: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="selects nothing"):
        Selector.model_validate(selector)


def test_a_deadline_leaves_time_to_pass() -> None:
    late = {"interval": "10s", "successThreshold": 4, "deadline": "30s", "checks": [CHECK]}

    assert HealthChecks.model_validate(late).deadline == timedelta(seconds=30)
    with pytest.raises(ValidationError, match="no host could pass"):
        HealthChecks.model_validate({**late, "deadline": "29s"})


@pytest.mark.parametrize("time", ["interval", "timeout", "deadline"])
def test_a_health_check_takes_time(time: str) -> None:
    with pytest.raises(ValidationError, match="must be more than 0s"):
        HealthChecks.model_validate({"checks": [CHECK], time: "0s"})


def test_health_checks_check_something() -> None:
    with pytest.raises(ValidationError):
        HealthChecks.model_validate({"checks": []})


@pytest.mark.parametrize("bake", [{"time": "15d"}, {"first": "14d1s"}, {"interval": "0.5s"}])
def test_a_bake_is_bounded(bake: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="expected"):
        Bake.model_validate(bake)


def test_a_wave_may_be_judged_at_once() -> None:
    assert Bake.model_validate({"time": "0s"}).time == timedelta(0)


@pytest.mark.parametrize("people", [["ana"], ["ana", "ana"]])
def test_approvals_can_be_reached(people: list[str]) -> None:
    with pytest.raises(ValidationError, match="can never be reached"):
        Approval.model_validate({"minimumApprovers": 2, "allowedApprovers": people})


@pytest.mark.parametrize("asked", [{"minimumApprovers": 2}, {"allowedApprovers": ["ana"]}, PROVEN])
def test_approvers_are_not_ignored(asked: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="approvers would be ignored"):
        Approval.model_validate({"required": False, **asked})


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        ({"proven": True}, "a public key in PEM for 1 approvers"),
        ({"proven": True, "allowedApprovers": ["ana", "bo"], "keys": {"ana": "pem"}}, "in PEM for bo"),
        ({"keys": {"ana": "pem"}}, "keys would be ignored: expected proven: true"),
    ],
)
def test_a_proven_approval_needs_the_approvers_keys(asked: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        Approval.model_validate(asked)


def test_the_requester_does_not_count_among_those_who_have_keys() -> None:
    order = CampaignOrder(
        policy=policy(approval={"proven": True, "keys": {"ana": "pem"}}), requested_by="ana"
    )
    with pytest.raises(RefusedError, match="which leaves 0 of 1 approvers"):
        refuse_order(order)


quotas = st.integers(1, 999) | st.integers(1, 100).map(lambda share: f"{share}%")
times = st.timedeltas(timedelta(seconds=1), timedelta(days=14))
steps = st.lists(st.integers(1, 99), unique=True).map(
    lambda shares: [*(f"{s}%" for s in sorted(shares)), "100%"]
)
canaries = st.one_of(
    st.fixed_dictionaries({}, optional={"steps": steps}),
    st.fixed_dictionaries({"growth": st.just("linear")}, optional={"initial": quotas, "increment": quotas}),
    st.fixed_dictionaries(
        {"growth": st.just("exponential")}, optional={"initial": quotas, "factor": st.floats(1.01, 10)}
    ),
)
strategies = st.one_of(
    st.just({"type": "immediate"}),
    st.fixed_dictionaries({"type": st.just("rolling"), "rolling": st.fixed_dictionaries({"batch": quotas})}),
    st.fixed_dictionaries({"type": st.just("canary"), "canary": canaries}),
)
checks = st.one_of(
    st.fixed_dictionaries({"type": st.just("http"), "port": st.integers(1, 65535)}),
    st.fixed_dictionaries({"type": st.just("command"), "run": st.text(min_size=1)}),
)
policies = st.builds(
    policy,
    strategy=strategies,
    disruptionBudget=st.fixed_dictionaries({"overall": quotas, "perZone": quotas}),
    failureTolerance=st.fixed_dictionaries({"hosts": quotas, "mode": st.sampled_from(["strict", "SOFT"])}),
    healthChecks=st.fixed_dictionaries({"checks": st.lists(checks, min_size=1)}),
    bake=st.fixed_dictionaries({"time": times, "first": st.none() | times, "interval": times}),
    approval=st.just({"required": False}) | st.fixed_dictionaries({"timeout": times}),
    rollback=st.fixed_dictionaries(
        {"automatic": st.booleans(), "scope": st.sampled_from(["wave", "campaign"])}
    ),
)


@given(policies)
def test_a_policy_survives_json(written: PatchPolicy) -> None:
    read = PatchPolicy.model_validate_json(written.model_dump_json(by_alias=True))

    assert read == written
    assert canonical(read) == canonical(written)
