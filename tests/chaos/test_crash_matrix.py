"""The worker dies before and after every external call; still each host is changed exactly once."""

from pathlib import Path

import pytest
from chaos.stage import RELEASES, Crashes, staged

from receipt import Receipt
from steadfleet_core.campaign.lifecycle import State

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3000)]

HOSTS = 12


async def test_worker_killed_before_and_after_every_call_changes_each_host_once(tmp_path: Path) -> None:
    async with staged(tmp_path, HOSTS, client_tokens=False) as stage:
        image = stage.cloud.register_image("web-2.0", RELEASES / "good-2.0")
        stage.before = stage.cloud.inventory()
        crashes = Crashes(stage.cloud, stage.worker.kill)
        crashes.install()
        report = await stage.result(await stage.start(image))

        assert report.status.state is State.SUCCEEDED
        assert stage.receipt() == Receipt(changed=HOSTS, failed=0, restored=0, doubles=(), residue=())
        assert stage.worker.kills == len(crashes.points)
        for action in ("RunInstances", "AttachInstances", "DetachInstances", "TerminateInstances"):
            assert sum(point.startswith(f"after {action}") for point in crashes.points) >= HOSTS, action
