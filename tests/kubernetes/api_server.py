"""A Kubernetes API on loopback: etcd and kube-apiserver, and nothing that would run what it is given."""

import socket
import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from kubernetes.programs import Programs
from kubernetes.rendering import Object

_TOKEN = "operator-of-the-tests"
_STARTS_WITHIN = 120.0
NAMESPACE = "steadfleet"


@dataclass(frozen=True)
class ApiServer:
    """What an operator's `kubectl` talks to."""

    programs: Programs
    url: str
    folder: Path

    def kubectl(self, *arguments: str | Path, given: str | None = None) -> subprocess.CompletedProcess[str]:
        access = [
            f"--server={self.url}",
            f"--token={_TOKEN}",
            f"--certificate-authority={self.folder / 'certificates/apiserver.crt'}",
            f"--cache-dir={self.folder / 'kubectl'}",
        ]
        return self.programs.kubectl([*access, *arguments], given)

    def try_out(self, objects: Iterable[Object]) -> subprocess.CompletedProcess[str]:
        """Apply as a dry run at the server, which takes no field that it does not know."""
        text = yaml.safe_dump_all(list(objects))
        arguments = ("apply", "--dry-run=server", "--validate=strict", "--output=name", "--filename=-")
        return self.kubectl(*arguments, given=text)

    def must(self, *arguments: str | Path, given: str | None = None) -> None:
        ran = self.kubectl(*arguments, given=given)
        assert ran.returncode == 0, ran.stderr


@contextmanager
def api_server(programs: Programs, folder: Path) -> Iterator[ApiServer]:
    """Run one until the end of the block, with the definitions of all kinds that we use."""
    store, peers, port = _free_ports(3)
    with ExitStack() as stack:
        stack.enter_context(_running(_etcd(programs, folder, store, peers), folder / "etcd.log"))
        argv = _kube_apiserver(programs, folder, store, port)
        process = stack.enter_context(_running(argv, folder / "kube-apiserver.log"))
        server = ApiServer(programs, f"https://127.0.0.1:{port}", folder)
        _wait_until_ready(server, process, folder)
        server.must("apply", "--server-side", "--filename", programs.definitions)
        server.must("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
        yield server


def _etcd(programs: Programs, folder: Path, port: int, peers: int) -> list[str]:
    client, peer = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{peers}"
    return [
        programs.path("etcd"),
        f"--data-dir={folder / 'etcd'}",
        "--unsafe-no-fsync",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
    ]


def _kube_apiserver(programs: Programs, folder: Path, store: int, port: int) -> list[str]:
    tokens = folder / "tokens.csv"
    tokens.write_text(f'{_TOKEN},operator,operator,"system:masters"\n')
    key = folder / "accounts.key"
    key.write_bytes(
        rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
    )
    return [
        programs.path("kube-apiserver"),
        f"--etcd-servers=http://127.0.0.1:{store}",
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        f"--secure-port={port}",
        f"--cert-dir={folder / 'certificates'}",
        f"--token-auth-file={tokens}",
        "--authorization-mode=RBAC",
        # No controller makes the accounts that it would ask for.
        "--disable-admission-plugins=ServiceAccount",
        "--endpoint-reconciler-type=none",
        "--service-cluster-ip-range=10.96.0.0/16",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-signing-key-file={key}",
        f"--service-account-key-file={key}",
    ]


@contextmanager
def _running(argv: list[str], log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    with log.open("wb") as output:
        process = subprocess.Popen(argv, stdout=output, stderr=subprocess.STDOUT)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_ready(server: ApiServer, process: "subprocess.Popen[bytes]", folder: Path) -> None:
    deadline = time.monotonic() + _STARTS_WITHIN
    while server.kubectl("get", "--raw", "/readyz").returncode != 0:
        if process.poll() is not None or time.monotonic() > deadline:
            log = (folder / "kube-apiserver.log").read_text(errors="replace")
            pytest.fail(f"kube-apiserver is not ready:\n{log[-3000:]}")
        time.sleep(0.2)


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def names_of(applied: str) -> list[str]:
    return [line.split("/", 1)[1] for line in applied.splitlines()]


def pod_alone(running: Object) -> Object:
    """Return a pod as a worker's, by itself: admission looks at pods, not at what makes them."""
    spec = deepcopy(running["spec"]["template"]["spec"])
    claims = running["spec"].get("volumeClaimTemplates", [])
    spec["volumes"] += [
        {"name": claim["metadata"]["name"], "persistentVolumeClaim": {"claimName": "any"}} for claim in claims
    ]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "alone", "namespace": NAMESPACE},
        "spec": spec,
    }
