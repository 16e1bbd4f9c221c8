"""A channel points only at what is verified, moves only from where it is expected, and can go back."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from temporalio.client import WorkflowHandle
from temporalio.testing import WorkflowEnvironment

from fakes.images import IMAGE_QUEUE, World, image_workers
from steadfleet_core.image.channel import ChannelStatus, Promotion, PromotionReceipt, PromotionVerb
from steadfleet_core.image.golden import Channel
from steadfleet_core.image.order import Platform
from steadfleet_ports.channel import channel_id
from steadfleet_workflows.channel import ImageChannel


class Pointer:
    """A channel under test."""

    def __init__(self, handle: WorkflowHandle[ImageChannel, None], channel: Channel) -> None:
        self.handle, self.channel = handle, channel

    async def promote(self, version: str = "", by: str = "ann", **facts: Any) -> PromotionReceipt:
        promotion = Promotion(family="web", channel=self.channel, version=version, by=by, **facts)
        return await self.handle.execute_update(ImageChannel.promote, promotion)

    async def roll_back(self, **facts: Any) -> PromotionReceipt:
        return await self.promote(verb=PromotionVerb.ROLL_BACK, **facts)

    async def status(self) -> ChannelStatus:
        return await self.handle.query(ImageChannel.status)


@asynccontextmanager
async def pointing(env: WorkflowEnvironment, world: World, channel: Channel) -> AsyncIterator[Pointer]:
    async with image_workers(env, world):
        handle = await env.client.start_workflow(
            ImageChannel.run,
            ChannelStatus(family="web", channel=channel),
            id=channel_id("web", channel),
            task_queue=IMAGE_QUEUE,
        )
        yield Pointer(handle, channel)


async def test_a_channel_moves_and_remembers(dev_server: WorkflowEnvironment) -> None:
    async with pointing(dev_server, World(), Channel.STAGING) as pointer:
        first = await pointer.promote("1.0.0", reason="first")
        second = await pointer.promote("1.1.0", expected="1.0.0")
        status = await pointer.status()

    assert (first.moved, first.previous, second.previous) == (True, "", "1.0.0")
    assert [(one.version, one.by, one.reason) for one in status.history] == [
        ("1.1.0", "ann", ""),
        ("1.0.0", "ann", "first"),
    ]


async def test_a_channel_that_somebody_moved_is_not_moved_again(dev_server: WorkflowEnvironment) -> None:
    async with pointing(dev_server, World(), Channel.DEV) as pointer:
        await pointer.promote("1.1.0")
        refused = await pointer.promote("1.2.0", expected="1.0.0")
        status = await pointer.status()

    assert not refused.moved
    assert "stands at 1.1.0, expected 1.0.0: somebody moved it" in refused.reasons[0]
    assert status.version == "1.1.0"


async def test_an_image_that_is_not_verified_is_refused_with_the_reasons(
    dev_server: WorkflowEnvironment,
) -> None:
    world = World(refused=["no signature by a trusted key"])
    async with pointing(dev_server, world, Channel.STAGING) as pointer:
        refused = await pointer.promote("1.0.0")
        status = await pointer.status()

    assert (refused.moved, refused.reasons) == (False, ("no signature by a trusted key",))
    assert status.version == ""


async def test_an_image_that_could_not_be_looked_at_is_refused(dev_server: WorkflowEnvironment) -> None:
    async with pointing(dev_server, World(failing={"verify": "S3 is down"}), Channel.STAGING) as pointer:
        refused = await pointer.promote("1.0.0")

    assert (refused.moved, refused.reasons) == (False, ("1.0.0 could not be verified: S3 is down",))


async def test_production_waits_for_another_person(dev_server: WorkflowEnvironment) -> None:
    async with pointing(dev_server, World(), Channel.PROD) as pointer:
        asked = await pointer.promote("1.0.0", by="ann")
        again = await pointer.promote("1.0.0", by="ann")
        waiting = await pointer.status()
        approved = await pointer.promote("1.0.0", by="bob")
        status = await pointer.status()

    assert (asked.moved, asked.waiting, again.moved) == (False, True, False)
    assert waiting.version == ""
    assert approved.moved
    assert (status.history[0].by, status.history[0].approved_by) == ("ann", ("bob",))


async def test_an_approval_counts_for_the_version_that_was_read(dev_server: WorkflowEnvironment) -> None:
    async with pointing(dev_server, World(), Channel.PROD) as pointer:
        await pointer.promote("1.0.0", by="ann")
        other = await pointer.promote("1.1.0", by="bob")
        status = await pointer.status()

    assert (other.moved, other.waiting, status.version) == (False, True, "")


async def test_a_rollback_goes_to_the_version_before_and_needs_no_approval(
    dev_server: WorkflowEnvironment,
) -> None:
    async with pointing(dev_server, World(), Channel.PROD) as pointer:
        for version in ("1.0.0", "1.1.0"):
            await pointer.promote(version, by="ann")
            await pointer.promote(version, by="bob")
        back = await pointer.roll_back(expected="1.1.0", reason="p1")
        status = await pointer.status()

    assert (back.moved, back.version) == (True, "1.0.0")
    assert status.history[0].verb is PromotionVerb.ROLL_BACK


@pytest.mark.parametrize(
    ("version", "reason"), [("", "has stood at nothing before"), ("0.9.0", "newer than 0.9.0")]
)
async def test_there_is_one_way_back(dev_server: WorkflowEnvironment, version: str, reason: str) -> None:
    async with pointing(dev_server, World(), Channel.DEV) as pointer:
        await pointer.promote("1.0.0")
        refused = await (pointer.promote(version) if version else pointer.roll_back())

    assert not refused.moved
    assert reason in refused.reasons[0]


async def test_a_rollback_is_verified_where_the_version_before_was(dev_server: WorkflowEnvironment) -> None:
    world = World()
    async with pointing(dev_server, world, Channel.STAGING) as pointer:
        await pointer.promote("1.0.0", places=("host/repo", "other/repo"), platform=Platform.DOCKER)
        await pointer.promote("1.1.0")
        world.calls.clear()
        back = await pointer.roll_back()
        status = await pointer.status()

    assert back.moved
    assert (status.history[0].platform, status.history[0].places) == (
        Platform.DOCKER,
        ("host/repo", "other/repo"),
    )
    assert world.calls.count("verify") == 2
