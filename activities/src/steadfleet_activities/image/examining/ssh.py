"""A machine that is reached by SSH."""

import asyncio
import logging
import os
import selectors
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from io import StringIO
from pathlib import Path
from shlex import quote
from typing import TypeVar

import paramiko

from steadfleet_activities.fleet.waiting import Pace
from steadfleet_activities.image.examining.machine import (
    MOST_OUTPUT,
    Captured,
    Machine,
    NotBootedError,
    Ran,
    TestHost,
    UnreachableError,
)
from steadfleet_core.model import format_duration
from steadfleet_durable import unbroken

SSH_PORT = 22
_CALL_TIME = 10.0
_SLICE = 0.2
_CHUNK = 65536
# A daemon that the command left may hold its output open for ever.
_LAST_WORDS = 1.0
# The command is the leader of a session of its own, as sshd starts it: its pid finds all of it.
_TELL_PID = 'echo $$; exec /bin/sh -c "$1"'
_KILL_TIME = timedelta(seconds=10)

# While a machine boots, each refused connection would be an error with a traceback there.
_CHANNEL = "steadfleet.ssh"
logging.getLogger(_CHANNEL).setLevel(logging.CRITICAL)

_Result = TypeVar("_Result")
_LOST = (paramiko.SSHException, OSError, EOFError)


@dataclass
class SshMachine(Machine):
    """
    A connection for each command, so that one that was cut harms no other.

    Nobody can know the host key of a machine that has just been made: so the key that it shows
    first, at an address that was given to it alone moments ago, is kept, and every later connection
    must show the same. Somebody between could answer in its stead, but not log in there as us:
    what we sign is bound to the session.
    """

    id: str
    address: str
    user: str
    private_key: str
    port: int = SSH_PORT
    _known: paramiko.HostKeys = field(default_factory=paramiko.HostKeys)

    async def await_login(self, limit: timedelta) -> None:
        """Try until the user is let in."""
        loop, pace = asyncio.get_running_loop(), Pace()
        end = loop.time() + limit.total_seconds()
        while said := await unbroken(self._refusal):
            if loop.time() >= end:
                raise NotBootedError(
                    f"{self.id} did not let {self.user} in by SSH at {self.address} within "
                    f"{format_duration(limit)}: {said}"
                )
            await pace.rest()

    async def run(self, script: str, limit: timedelta, most: int = MOST_OUTPUT) -> Ran:
        return await _interruptible(lambda stop: self._run(script, limit, most, stop))

    def test_host(self, folder: Path) -> TestHost:
        key, config = folder / "key", folder / "ssh_config"
        with os.fdopen(os.open(key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(self.private_key)
        config.write_text(
            # testinfra cannot be given a host key: it asks the machine that we asked first.
            f"Host *\n  Port {self.port}\n  IdentityFile {key}\n  StrictHostKeyChecking no\n"
        )
        return TestHost((f"--hosts=paramiko://{self.user}@{self.address}", f"--ssh-config={config}"))

    def _refusal(self) -> str:
        try:
            with self._connection():
                return ""
        except paramiko.AuthenticationException:
            return "it refused our key; is the user right?"
        except _LOST as error:
            return str(error) or type(error).__name__

    def _run(self, script: str, limit: timedelta, most: int, stop: threading.Event) -> Ran:
        end = time.monotonic() + limit.total_seconds()
        try:
            with self._connection() as client, _session(client) as channel:
                channel.exec_command(f"exec /bin/sh -c {quote(_TELL_PID)} sh {quote(script)}".encode())
                channel.shutdown_write()
                command = _Command(channel, most)
                ended = command.follow(end, stop)
                pid = command.out.drop_line()
        except _LOST as error:
            said = str(error) or type(error).__name__
            raise UnreachableError(
                f"{self.id} could not be asked by SSH at {self.address}: {said}"
            ) from error
        if ended and not (pid and pid.isdigit()):
            raise UnreachableError(f"{self.id} has no shell for {self.user}: {command.said}")
        if not ended and pid and pid.isdigit():
            self._kill(int(pid))
        return Ran(channel.recv_exit_status() if ended else None, command.out, command.err)

    def _kill(self, pid: int) -> None:
        with suppress(*_LOST), self._connection() as client, _session(client) as channel:
            channel.exec_command(f"kill -9 -{pid}")
            _Command(channel, MOST_OUTPUT).follow(
                time.monotonic() + _KILL_TIME.total_seconds(), threading.Event()
            )

    @contextmanager
    def _connection(self) -> Iterator[paramiko.SSHClient]:
        client = paramiko.SSHClient()
        client.set_log_channel(_CHANNEL)
        client.get_host_keys().update(self._known)
        known = bool(self._known)
        client.set_missing_host_key_policy(paramiko.RejectPolicy() if known else paramiko.AutoAddPolicy())
        try:
            client.connect(
                self.address,
                self.port,
                self.user,
                pkey=paramiko.Ed25519Key.from_private_key(StringIO(self.private_key)),
                timeout=_CALL_TIME,
                banner_timeout=_CALL_TIME,
                auth_timeout=_CALL_TIME,
                look_for_keys=False,
                allow_agent=False,
            )
            # Kept once we were let in: whatever answers while it boots is not it yet.
            self._known.update(client.get_host_keys())
            yield client
        finally:
            client.close()


class _Command:
    """What one command writes, until it ends."""

    def __init__(self, channel: paramiko.Channel, most: int) -> None:
        self._channel = channel
        self.out, self.err = Captured(most), Captured(most)

    def follow(self, end: float, stop: threading.Event) -> bool:
        """Read until it has ended and said all; False if the time was over, or nobody waits any more."""
        silence_until: float | None = None
        with selectors.DefaultSelector() as selector:
            selector.register(self._channel, selectors.EVENT_READ)
            while not stop.is_set() and time.monotonic() < end:
                selector.select(min(_SLICE, max(end - time.monotonic(), 0)))
                more = self._drain()
                if self._channel.exit_status_ready():
                    silence_until = silence_until or time.monotonic() + _LAST_WORDS
                    if not more and (self._channel.eof_received or time.monotonic() > silence_until):
                        return True
                elif self._channel.closed and not more:
                    raise EOFError("the connection was closed before the command ended")
        return False

    @property
    def said(self) -> str:
        return (str(self.err) or str(self.out)).strip()

    def _drain(self) -> bool:
        some = False
        while self._channel.recv_ready() and (read := self._channel.recv(_CHUNK)):
            self.out.feed(read)
            some = True
        while self._channel.recv_stderr_ready() and (read := self._channel.recv_stderr(_CHUNK)):
            self.err.feed(read)
            some = True
        return some


@contextmanager
def _session(client: paramiko.SSHClient) -> Iterator[paramiko.Channel]:
    transport = client.get_transport()
    if transport is None:
        raise paramiko.SSHException("the connection was closed")
    channel = transport.open_session(timeout=_CALL_TIME)
    channel.settimeout(_CALL_TIME)
    try:
        yield channel
    finally:
        channel.close()


async def _interruptible(call: Callable[[threading.Event], _Result]) -> _Result:
    """Run a blocking call that looks at an event; if cancelled, set it and wait for the end."""
    stop = threading.Event()
    running = asyncio.ensure_future(unbroken(call, stop))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        stop.set()
        with suppress(Exception):
            await running
        raise
