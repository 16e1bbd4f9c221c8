"""The same with packer's docker builder: an image of the engine, or nothing."""

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from integration.image.building.conftest import TEMPLATES, Yard, missing
from python_on_whales import DockerClient
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from steadfleet_activities.image import tags
from steadfleet_core.image.order import Platform
from steadfleet_local_cloud import LocalCloud

pytestmark = pytest.mark.docker


@pytest.fixture
def yard(busybox: str) -> Iterator[Yard]:
    """Give a yard whose images lie in the engine; the local cloud only keeps the sources and logs."""
    if shutil.which("packer") is None:
        missing("packer")
    # pytest's own folder has a path too long for packer's sockets.
    with LocalCloud(machines="none") as cloud, TemporaryDirectory(prefix="yard-") as folder:
        yard = Yard(cloud, Path(folder), TEMPLATES / "template-docker", {"reference": busybox})
        yield yard
        for image in left(yard)["images"]:  # of a test that failed: it would keep its base from going
            DockerClient().image.remove(image, force=True)


def left(yard: Yard) -> dict[str, Any]:
    """List all that carries the run."""
    ours: Any = [("label", f"{tags.RUN}={yard.run}")]
    engine = DockerClient()
    return {
        "images": [image.id for image in engine.image.list(all=True, filters=ours)],
        "containers": len(engine.container.list(all=True, filters=ours)),
        "folders": list(yard.scratch.iterdir()),
    }


def said(image: str) -> str:
    ran = DockerClient().run(image, ["/etc/motd"], entrypoint="/bin/cat", remove=True)
    assert isinstance(ran, str)
    return ran


NOTHING = {"images": [], "containers": 0, "folders": []}


async def test_image_is_built_once_and_discarded_entirely(yard: Yard) -> None:
    order = await yard.prepared()
    assert order.build.platform is Platform.DOCKER

    built = await yard.build(order)
    again = await yard.build(order)

    assert again == built.model_copy(update={"started_at": again.started_at, "ended_at": again.ended_at})
    assert left(yard) == {**NOTHING, "images": [built.id]}
    assert said(built.id) == "built by packer"
    await yard.discard(order)
    assert left(yard) == NOTHING


async def test_template_that_fails_leaves_nothing(yard: Yard) -> None:
    order = await yard.prepared(behaviour="fails")

    with pytest.raises(ApplicationError, match="exit status: 7") as failed:
        await yard.build(order)

    assert failed.value.non_retryable
    assert left(yard) == NOTHING


async def test_abort_leaves_nothing(yard: Yard) -> None:
    order = await yard.prepared(behaviour="waits")
    environment = ActivityEnvironment()
    building = asyncio.create_task(yard.build(order, environment))
    await yard.until_said("halfway", building)

    environment.cancel()

    with pytest.raises(asyncio.CancelledError):
        await building
    assert left(yard) == NOTHING


async def test_what_a_killed_packer_left_is_discarded(yard: Yard) -> None:
    order = await yard.prepared(behaviour="waits")
    building = asyncio.create_task(yard.build(order))
    await yard.until_said("halfway", building)

    yard.kill_packer()

    with pytest.raises(ApplicationError, match="killed from outside"):
        await building
    assert left(yard) != NOTHING, "a killed packer leaves its container"
    await yard.discard(order)
    assert left(yard) == NOTHING
