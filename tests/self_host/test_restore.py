"""An engine is backed up while a campaign runs, lost, and restored into another database."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from chaos import mutant_worker
from chaos.stage import RELEASES, until
from integration.durable.service import WaitsForSignal
from self_host.native import POLL_LASTS, NativeEngine
from self_host.stage import HOSTS, Stage, staged

from receipt import Receipt
from steadfleet_cli.self_host.backup import back_up
from steadfleet_cli.self_host.installation import SelfHostError
from steadfleet_cli.self_host.reconciling import advice, open_runs
from steadfleet_cli.self_host.restore import Restore
from steadfleet_core.campaign.lifecycle import State
from steadfleet_durable import build_worker, connect

pytestmark = [pytest.mark.self_host, pytest.mark.timeout(900)]
NARROW = {"disruptionBudget": {"overall": 2, "perZone": 1}}
PARTS = ("worker", "janitor")
MUTANT = Path(str(mutant_worker.__file__))


@pytest.fixture
async def stage(own_engine: NativeEngine, tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(own_engine, tmp_path, *PARTS) as stage:
        yield stage


def restoring(engine: NativeEngine, folder: Path, into: str | None = "restored") -> Restore:
    return Restore(
        engine,
        folder,
        lambda: connect(env=engine.variables("admin")),
        lambda _step: None,
        into=into,
        poll_lasts=timedelta(seconds=POLL_LASTS),
    )


def launched_again(stage: Stage) -> list[str]:
    """Return what the platform's own record says of machines that were launched for one host twice."""
    return [double for double in stage.receipt().doubles if double.endswith("times")]


@pytest.mark.parametrize("worker", [None, MUTANT], ids=["real", "mutant"])
async def test_after_a_restore_the_campaign_ends_and_the_mutant_alone_changes_hosts_twice(
    own_engine: NativeEngine, tmp_path: Path, worker: Path | None
) -> None:
    async with staged(own_engine, tmp_path, *PARTS, client_tokens=False, worker=worker) as stage:
        handle = await stage.start(stage.cloud.register_image("web-2.0", RELEASES / "good-2.0"), **NARROW)
        await stage.launched(3)
        await asyncio.to_thread(back_up, own_engine, tmp_path / "backup", "1.32.0")
        await stage.launched(7)
        own_engine.steps.clear()
        restored = await restoring(own_engine, tmp_path / "backup").run()
        told = "\n".join(advice(restored, await open_runs(stage.client)))
        if worker is None:
            assert (await stage.result(handle)).status.state is State.SUCCEEDED
        else:
            await until(lambda: bool(launched_again(stage)), "a host is changed again", timedelta(minutes=5))
        receipt = stage.receipt()

    assert own_engine.steps == ["stop workers", "stop server", "start server on restored", "start workers"]
    assert "PatchCampaign campaign/web" in told
    assert "ALARM" not in told
    if worker is None:
        assert receipt == Receipt(changed=HOSTS, failed=0, restored=0, doubles=(), residue=())
    else:
        assert any("launched" in double for double in receipt.doubles), receipt


@pytest.mark.parametrize("queue", ["patch-campaign", "somebody's own"])
async def test_a_worker_that_nobody_here_started_is_seen_and_nothing_is_changed(
    stage: Stage, own_engine: NativeEngine, tmp_path: Path, queue: str
) -> None:
    foreign = await connect(env=own_engine.variables("worker"), identity="somebody@elsewhere")
    async with build_worker(foreign, task_queue=queue, workflows=[WaitsForSignal]):
        await foreign.start_workflow(WaitsForSignal.run, id="theirs", task_queue=queue)
        await asyncio.to_thread(back_up, own_engine, tmp_path / "backup", "1.32.0")
        own_engine.steps.clear()
        with pytest.raises(SelfHostError, match="a worker polls: somebody@elsewhere on task queue"):
            await restoring(own_engine, tmp_path / "backup").run()

    assert own_engine.steps == ["stop workers", "start server on temporal", "start workers"]
    assert own_engine.postgres.ask("select count(*) from pg_database where datname like 'restored%'") == "0"
    assert stage.workers["worker"].process is not None


async def test_restoring_in_place_keeps_what_was_there(own_engine: NativeEngine, tmp_path: Path) -> None:
    operator = await connect(env=own_engine.variables("operator"))
    await operator.start_workflow(WaitsForSignal.run, id="before", task_queue="nobody")
    await asyncio.to_thread(back_up, own_engine, tmp_path / "backup", "1.32.0")
    await operator.start_workflow(WaitsForSignal.run, id="after", task_queue="nobody")
    restored = await restoring(own_engine, tmp_path / "backup", into=None).run()

    again = await connect(env=own_engine.variables("operator"))
    assert [run.split()[1].strip(",") for run in await open_runs(again)] == ["before"]
    assert own_engine.postgres.ask("select count(*) from executions", restored.kept[0]) != "0"


async def test_a_backup_overwrites_nothing_and_a_changed_one_is_refused(
    own_engine: NativeEngine, tmp_path: Path
) -> None:
    folder = tmp_path / "backup"
    manifest = await asyncio.to_thread(back_up, own_engine, folder, "1.32.0")
    with pytest.raises(SelfHostError, match="is there already: a backup overwrites nothing"):
        await asyncio.to_thread(back_up, own_engine, folder, "1.32.0")
    with (folder / manifest.default.file).open("r+b") as dump:
        dump.seek(-1, 2)
        dump.write(b"!")
    with pytest.raises(SelfHostError, match="it was changed since it was made"):
        await restoring(own_engine, folder).run()

    assert (manifest.default.schema_version, manifest.visibility.schema_version) == ("1.19", "1.14")
    assert "stop server" not in own_engine.steps
