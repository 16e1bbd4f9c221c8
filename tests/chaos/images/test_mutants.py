"""The drills can fail: they notice a builder that undoes too late, and a janitor that forgets names.

With the programs that are shipped the same is done in `test_undoing.py`, and nothing is noticed.
"""

from pathlib import Path

import pytest
from chaos.images.stage import AWAY, Stage, staged
from chaos.moments import Moment

from steadfleet_core.image.report import ImageState

pytestmark = [pytest.mark.docker, pytest.mark.slow, pytest.mark.timeout(600)]

HERE = Path(__file__).parent
COPYING, CAPTURED = Moment("builder", "CopyImage"), Moment("packer", "CreateImage")


async def test_builder_that_registers_its_undo_after_the_step_leaves_a_copy_to_the_lease() -> None:
    async with staged(programs={"builder": HERE / "late_builder.py"}) as stage:
        building, stop = await stage.stopped(COPYING)
        await building.abort()
        stop.let_go()
        assert await building.ended() is ImageState.ABORTED
        lease = await stage.lease_of(building)

    assert ("image", AWAY) in {(one.type, one.region) for one in lease.removed}


async def test_janitor_that_knows_tags_alone_leaves_an_image_that_packer_had_not_tagged() -> None:
    async with staged(programs={"janitor": HERE / "nameless_janitor.py"}) as stage:
        building, stop = await stage.stopped(CAPTURED)
        (image,) = untagged(stage)
        stage.workers["builder"].stop()
        stop.let_go("drop")
        await building.handle.terminate()
        await stage.lease_of(building)
        residue = await stage.residue()

    assert any(sentence.startswith(f"images {image} ") for sentence in residue), residue


def untagged(stage: Stage) -> list[str]:
    images = stage.cloud.inventory()["images"]
    return [one["id"] for one in images if one["id"] not in stage.before["images"] and not one["tags"]]
