"""Another authority for clients, while a worker works: what was stolen of the old one is good for nothing."""

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from shutil import copytree

import pytest
from chaos.stage import until
from integration.durable.service import TASK_QUEUE, OneActivity, work_for
from self_host.holders import NAMESPACE, variables_of
from self_host.native import NativeEngine
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import PollWorkflowTaskQueueRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import Worker

from steadfleet_durable import EngineUnreachableError, build_worker, connect, credentials

pytestmark = [pytest.mark.self_host, pytest.mark.timeout(600)]
OLD_CONNECTION_LIVES = timedelta(seconds=202)
"""README.md says so: `frontend.keepAliveMaxConnectionAge`, a tenth more, and 70 s for calls under way."""
CUT_OFF = {RPCStatusCode.UNAVAILABLE, RPCStatusCode.UNKNOWN}
"""Which of the two it is depends on whether the server's alert is heard."""
SETTLED_WITHIN = timedelta(seconds=30)
HTTP2_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))


@dataclass
class Thief:
    """Has copies of an operator's certificate, key and token, and what was opened with them."""

    engine: NativeEngine
    copies: Path

    def __post_init__(self) -> None:
        copytree(self.engine.secrets / "operator", self.copies / "operator")
        self.tls = ssl.create_default_context(cafile=str(self.copies / "operator" / "ca.crt"))
        self.tls.load_cert_chain(self.copies / "operator" / "tls.crt", self.copies / "operator" / "tls.key")
        self.tls.set_alpn_protocols(["h2"])

    async def connect(self) -> Client:
        env = variables_of(self.copies, self.engine.port, "operator")
        return await connect(env={**env, "STEADFLEET_PAYLOAD_KEYS": ""})

    def session(self, resumed: ssl.SSLSession | None = None) -> ssl.SSLSession:
        """Speak until the server answers, which it does to whom it let in; return what can be resumed."""
        with (
            socket.create_connection(("127.0.0.1", self.engine.port)) as plain,
            self.tls.wrap_socket(plain, server_hostname="temporal", session=resumed) as connection,
        ):
            connection.sendall(HTTP2_PREFACE)
            assert connection.recv(1), "the server hung up"
            assert connection.session
            assert connection.session_reused == bool(resumed)
            return connection.session


@asynccontextmanager
async def working(engine: NativeEngine, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Worker]:
    """Run a worker that follows its certificate as those of the services do."""
    for name, value in engine.variables("worker").items():
        monkeypatch.setenv(name, value)
    worker = build_worker(
        await connect(), task_queue=TASK_QUEUE, workflows=[OneActivity], activities=[work_for]
    )
    async with worker:
        following = asyncio.create_task(credentials.follow_credentials(worker, timedelta(seconds=0.2)))
        try:
            yield worker
        finally:
            following.cancel()


async def is_let_in(client: Client) -> bool:
    """Poll for work once, over the connection that is there as long as it lives."""
    poll = PollWorkflowTaskQueueRequest(namespace=NAMESPACE, task_queue=TaskQueue(name="nobody"))
    try:
        await client.workflow_service.poll_workflow_task_queue(poll)
    except RPCError as error:
        if error.status not in CUT_OFF:
            raise
        return False
    return True


async def refusal(thief: Thief) -> str:
    """Connect anew until the server has read whom it trusts; return what it says then."""
    deadline = time.monotonic() + SETTLED_WITHIN.total_seconds()
    while time.monotonic() < deadline:
        try:
            await thief.connect()
        except EngineUnreachableError as error:
            return str(error)
    raise AssertionError(f"a certificate of the old authority is let in after {SETTLED_WITHIN}")


async def works(operator: Client, workflow_id: str) -> bool:
    return await operator.execute_workflow(OneActivity.run, 0.0, id=workflow_id, task_queue=TASK_QUEUE) == 1


async def test_an_old_authority_is_taken_away_from_new_connections_at_once_and_from_open_ones_with_their_age(
    own_engine: NativeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    thief = Thief(own_engine, tmp_path / "stolen")
    async with working(own_engine, monkeypatch) as worker:
        first = worker.client
        await asyncio.to_thread(own_engine.prepare, "--renew", "authority")
        await asyncio.to_thread(own_engine.prepare, "--renew", "certificates")
        await until(lambda: worker.client is not first, "the worker follows", SETTLED_WITHIN)
        session = await asyncio.to_thread(thief.session, await asyncio.to_thread(thief.session))
        opened_at, opened = time.monotonic(), await thief.connect()
        await asyncio.to_thread(own_engine.prepare, "--renew", "trust")
        refused = await refusal(thief)
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await asyncio.to_thread(thief.session, session)
        lives_on = await is_let_in(opened)
        operator = await connect(env=own_engine.variables("operator"))
        assert await works(operator, "at once")
        while await is_let_in(opened):
            assert time.monotonic() < opened_at + OLD_CONNECTION_LIVES.total_seconds()
        assert await works(operator, "afterwards")

    assert "a client certificate" in refused
    assert lives_on, "open connections end at once: README.md says otherwise"
