"""An SSH server without OpenSSH: it runs commands by this machine's shell, as sshd would, on loopback."""

import io
import os
import socket
import subprocess
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import IO, Self

import paramiko
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from paramiko.common import AUTH_FAILED, AUTH_SUCCESSFUL, OPEN_SUCCEEDED


def new_key() -> str:
    private = Ed25519PrivateKey.generate()
    return private.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()


def read_key(key: str) -> paramiko.PKey:
    return paramiko.Ed25519Key.from_private_key(io.StringIO(key))


class FakeSshServer:
    """
    Lets in whoever holds `accepted`, or anybody with a key when that is None.

    `commands` is what it was asked to run; each runs in a session of its own, as under sshd.
    """

    def __init__(
        self, address: str = "127.0.0.1", port: int = 0, accepted: str | None = None, shell: str = "/bin/sh"
    ) -> None:
        self.host_key: paramiko.PKey = paramiko.RSAKey.generate(2048)
        self.accepted = read_key(accepted).asbytes() if accepted else None
        self.shell = shell
        self.commands: list[str] = []
        self._socket = socket.create_server((address, port))
        self.address, self.port = self._socket.getsockname()
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._transports: list[paramiko.Transport] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for transport in self._transports:
            transport.close()

    def serve(self) -> None:
        """Serve until the process is ended."""
        self._listen()

    def _listen(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._greet, args=[connection], daemon=True).start()

    def _greet(self, connection: socket.socket) -> None:
        transport = paramiko.Transport(connection)
        transport.set_log_channel("fakes.ssh")
        transport.add_server_key(self.host_key)
        self._transports.append(transport)
        with suppress(paramiko.SSHException, EOFError, OSError):
            transport.start_server(server=_Session(self))


class _Session(paramiko.ServerInterface):
    def __init__(self, server: FakeSshServer) -> None:
        self._server = server

    def get_allowed_auths(self, _username: str) -> str:
        return "publickey"

    def check_auth_publickey(self, _username: str, key: paramiko.PKey) -> int:
        known = self._server.accepted
        let_in = known is None or key.asbytes() == known
        return AUTH_SUCCESSFUL if let_in else AUTH_FAILED

    def check_channel_request(self, _kind: str, _chanid: int) -> int:
        return OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        self._server.commands.append(command.decode())
        threading.Thread(
            target=_run, args=[channel, self._server.shell, command.decode()], daemon=True
        ).start()
        return True


def _run(channel: paramiko.Channel, shell: str, command: str) -> None:
    process = subprocess.Popen(
        [shell, "-c", command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout
    assert process.stderr
    streams = [(process.stdout, channel.sendall), (process.stderr, channel.sendall_stderr)]
    threads = [threading.Thread(target=_copy, args=[*stream], daemon=True) for stream in streams]
    for thread in threads:
        thread.start()
    status = process.wait()
    with suppress(OSError):
        channel.send_exit_status(status if status >= 0 else 128 - status)
    for thread in threads:
        thread.join()
    channel.close()


def _copy(stream: IO[bytes], send: Callable[[bytes], None]) -> None:
    with stream, suppress(OSError):
        while more := os.read(stream.fileno(), 65536):
            send(more)


def gone(pid: int) -> bool:
    """Say whether a process has ended, be it reaped or not."""
    try:
        with open(f"/proc/{pid}/stat") as file:  # noqa: PTH123
            return file.read().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True
