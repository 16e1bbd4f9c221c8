"""A plan is known by its digest, and stays small however many hosts it names."""

import copy
import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.plans import IMAGE, group_of, hosts_in, plan_of, policy_of
from steadfleet_core.campaign.plan import SHARD, CampaignOrder, Plan, Shard, draw_up
from steadfleet_core.campaign.waves import plan_waves
from steadfleet_core.model import canonical

FLEET = {"a": 1_300, "b": 400}
PLAN, SHARDS = plan_of(FLEET, "its template version is $Latest")


def shuffled(value: Any) -> Any:
    """Return the same value with every mapping written backwards."""
    if isinstance(value, dict):
        return {key: shuffled(value[key]) for key in reversed(value)}
    return [shuffled(item) for item in value] if isinstance(value, list) else value


def paths_in(value: Any) -> Iterator[tuple[str | int, ...]]:
    """Yield the path of every leaf."""
    children = value.items() if isinstance(value, dict) else enumerate(value)
    for key, child in children:
        if isinstance(child, dict | list):
            yield from ((key, *path) for path in paths_in(child))
        else:
            yield (key,)


def other(value: str | int) -> str | int:
    if isinstance(value, int):
        return value + 1
    return value[:-1] + ("0" if value[-1] != "0" else "1")


def with_other(document: Any, path: tuple[str | int, ...]) -> Any:
    changed = copy.deepcopy(document)
    holder = changed
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = other(holder[path[-1]])
    return changed


PLAN_DOCUMENT = json.loads(canonical(PLAN))
SHARD_DOCUMENT = json.loads(canonical(Shard(hosts=SHARDS[0].hosts[:2])))


def test_the_digest_does_not_depend_on_the_order_of_mappings() -> None:
    assert Plan.model_validate(shuffled(PLAN_DOCUMENT)).digest == PLAN.digest


@pytest.mark.parametrize("path", list(paths_in(PLAN_DOCUMENT)), ids=str)
def test_a_plan_that_differs_in_any_value_has_another_digest(path: tuple[str | int, ...]) -> None:
    assert Plan.model_validate(with_other(PLAN_DOCUMENT, path)).digest != PLAN.digest


@pytest.mark.parametrize("path", list(paths_in(SHARD_DOCUMENT)), ids=str)
def test_a_shard_that_differs_in_any_value_has_another_digest(path: tuple[str | int, ...]) -> None:
    shard = Shard.model_validate(SHARD_DOCUMENT)

    assert Shard.model_validate(with_other(SHARD_DOCUMENT, path)).digest != shard.digest


def test_the_order_of_hosts_is_part_of_a_shards_digest() -> None:
    shard = SHARDS[0]

    assert Shard(hosts=shard.hosts[::-1]).digest != shard.digest


def test_another_policy_makes_another_plan_of_the_same_hosts() -> None:
    plan, _ = plan_of(FLEET, "its template version is $Latest", bake={"time": "6m"})

    assert plan.digest != PLAN.digest
    assert plan.waves == PLAN.waves


def test_who_asked_is_no_part_of_what_was_asked() -> None:
    orders = [CampaignOrder(policy=policy_of(), requested_by=by) for by in ("ann", "bob")]

    assert len({order.digest for order in orders}) == 1


@given(st.integers(1, 1_600))
def test_the_shards_hold_every_host_in_the_order_of_the_waves(size: int) -> None:
    order = CampaignOrder(policy=policy_of(strategy={"type": "immediate"}), requested_by="ann")
    waves = plan_waves(hosts_in({"a": size}), order.policy.spec.strategy)
    plan, shards = draw_up(order, IMAGE, (group_of(size),), waves)

    assert [host for shard in shards for host in shard.hosts] == list(waves[0])
    assert all(len(shard.hosts) == SHARD for shard in shards[:-1])
    assert [shard.digest for shard in shards] == list(plan.waves[0].shards)


def test_a_wave_names_its_shards_by_digest_and_its_hosts_by_zone() -> None:
    stored = {shard.digest: shard for shard in SHARDS}

    for wave in PLAN.waves:
        hosts = [host for digest in wave.shards for host in stored[digest].hosts]
        assert len(hosts) == wave.hosts
        assert Counter(host.zone for host in hosts) == wave.zones
    assert (PLAN.hosts, PLAN.zones) == (1_700, FLEET)


def test_ten_thousand_hosts_make_a_small_plan_of_shards_that_fit_a_payload() -> None:
    plan, shards = plan_of(dict.fromkeys(("us-east-1a", "us-east-1b", "us-east-1c"), 3_333) | {"d": 1})

    assert plan.hosts == 10_000
    assert len(canonical(plan)) < 20_000
    assert max(len(canonical(shard)) for shard in shards) < 400_000
