"""A real packer builds, fails, is aborted and is killed: there is one image, or there is nothing."""

import asyncio
from typing import Any

import pytest
from integration.image.building.conftest import BUCKET, Yard
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment
from unit.activities.test_permissions import PAGE, policies

from steadfleet_activities.image import tags
from steadfleet_activities.objects import hex_of

pytestmark = pytest.mark.docker


def log_of(yard: Yard, digest: str) -> str:
    key = f"logs/{hex_of(digest)}.log"
    body: bytes = yard.aws.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
    return body.decode()


def nothing_left(yard: Yard) -> bool:
    return not list(yard.scratch.iterdir()) and not yard.cloud.machines()


async def test_image_is_built_once_and_discarded_entirely(yard: Yard) -> None:
    before = yard.inventory()
    order = await yard.prepared()
    assert yard.inventory() == before, "resolving makes nothing but the stored sources"

    built = await yard.build(order)

    after = yard.inventory()
    assert {kind for kind in after if after[kind] != before[kind]} == {"images", "snapshots"}
    (image,) = [one for one in after["images"] if one["id"] == built.id]
    assert (image["name"], image["tags"][tags.RUN]) == (order.build.image_name, yard.run)
    assert image["tags"][tags.KEY] == order.build.key
    assert image["tags"][tags.EXPIRES_AT] == "2026-11-21T21:00:00+00:00"
    assert any(step.startswith("packer: ") for step in yard.steps)
    assert built.log is not None
    assert "halfway" in log_of(yard, built.log)
    assert nothing_left(yard)

    since = len(yard.cloud.record())
    again = await yard.build(order)
    assert again == built.model_copy(update={"started_at": again.started_at, "ended_at": again.ended_at})
    assert "RunInstances" not in {entry.get("action") for entry in yard.cloud.record()[since:]}
    assert yard.inventory() == after

    await yard.discard(order)
    assert yard.inventory() == before
    assert asked_of(yard) <= allowed(), "called, by us or by packer, and not in the policy"


def asked_of(yard: Yard) -> set[str]:
    calls = {(one["service"], one["action"]) for one in yard.cloud.record() if one["kind"] == "call"}
    return {f"{service}:{action}" for service, action in calls} - {"s3:CreateBucket"}


def allowed() -> set[str]:
    statements = policies(PAGE.read_text())["image-build"]
    return {action for actions in statements for action in actions}


async def test_template_that_fails_says_why_and_leaves_nothing(yard: Yard) -> None:
    before = yard.inventory()
    order = await yard.prepared(behaviour="fails")

    with pytest.raises(ApplicationError, match=r"exit status: 7.*the whole log is logs/") as failed:
        await yard.build(order)

    assert (failed.value.type, failed.value.non_retryable) == ("BuildFailedError", True)
    digest = str(failed.value).rpartition("logs/")[2].removesuffix(".log")
    assert "no such package: nginx" in log_of(yard, digest)
    assert yard.inventory() == before
    assert nothing_left(yard)


async def test_abort_ends_packer_which_takes_its_machine_down(yard: Yard) -> None:
    before = yard.inventory()
    order = await yard.prepared(behaviour="waits")
    environment = ActivityEnvironment()
    building = asyncio.create_task(yard.build(order, environment))
    await yard.until_said("halfway", building)

    environment.cancel()

    with pytest.raises(asyncio.CancelledError):
        await building
    assert yard.inventory() == before
    assert nothing_left(yard)


async def test_killed_packer_is_said_and_all_it_left_is_discarded(yard: Yard) -> None:
    before = yard.inventory()
    order = await yard.prepared(behaviour="waits")
    building = asyncio.create_task(yard.build(order))
    await yard.until_said("halfway", building)

    yard.kill_packer()

    with pytest.raises(ApplicationError, match="packer was killed from outside, by signal 9") as killed:
        await building
    assert (killed.value.type, killed.value.non_retryable) == ("PackerKilledError", False)
    assert yard.inventory() != before, "a killed packer leaves its machine"
    await yard.discard(order)
    assert yard.inventory() == before
    assert nothing_left(yard)


async def test_try_after_a_killed_packer_builds_as_if_nothing_had_been(yard: Yard) -> None:
    waits = await yard.prepared(behaviour="waits")
    before = yard.inventory()
    building = asyncio.create_task(yard.build(waits))
    await yard.until_said("halfway", building)
    yard.kill_packer()
    with pytest.raises(ApplicationError):
        await building
    order: Any = waits.model_copy(update={"spec": waits.spec.model_copy(update={"variables": {}})})

    built = await yard.build(order)

    after = yard.inventory()
    assert {kind for kind in after if after[kind] != before[kind]} == {"images", "snapshots"}
    assert [one["id"] for one in after["images"] if one not in before["images"]] == [built.id]


async def test_time_limit_ends_the_build(yard: Yard) -> None:
    before = yard.inventory()
    order = await yard.prepared(behaviour="waits")
    short = order.model_copy(
        update={"spec": order.spec.model_copy(update={"time_limit": order.spec.time_limit / 300})}
    )

    with pytest.raises(ApplicationError, match=r"had not ended after 1s \(spec.build.timeLimit\)") as late:
        await yard.build(short)

    assert (late.value.type, late.value.non_retryable) == ("BuildTimedOutError", True)
    assert yard.inventory() == before
