"""A self-hosted engine for a benchmark: Temporal's server on a PostgreSQL of its own, both on loopback."""

import os
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
_ROLES = ("frontend", "history", "matching", "worker")
_ANSWERS_WITHIN = 60.0


@dataclass(frozen=True)
class ServerPrograms:
    """Temporal's server and its schema tool, which are built from source, once."""

    server: Path
    schema_tool: Path

    @classmethod
    def find(cls) -> "ServerPrograms | None":
        """Return where `.ci/self-host-images programs` puts them; None while they are not there."""
        script = HERE.parent / ".ci" / "self-host-images"
        told = subprocess.run([script, "where"], capture_output=True, text=True, check=True).stdout
        places = dict(line.split("=", 1) for line in told.splitlines())
        found = cls(Path(places["server"]), Path(places["sql_tool"]))
        return found if found.server.exists() and found.schema_tool.exists() else None


@asynccontextmanager
async def server_on_postgresql(programs: ServerPrograms) -> AsyncIterator[Bench]:
    """Start PostgreSQL with its own durability (fsync on), the server with 4 shards, and a worker."""
    with tempfile.TemporaryDirectory(prefix="bench-engine-") as name, _postgresql(Path(name)) as database:
        _set_up_schema(programs, database)
        folder, metrics, ports = Path(name), free_port(), [free_port() for _ in range(2 * len(_ROLES))]
        (folder / "dynamic.yaml").write_text("{}\n", encoding="utf-8")
        config = folder / "server.yaml"
        config.write_text(_config(database, metrics, ports, folder / "dynamic.yaml"), encoding="utf-8")
        command: list[str | Path] = [programs.server, "--config-file", config, "--allow-no-auth", "start"]
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


@contextmanager
def _postgresql(folder: Path) -> Iterator[int]:
    """Give the port of a new cluster that trusts this machine."""
    programs, data, port = Programs(), folder / "postgresql", free_port()
    programs.make_folder(data)
    programs.run("initdb", "-D", data, "-U", "temporal", "--auth=trust", "--encoding=UTF8", "--locale=C")
    argv = programs.argv("postgres", "-D", data, "-h", "127.0.0.1", "-p", str(port), "-k", "")
    with subprocess.Popen(argv, cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            _await(lambda: _ready(programs, port), f"PostgreSQL at port {port}")
            yield port
        finally:
            server.terminate()


def _ready(programs: Programs, port: int) -> bool:
    argv = programs.argv("pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port))
    return subprocess.run(argv, cwd="/", check=False).returncode == 0


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
