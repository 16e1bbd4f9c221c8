"""What the self-hosted engine lets each role do, and who is not let in at all."""

from datetime import timedelta
from pathlib import Path

import pytest
from integration.durable.service import TASK_QUEUE, WaitsForSignal
from self_host.native import NativeEngine
from temporalio.client import Client, WorkflowHandle
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.service import RPCError

from steadfleet_durable import EngineUnreachableError, NotAuthorizedError, build_worker, connect, credentials

pytestmark = [pytest.mark.self_host, pytest.mark.timeout(600)]
UNAUTHORIZED = "Request unauthorized"


@pytest.fixture
async def running(engine: NativeEngine) -> WorkflowHandle[WaitsForSignal, str]:
    """Start a workflow that nobody works on."""
    operator = await connect(env=engine.variables("operator"))
    return await operator.start_workflow(
        WaitsForSignal.run,
        id="roles/one",
        task_queue="nobody",
        execution_timeout=timedelta(minutes=5),
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
    )


async def test_a_read_only_token_can_look(
    engine: NativeEngine, running: WorkflowHandle[WaitsForSignal, str]
) -> None:
    viewer = await connect(env=engine.variables("viewer"))
    seen = viewer.get_workflow_handle(running.id)

    assert (await seen.describe()).task_queue == "nobody"
    assert [event.event_id async for event in seen.fetch_history_events()]
    assert (await viewer.count_workflows()).count >= 0


async def test_a_read_only_token_cannot_start(engine: NativeEngine) -> None:
    viewer = await connect(env=engine.variables("viewer"))
    with pytest.raises(RPCError, match=UNAUTHORIZED):
        await viewer.start_workflow(WaitsForSignal.run, id="roles/two", task_queue="nobody")


@pytest.mark.parametrize("verb", ["signal", "cancel", "terminate"])
async def test_a_read_only_token_cannot_change(
    engine: NativeEngine, running: WorkflowHandle[WaitsForSignal, str], verb: str
) -> None:
    viewer = await connect(env=engine.variables("viewer"))
    seen = viewer.get_workflow_handle(running.id)
    with pytest.raises(RPCError, match=UNAUTHORIZED):
        await (seen.signal("go") if verb == "signal" else getattr(seen, verb)())

    history = [event.event_type async for event in running.fetch_history_events()]
    assert len(history) == 2  # its start, and a task that nobody takes


async def test_a_client_without_a_certificate_is_refused_and_told_why(engine: NativeEngine) -> None:
    env = engine.variables("operator")
    bare = {name: value for name, value in env.items() if "CLIENT" not in name}
    # By chance the server's alert is heard, or only that it hung up: both are told alike.
    with pytest.raises(EngineUnreachableError, match=r"demands? a client certificate.*_TLS_CLIENT_CERT_PATH"):
        await connect(env=bare)


async def test_a_client_that_speaks_plain_text_is_told_to_speak_tls(engine: NativeEngine) -> None:
    env = {"TEMPORAL_ADDRESS": f"127.0.0.1:{engine.port}", "TEMPORAL_TLS": "false"}
    with pytest.raises(EngineUnreachableError, match="speaks TLS only: set TEMPORAL_TLS=true"):
        await connect(env=env)


async def test_a_certificate_without_a_token_is_refused(engine: NativeEngine) -> None:
    env = {name: value for name, value in engine.variables("operator").items() if "API_KEY" not in name}
    with pytest.raises(NotAuthorizedError, match="refuses a client certificate for namespace 'steadfleet'"):
        await connect(env=env)


async def test_a_token_for_another_audience_is_refused(engine: NativeEngine, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text(engine.token("operator", aud="somebody else"))
    env = {**engine.variables("operator"), "STEADFLEET_API_KEY_FILE": str(token)}
    with pytest.raises(NotAuthorizedError):
        await connect(env=env)


async def test_a_worker_keeps_its_token_when_the_new_one_may_only_look(
    engine: NativeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = tmp_path / "token"
    token.write_text((engine.secrets / "worker" / "token").read_text())
    for name, value in {**engine.variables("worker"), "STEADFLEET_API_KEY_FILE": str(token)}.items():
        monkeypatch.setenv(name, value)
    client: Client = await connect()
    worker = build_worker(client, task_queue=TASK_QUEUE, workflows=[WaitsForSignal])
    async with worker:
        token.write_text((engine.secrets / "viewer" / "token").read_text())
        refused = await credentials.renew_credentials(worker)
        kept = worker.client
        token.write_text(engine.token("worker"))
        renewed = await credentials.renew_credentials(worker)

    assert refused
    assert "a worker needs the permission to write" in refused
    assert kept is client
    assert renewed is None
    assert worker.client is not client
