"""The crash test can fail: it catches a worker that does not look before it creates."""

from pathlib import Path

import pytest
from chaos.stage import RELEASES, staged

HERE = Path(__file__).parent


@pytest.mark.timeout(600)
@pytest.mark.parametrize("worker", [None, HERE / "mutant_worker.py"], ids=["real", "mutant"])
async def test_a_launch_whose_answer_is_lost_is_doubled_by_the_mutant_alone(
    tmp_path: Path, worker: Path | None
) -> None:
    async with staged(tmp_path, hosts=2, worker=worker, client_tokens=False) as stage:
        image = stage.cloud.register_image("web-2.0", RELEASES / "good-2.0")
        stage.before = stage.cloud.inventory()
        stage.cloud.add_fault("lost", action="RunInstances", count=1)
        await stage.result(await stage.start(image))
        receipt = stage.receipt()

    untouched_twice = not receipt.doubles and not receipt.residue
    assert untouched_twice is (worker is None), receipt
    assert receipt.changed == 2
