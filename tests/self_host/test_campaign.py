"""A campaign over the self-hosted engine, which loses its server, its database and its certificates."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from chaos.stage import RELEASES
from self_host.native import NativeEngine
from self_host.stage import HOSTS, Stage, forget, staged
from temporalio.service import RPCError

from receipt import Receipt
from steadfleet_core.campaign.lifecycle import State

pytestmark = [pytest.mark.self_host, pytest.mark.timeout(900)]
EACH_ONCE = Receipt(changed=HOSTS, failed=0, restored=0, doubles=(), residue=())
NARROW = {"disruptionBudget": {"overall": 2, "perZone": 1}}


@pytest.fixture
async def stage(engine: NativeEngine, tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(engine, tmp_path, "worker", "janitor") as stage:
        yield stage


async def test_a_server_killed_in_mid_campaign_changes_each_host_once(stage: Stage) -> None:
    handle = await stage.start(stage.cloud.register_image("web-2.0", RELEASES / "good-2.0"), **NARROW)
    await stage.launched(3)
    await asyncio.to_thread(stage.engine.kill)
    await asyncio.to_thread(stage.engine.start)

    assert (await stage.result(handle)).status.state is State.SUCCEEDED
    assert stage.receipt() == EACH_ONCE


async def test_a_database_that_is_gone_for_five_seconds_delays_and_doubles_nothing(stage: Stage) -> None:
    handle = await stage.start(stage.cloud.register_image("web-2.0", RELEASES / "good-2.0"), **NARROW)
    await stage.launched(3)
    await asyncio.to_thread(stage.engine.postgres.stop)
    await asyncio.sleep(5)  # the outage itself
    stage.engine.postgres.start()  # in no thread: the kernel ends the server with the thread that started it

    assert (await stage.result(handle)).status.state is State.SUCCEEDED
    assert stage.receipt() == EACH_ONCE


async def test_certificates_and_tokens_are_renewed_while_a_campaign_runs(stage: Stage) -> None:
    handle = await stage.start(stage.cloud.register_image("web-2.0", RELEASES / "good-2.0"), **NARROW)
    await stage.launched(3)
    before = await asyncio.to_thread(stage.engine.shown_certificate)
    await asyncio.to_thread(stage.engine.prepare, "--renew", "certificates")
    await asyncio.to_thread(stage.engine.prepare, "--renew", "tokens")

    assert (await stage.result(handle)).status.state is State.SUCCEEDED
    assert stage.receipt() == EACH_ONCE
    assert await asyncio.to_thread(stage.engine.shown_certificate) != before
    for name, worker in stage.workers.items():
        assert "new credentials" in worker.log.read_text(), name
        assert worker.process is not None
        assert worker.process.poll() is None
        assert worker.kills == 0


async def test_the_frozen_plan_and_the_report_stay_when_the_engine_has_forgotten_the_campaign(
    stage: Stage,
) -> None:
    handle = await stage.start(stage.cloud.register_image("web-2.0", RELEASES / "good-2.0"))
    report = await stage.result(handle)
    kept = stage.cloud.inventory()["objects"]
    await forget(stage.client, "PatchCampaign")
    with pytest.raises(RPCError, match="not found"):
        await handle.describe()

    assert report.status.plan
    assert stage.cloud.inventory()["objects"] == kept
    assert any(report.status.plan.removeprefix("sha256:") in one["id"] for one in kept)
    [kept_report] = [one["id"] for one in kept if "/campaigns/web/" in one["id"]]
    assert handle.first_execution_run_id
    assert kept_report.endswith(f"/{handle.first_execution_run_id}.json")
