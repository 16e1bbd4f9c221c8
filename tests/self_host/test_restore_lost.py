"""An engine is lost with its databases: it cannot say who polls, and a person vouches for the workers."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from chaos.stage import RELEASES
from integration.durable.service import WaitsForSignal
from self_host.native import DEPLOY, NativeEngine
from self_host.stage import staged
from temporalio.client import Client

from receipt import Receipt
from steadfleet_cli.exits import CommandError, ExitCode
from steadfleet_cli.self_host import commands
from steadfleet_cli.self_host.backup import back_up
from steadfleet_core.campaign.lifecycle import State
from steadfleet_durable import build_worker, connect

pytestmark = [pytest.mark.self_host, pytest.mark.timeout(600)]
HOSTS = 6
VOUCHED = "--workers-are-stopped"
Command = Callable[..., Awaitable[None]]


@pytest.fixture
def restore(own_engine: NativeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Give the command as an admin's shell runs it, over this engine in the place of compose."""
    for name, value in own_engine.variables("admin").items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(commands, "Compose", lambda *_: own_engine)
    folders = ("--deployment", str(DEPLOY), "--secrets", str(own_engine.secrets))

    def run(*words: str) -> None:
        commands.restore.main([str(tmp_path / "backup"), *folders, "--yes", *words], standalone_mode=False)

    return lambda *words: asyncio.to_thread(run, *words)


def lose(engine: NativeEngine, *databases: str) -> None:
    engine.kill()
    for database in databases:
        engine.postgres.ask(f"drop database {database} with (force)")
    engine.steps.clear()


async def waiting(engine: NativeEngine) -> Client:
    """Start a workflow that waits; return who started it."""
    operator = await connect(env=engine.variables("operator"))
    await operator.start_workflow(WaitsForSignal.run, id="waits", task_queue="theirs")
    return operator


async def test_a_lost_engine_is_restored_on_a_persons_word_alone_and_each_host_is_changed_once(
    own_engine: NativeEngine, tmp_path: Path, restore: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    narrow = {"disruptionBudget": {"overall": 2, "perZone": 1}}
    async with staged(own_engine, tmp_path, "worker", "janitor", hosts=HOSTS, client_tokens=False) as stage:
        handle = await stage.start(stage.cloud.register_image("web-2.0", RELEASES / "good-2.0"), **narrow)
        await stage.launched(1)
        await asyncio.to_thread(back_up, own_engine, tmp_path / "backup", "1.32.0")
        await stage.launched(3)
        stage.stop_workers()
        lose(own_engine, *own_engine.databases.all)
        with pytest.raises(CommandError, match="no engine at") as refused:
            await restore("--into", "restored")
        refused_after = list(own_engine.steps)
        await restore("--into", "restored", VOUCHED)
        assert (await stage.result(handle)).status.state is State.SUCCEEDED
        receipt = stage.receipt()

    assert refused.value.code is ExitCode.UNREACHABLE
    assert f"if the server is lost, stop every worker, everywhere, then add {VOUCHED}" in refused.value.advice
    assert refused_after == []
    assert own_engine.steps == ["stop workers", "stop server", "start server on restored", "start workers"]
    told = capsys.readouterr().out
    assert "taking your word that every worker is stopped" in told
    assert "PatchCampaign campaign/web" in told
    assert "ALARM" not in told
    assert receipt == Receipt(changed=HOSTS, failed=0, restored=0, doubles=(), residue=())


async def test_with_one_of_its_databases_lost_the_engine_is_restored_in_place_and_what_waited_goes_on(
    own_engine: NativeEngine, tmp_path: Path, restore: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    operator = await waiting(own_engine)
    await asyncio.to_thread(back_up, own_engine, tmp_path / "backup", "1.32.0")
    lose(own_engine, own_engine.databases.visibility)
    await restore(VOUCHED)
    async with build_worker(
        await connect(env=own_engine.variables("worker")), task_queue="theirs", workflows=[WaitsForSignal]
    ):
        waits = operator.get_workflow_handle("waits")
        await waits.signal("go")
        await waits.result()

    [kept] = [line for line in capsys.readouterr().out.splitlines() if line.startswith("kept: ")]
    assert kept.startswith("kept: temporal_until_")
    assert " and " not in kept


async def test_a_persons_word_counts_for_nothing_while_the_server_can_say_who_polls(
    own_engine: NativeEngine, tmp_path: Path, restore: Command
) -> None:
    await waiting(own_engine)
    worker = await connect(env=own_engine.variables("worker"), identity="somebody@elsewhere")
    async with build_worker(worker, task_queue="theirs", workflows=[WaitsForSignal]):
        await asyncio.to_thread(back_up, own_engine, tmp_path / "backup", "1.32.0")
        own_engine.steps.clear()
        with pytest.raises(CommandError, match="a worker polls: somebody@elsewhere") as refused:
            await restore("--into", "restored", VOUCHED)

    assert refused.value.code is ExitCode.REFUSED
    assert own_engine.steps == ["stop workers", "start server on temporal", "start workers"]
