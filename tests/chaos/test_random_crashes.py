"""Worker and engine die at seeded random moments; still each host is changed exactly once."""

import asyncio
import random
from datetime import timedelta
from pathlib import Path

import pytest
from chaos.stage import RELEASES, Killable, Stage, staged, until

from receipt import Receipt
from steadfleet_core.campaign.lifecycle import State

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3000)]

HOSTS, MOMENTS = 50, 20


@pytest.mark.parametrize("victim", ["worker", "engine"])
async def test_twenty_deaths_at_random_moments_change_each_host_once(tmp_path: Path, victim: str) -> None:
    async with staged(tmp_path, HOSTS, client_tokens=False) as stage:
        image = stage.cloud.register_image("web-2.0", RELEASES / "good-2.0")
        stage.before = stage.cloud.inventory()
        handle = await stage.start(image, disruptionBudget={"overall": 6, "perZone": 2})
        killing = asyncio.create_task(kill_at_random(stage, getattr(stage, victim), random.Random(7)))
        report = await stage.result(handle)
        killing.cancel()

        killed: Killable = getattr(stage, victim)
        assert report.status.state is State.SUCCEEDED
        assert killed.kills == MOMENTS
        assert stage.receipt() == Receipt(changed=HOSTS, failed=0, restored=0, doubles=(), residue=())


async def kill_at_random(stage: Stage, victim: Killable, dice: random.Random) -> None:
    """Count moments in calls to the platform: 20 of them spread over those that the campaign makes."""
    calls_a_host = 20
    moments = sorted(dice.sample(range(20, HOSTS * calls_a_host), MOMENTS))
    began = len(stage.cloud.record())
    for moment in moments:
        due = began + moment
        await until(lambda: len(stage.cloud.record()) >= due, f"call {moment}", timedelta(minutes=10))
        await asyncio.to_thread(victim.kill)
