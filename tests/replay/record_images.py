"""Record histories of builds and channels: `PYTHONPATH=tests python -m replay.record_images NAME…`."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from replay.record import HISTORIES, scrubbed
from temporalio.client import WorkflowFailureError, WorkflowHandle
from temporalio.testing import WorkflowEnvironment

from fakes.images import AWAY, HOME, IMAGE_QUEUE, World, image_workers, start_build
from fakes.worker import until
from steadfleet_core.campaign.lifecycle import Request
from steadfleet_core.image.channel import ChannelStatus, Promotion
from steadfleet_core.image.golden import Channel
from steadfleet_core.image.report import ImageReport, ImageState
from steadfleet_durable import data_converter
from steadfleet_ports.channel import channel_id
from steadfleet_workflows.channel import ImageChannel
from steadfleet_workflows.image import GoldenImage

IMAGES = HISTORIES / "images"
CHANNEL = channel_id("web", Channel.PROD)
Build = WorkflowHandle[GoldenImage, ImageReport]


async def _untouched(build: Build, world: World) -> None: ...


async def _abort(build: Build, world: World) -> None:
    await until(lambda: "build" in world.reached)
    await build.execute_update(GoldenImage.abort, Request(by="bob"))


async def _retry(build: Build, world: World) -> None:
    async def halted() -> bool:
        return (await build.query(GoldenImage.status)).state is ImageState.HALTED

    await until(halted)
    world.failing.clear()
    await build.execute_update(GoldenImage.retry, Request(by="bob"))


@dataclass
class Scenario:
    """A build, and what becomes of it."""

    world: Callable[[], World] = World
    spec: dict[str, Any] = field(default_factory=dict)
    play: Callable[[Build, World], Awaitable[None]] = _untouched


SCENARIOS = {
    "published": Scenario(spec={"publish": {"regions": [{"name": HOME}, {"name": AWAY}], "channel": "dev"}}),
    "failed-tests": Scenario(lambda: World(failed_checks=("answers",))),
    "aborted-while-building": Scenario(lambda: World(hanging={"build"}), play=_abort),
    "halted-and-retried": Scenario(lambda: World(failing={f"publish {AWAY}": "no capacity"}), play=_retry),
}


async def record(scenario: Scenario) -> dict[str, Any]:
    """Play a scenario, and a promotion of its version, on a server of its own."""
    server = Path(sys.executable).with_name("temporal-test-server")
    async with await WorkflowEnvironment.start_time_skipping(
        test_server_existing_path=str(server), data_converter=data_converter(), identity="test"
    ) as env:
        world = scenario.world()
        async with image_workers(env, world, identity="test"):
            build = await start_build(env, **scenario.spec)
            await scenario.play(build, world)
            with suppress(WorkflowFailureError):
                await build.result()
            return {"image/web/1.4.2": await _history(build), CHANNEL: await _promoted(env)}


async def _promoted(env: WorkflowEnvironment) -> Any:
    channel = await env.client.start_workflow(
        ImageChannel.run,
        ChannelStatus(family="web", channel=Channel.PROD),
        id=CHANNEL,
        task_queue=IMAGE_QUEUE,
    )
    for by in ("ann", "bob"):
        order = Promotion(family="web", channel=Channel.PROD, version="1.4.2", by=by, places=(HOME, AWAY))
        await channel.execute_update(ImageChannel.promote, order)
    return await _history(channel)


async def _history(handle: WorkflowHandle[Any, Any]) -> Any:
    return scrubbed(json.loads((await handle.fetch_history()).to_json()))


async def main(names: list[str]) -> None:
    """Write the histories of these scenarios."""
    for name in names:
        text = json.dumps(await record(SCENARIOS[name]), separators=(",", ":"))
        (IMAGES / f"{name}.json").write_text(text + "\n")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
