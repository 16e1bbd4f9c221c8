"""A self-hosted engine for a benchmark: Temporal's server on a PostgreSQL of its own, both on loopback."""

import os
import random
import socket
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import BIN, HERE, TYPES, Bench, free_port, worker_at

from steadfleet_local_cloud.postgres import Programs
from steadfleet_workflows.visibility import KEYS

SHARDS = 4
MISSING = "Temporal's server (`.ci/self-host-images programs`) and Debian's PostgreSQL, for its btree_gin"
_POSTGRESQL = Path("/usr/lib/postgresql")
_ROLES = ("frontend", "history", "matching", "worker")
_ANSWERS_WITHIN = 60.0


@dataclass(frozen=True)
class ServerPrograms:
    """Temporal's server and its schema tool, which are built from source, once; and PostgreSQL's programs."""

    server: Path
    schema_tool: Path
    postgresql: Path

    @classmethod
    def find(cls) -> "ServerPrograms | None":
        """Return where `.ci/self-host-images programs` and Debian put them; None while one is not there."""
        script = HERE.parent / ".ci" / "self-host-images"
        told = subprocess.run([script, "where"], capture_output=True, text=True, check=True).stdout
        places = dict(line.split("=", 1) for line in told.splitlines())
        server, schema_tool = Path(places["server"]), Path(places["sql_tool"])
        installed = sorted(_POSTGRESQL.glob("*/bin"), key=lambda folder: int(folder.parent.name))
        if not (server.exists() and schema_tool.exists() and installed):
            return None
        return cls(server, schema_tool, installed[-1])


@asynccontextmanager
async def server_on_postgresql(programs: ServerPrograms) -> AsyncIterator[Bench]:
    """Start PostgreSQL with its own durability (fsync on), the server with 4 shards, and a worker."""
    postgresql = Postgresql(programs.postgresql)
    with tempfile.TemporaryDirectory(prefix="bench-engine-") as name, postgresql.up(Path(name)) as database:
        _set_up_schema(programs, database)
        folder, metrics, ports = Path(name), free_port(), low_ports(2 * len(_ROLES))
        (folder / "dynamic.yaml").write_text("{}\n", encoding="utf-8")
        config = folder / "server.yaml"
        config.write_text(_config(database, metrics, ports, folder / "dynamic.yaml"), encoding="utf-8")
        command: list[str | Path] = [programs.server, "--config-file", config, "start"]
        with (
            (folder / "server.log").open("wb") as log,
            subprocess.Popen(command, stdout=log, stderr=log) as server,
        ):
            try:
                address = f"127.0.0.1:{ports[0]}"
                _set_up_namespace(address)
                async with worker_at(address, metrics) as bench:
                    yield bench
            finally:
                server.terminate()


class Postgresql(Programs):
    """PostgreSQL's programs from a folder: those of the local cloud lack what visibility needs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextmanager
    def up(self, folder: Path) -> Iterator[int]:
        """Give the port of a new cluster that trusts this machine."""
        data, port = folder / "postgresql", free_port()
        self.make_folder(data)
        self.run("initdb", "-D", data, "-U", "temporal", "--auth=trust", "--encoding=UTF8", "--locale=C")
        argv = self.argv("postgres", "-D", data, "-h", "127.0.0.1", "-p", str(port), "-k", "")
        with subprocess.Popen(argv, cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
            try:
                _await(lambda: self._ready(port), f"PostgreSQL at port {port}")
                yield port
            finally:
                server.terminate()

    def _ready(self, port: int) -> bool:
        argv = self.argv("pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port))
        return subprocess.run(argv, cwd="/", check=False).returncode == 0


def low_ports(count: int) -> list[int]:
    """Choose free ports that fit where PostgreSQL keeps those of the members: a smallint."""
    chosen = random.sample(range(15_000, 32_000), 50 * count)
    return [port for port in chosen if _free(port)][:count]


def _free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def _set_up_schema(programs: ServerPrograms, port: int) -> None:
    place = {
        "SQL_PLUGIN": "postgres12",
        "SQL_HOST": "127.0.0.1",
        "SQL_PORT": str(port),
        "SQL_USER": "temporal",
    }
    for database, schema in (("temporal", "temporal"), ("temporal_visibility", "visibility")):
        env = {**os.environ, **place, "SQL_PASSWORD": "", "SQL_DATABASE": database}
        for words in (
            ("create-database",),
            ("setup-schema", "-v", "0.0"),
            ("update-schema", "--schema-name", f"postgresql/v12/{schema}"),
        ):
            subprocess.run([programs.schema_tool, *words], env=env, capture_output=True, check=True)


def _set_up_namespace(address: str) -> None:
    namespace = ("namespace", "create", "-n", "default", "--retention", "24h")
    attributes = [
        word for key in KEYS for word in ("--name", key.name, "--type", TYPES[key.indexed_value_type])
    ]
    for words in (namespace, ("search-attribute", "create", *attributes)):
        command: list[str | Path] = [BIN / "temporal", "operator", *words, "--address", address]
        _await(lambda: _succeeds(command), " ".join(map(str, command)))


def _succeeds(command: list[str | Path]) -> bool:
    return subprocess.run(command, capture_output=True, check=False, timeout=30).returncode == 0


def _await(done: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + _ANSWERS_WITHIN
    while not done():
        if time.monotonic() > deadline:
            raise RuntimeError(f"{what}: no answer within {_ANSWERS_WITHIN:g} s")
        time.sleep(0.2)


def _config(database: int, metrics: int, ports: list[int], dynamic: Path) -> str:
    """Write the least that a server needs: plain text, open to all, on loopback."""
    stores = "".join(_store(name, base, database) for name, base in _STORES.items())
    services = "".join(_service(role, *ports[2 * n : 2 * n + 2]) for n, role in enumerate(_ROLES))
    return f"""log: {{stdout: true, level: error}}
persistence:
  defaultStore: default
  visibilityStore: visibility
  numHistoryShards: {SHARDS}
  datastores:
{stores}global:
  membership: {{maxJoinDuration: 30s, broadcastAddress: 127.0.0.1}}
  metrics: {{prometheus: {{timerType: histogram, listenAddress: "127.0.0.1:{metrics}"}}}}
services:
{services}clusterMetadata:
  enableGlobalNamespace: false
  failoverVersionIncrement: 10
  masterClusterName: active
  currentClusterName: active
  clusterInformation:
    active:
      enabled: true
      initialFailoverVersion: 1
      rpcName: frontend
      rpcAddress: "127.0.0.1:{ports[0]}"
publicClient: {{hostPort: "127.0.0.1:{ports[0]}"}}
dynamicConfigClient: {{filepath: "{dynamic}", pollInterval: 60s}}
"""


_STORES = {"default": "temporal", "visibility": "temporal_visibility"}


def _store(name: str, database: str, port: int) -> str:
    return f"""    {name}:
      sql:
        pluginName: postgres12
        databaseName: {database}
        connectAddr: 127.0.0.1:{port}
        connectProtocol: tcp
        user: temporal
        password: ""
        maxConns: 20
        maxIdleConns: 20
"""


def _service(role: str, grpc: int, membership: int) -> str:
    return f"""  {role}:
    rpc: {{grpcPort: {grpc}, membershipPort: {membership}, bindOnIP: 127.0.0.1}}
"""
