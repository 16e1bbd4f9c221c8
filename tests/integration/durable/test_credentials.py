"""A running worker follows its certificates and keys, and keeps what works."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from integration.durable.process import Service, service
from integration.durable.service import TASK_QUEUE, OneActivity
from integration.durable.tls_front import Authority, TlsFront, as_http2_header, tls_front
from temporalio.testing import WorkflowEnvironment

OFTEN = {"STEADFLEET_CREDENTIALS_INTERVAL": "1s"}


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
async def front(dev_server: WorkflowEnvironment, authority: Authority) -> AsyncIterator[TlsFront]:
    address = dev_server.client.service_client.config.target_host
    async with tls_front(address, authority.issue("127.0.0.1"), authority.path) as front:
        yield front


class Shown:
    """The certificate and key that a worker is told to show: files that are replaced."""

    def __init__(self, folder: Path, authority: Authority) -> None:
        self._authority = authority
        self.certificate, self.key = folder / "shown.pem", folder / "shown.key"

    def replace(self, name: str) -> None:
        certificate, key = self._authority.issue(name)
        shutil.copy(certificate, self.certificate)
        shutil.copy(key, self.key)

    @property
    def variables(self) -> dict[str, str]:
        return {
            "TEMPORAL_TLS_SERVER_CA_CERT_PATH": str(self._authority.path),
            "TEMPORAL_TLS_CLIENT_CERT_PATH": str(self.certificate),
            "TEMPORAL_TLS_CLIENT_KEY_PATH": str(self.key),
            **OFTEN,
        }


@pytest.fixture
def shown(tmp_path: Path, authority: Authority) -> Shown:
    shown = Shown(tmp_path, authority)
    shown.replace("old")
    return shown


async def until(holds: Callable[[], bool], seconds: float = 30) -> None:
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110  # what changes is in another process
            await asyncio.sleep(0.05)


async def works(environment: WorkflowEnvironment, name: str) -> bool:
    async with asyncio.timeout(60):
        result: int = await environment.client.execute_workflow(
            OneActivity.run, 0, id=name, task_queue=TASK_QUEUE
        )
    return result == 1


async def line_with(worker: Service, text: str) -> str:
    """Read its log up to the first line with that text."""
    assert worker.process.stderr is not None
    async with asyncio.timeout(30):
        async for line in worker.process.stderr:
            if text in line.decode():
                return line.decode()
    raise AssertionError(f"it left without saying {text!r}")


async def left_with(worker: Service) -> str:
    worker.terminate()
    code, logged = await worker.left()
    assert code == 0
    return logged


async def test_a_worker_goes_on_under_its_new_certificate(
    dev_server: WorkflowEnvironment, front: TlsFront, shown: Shown
) -> None:
    async with service(front.address, **shown.variables) as worker:
        await worker.until_ready(lambda answer: answer[0] == 200)
        shown.replace("new")
        await until(lambda: "new" in front.names())
        front.refuse("old")
        assert await works(dev_server, "after")
        assert (await worker.ready())[0] == 200
        logged = await left_with(worker)

    assert logged.count("new credentials") == 1


async def test_a_pair_that_does_not_fit_is_told_and_the_old_one_kept(
    dev_server: WorkflowEnvironment, front: TlsFront, shown: Shown, authority: Authority
) -> None:
    async with service(front.address, **shown.variables) as worker:
        await worker.until_ready(lambda answer: answer[0] == 200)
        certificate, key = authority.issue("new")
        shutil.copy(certificate, shown.certificate)
        assert "not a pair" in await line_with(worker, "the new credentials do not work")
        assert await works(dev_server, "between")
        shutil.copy(key, shown.key)
        await until(lambda: "new" in front.names())
        front.refuse("old")
        assert await works(dev_server, "after")
        assert "new credentials" in await left_with(worker)


async def test_an_api_key_is_followed(
    dev_server: WorkflowEnvironment, front: TlsFront, shown: Shown, tmp_path: Path
) -> None:
    key = tmp_path / "key"
    key.write_text("test0ase1cea2\n")
    async with service(front.address, **shown.variables, STEADFLEET_API_KEY_FILE=str(key)) as worker:
        await worker.until_ready(lambda answer: answer[0] == 200)
        assert as_http2_header("Bearer test0ase1cea2") in front.heard
        key.write_text("test1ase0cea2\n")
        await until(lambda: as_http2_header("Bearer test1ase0cea2") in front.heard)
        assert await works(dev_server, "after")
        logged = await left_with(worker)

    assert "new credentials" in logged
    assert "ase0cea2" not in logged
