"""Commands over SSH: what they write, how they end, and that nothing of them stays."""

import asyncio
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import paramiko
import pytest

from fakes.ssh import FakeSshServer, gone, new_key
from steadfleet_activities.image.examining.machine import NotBootedError, UnreachableError
from steadfleet_activities.image.examining.ssh import SshMachine

KEY = new_key()
SOON = timedelta(seconds=20)
AT_ONCE = timedelta(seconds=1)


@pytest.fixture
def server() -> Iterator[FakeSshServer]:
    with FakeSshServer(accepted=KEY) as server:
        yield server


@pytest.fixture
def machine(server: FakeSshServer) -> SshMachine:
    return SshMachine("i-1", server.address, "root", KEY, server.port)


def await_pid(path: Path) -> int:
    end = time.monotonic() + 20
    while not (path.exists() and path.read_text().endswith("\n")):
        assert time.monotonic() < end, "it never began"
        time.sleep(0.01)
    return int(path.read_text())


def await_end_of(pid: int) -> None:
    end = time.monotonic() + 20
    while not gone(pid):
        assert time.monotonic() < end, "it never ended"
        time.sleep(0.01)


async def test_output_and_exit_status_come_back(machine: SshMachine) -> None:
    ran = await machine.run("echo out; echo err >&2; exit 3", SOON)

    assert (ran.exit_status, str(ran.stdout), str(ran.stderr)) == (3, "out\n", "err\n")


async def test_a_script_may_hold_any_sign(machine: SshMachine) -> None:
    ran = await machine.run("printf '%s' \"it's \\$HOME; `echo x` é\" 'a\nb'", SOON)

    assert str(ran.stdout) == "it's $HOME; x éa\nb"


async def test_a_command_that_reads_gets_an_end(machine: SshMachine) -> None:
    assert (await machine.run("cat; echo done", SOON)).exit_status == 0


async def test_much_output_is_kept_up_to_a_bound_and_counted(machine: SshMachine) -> None:
    ran = await machine.run("head -c 300000 /dev/zero; head -c 200000 /dev/zero >&2", SOON, most=1000)

    assert ran.exit_status == 0
    assert (ran.stdout.cut, ran.stderr.cut, ran.stderr.total) == (True, True, 200000)
    assert len(ran.stdout.content) <= 1000


async def test_at_its_limit_a_command_ends_with_all_that_it_started(
    machine: SshMachine, tmp_path: Path
) -> None:
    script = f"sleep 1000 & echo $! > {tmp_path}/pid; echo begun; sleep 1000"

    ran = await machine.run(script, AT_ONCE)

    assert (ran.exit_status, str(ran.stdout)) == (None, "begun\n")
    await asyncio.to_thread(await_end_of, await_pid(tmp_path / "pid"))


async def test_a_cancelled_command_ends_with_all_that_it_started(machine: SshMachine, tmp_path: Path) -> None:
    script = f"sleep 1000 & echo $! > {tmp_path}/pid; sleep 1000"
    running = asyncio.create_task(machine.run(script, timedelta(hours=1)))
    pid = await asyncio.to_thread(await_pid, tmp_path / "pid")

    running.cancel()

    with pytest.raises(asyncio.CancelledError):
        await running
    await asyncio.to_thread(await_end_of, pid)


async def test_a_daemon_that_keeps_the_output_open_does_not_keep_the_command(machine: SshMachine) -> None:
    begun = time.monotonic()

    ran = await machine.run("sleep 1000 & echo $!", timedelta(seconds=60))

    assert ran.exit_status == 0
    assert time.monotonic() - begun < 30
    await machine.run(f"kill {ran.stdout}", SOON)


async def test_a_connection_that_is_lost_is_no_answer(machine: SshMachine, server: FakeSshServer) -> None:
    await machine.await_login(SOON)
    server.__exit__()

    with pytest.raises(UnreachableError, match=r"i-1 could not be asked by SSH at 127\.0\.0\.1"):
        await machine.run("true", SOON)


@pytest.mark.parametrize("shell", ["/bin/false", "/bin/echo"])
async def test_a_user_without_a_shell_is_no_answer(shell: str) -> None:
    with FakeSshServer(accepted=KEY, shell=shell) as server:
        machine = SshMachine("i-1", server.address, "root", KEY, server.port)

        with pytest.raises(UnreachableError, match="i-1 has no shell for root"):
            await machine.run("exit 0", SOON)


async def test_login_is_tried_until_the_limit(server: FakeSshServer) -> None:
    stranger = SshMachine("i-1", server.address, "admin", new_key(), server.port)

    with pytest.raises(NotBootedError, match=r"did not let admin in .* refused our key; is the user right\?"):
        await stranger.await_login(AT_ONCE)


async def test_nothing_that_listens_is_not_booted() -> None:
    with FakeSshServer() as server:
        port = server.port

    with pytest.raises(NotBootedError, match="within 1s"):
        await SshMachine("i-1", "127.0.0.1", "root", KEY, port).await_login(AT_ONCE)


async def test_login_waits_for_a_server_that_comes_late() -> None:
    with FakeSshServer() as early:
        port = early.port
    machine = SshMachine("i-1", "127.0.0.1", "root", KEY, port)
    waiting = asyncio.create_task(machine.await_login(SOON))
    await asyncio.sleep(0)

    with FakeSshServer(port=port, accepted=KEY):
        await waiting


async def test_another_host_key_than_the_first_is_refused(machine: SshMachine, server: FakeSshServer) -> None:
    await machine.await_login(SOON)
    server.host_key = paramiko.RSAKey.generate(2048)

    with pytest.raises(UnreachableError, match=r"[Hh]ost key"):
        await machine.run("true", SOON)


async def test_a_host_key_of_another_kind_than_the_first_is_refused(
    machine: SshMachine, server: FakeSshServer
) -> None:
    await machine.await_login(SOON)
    server.host_key = paramiko.ECDSAKey.generate()

    with pytest.raises(UnreachableError):
        await machine.run("true", SOON)


def test_the_private_key_is_readable_by_us_alone(machine: SshMachine, tmp_path: Path) -> None:
    host = machine.test_host(tmp_path)

    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    assert host.options[0] == "--hosts=paramiko://root@127.0.0.1"
    assert f"IdentityFile {tmp_path}/key" in (tmp_path / "ssh_config").read_text()
