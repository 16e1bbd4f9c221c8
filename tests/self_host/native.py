"""The engine of deploy/self-host, its very configuration and certificates, as processes of this machine.

What differs from compose: PostgreSQL is spoken to without TLS, there are 4 history shards, and a poll
lasts 5 s, so that who polls is known sooner.
"""

import os
import random
import re
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import jwt
from self_host.holders import NAMESPACE, variables_of
from self_host.postgresql import PostgresServer

from steadfleet_cli.parts import port_taken
from steadfleet_cli.self_host.installation import Databases, Installation
from steadfleet_workflows.visibility import KEYS

DEPLOY = Path(__file__).parents[2] / "deploy" / "self-host"
TEMPORAL = Path(sys.executable).with_name("temporal")
POLL_LASTS = 5
_SERVES_WITHIN = 120.0
_ROLES = ("FRONTEND", "INTERNAL_FRONTEND", "HISTORY", "MATCHING", "WORKER")


def low_port() -> int:
    """Return a free port that the server can write down: its column holds 15 bits."""
    return next(
        port for port in random.SystemRandom().sample(range(15_000, 30_000), 1000) if not port_taken(port)
    )


def programs() -> Path:
    """Return the folder of the server's programs, whether they are there or not."""
    told = subprocess.run(
        [DEPLOY.parents[1] / ".ci" / "self-host-images", "where"], capture_output=True, text=True, check=True
    ).stdout
    [path] = re.findall(r"^server=(.+?)(?:/temporal-server)?$", told, re.MULTILINE)
    return Path(path)


@dataclass
class NativeEngine(Installation):
    """`workers` are started and stopped with it, as compose does with its own."""

    folder: Path
    port: int = field(init=False)
    stop_ours: Callable[[], None] = lambda: None
    start_ours: Callable[[], None] = lambda: None
    steps: list[str] = field(default_factory=list)
    """What it was told to do, in order."""

    def __post_init__(self) -> None:
        self.secrets = self.folder / "secrets"
        self.postgres = PostgresServer(self.folder / "postgresql", low_port())
        self.process: subprocess.Popen[bytes] | None = None
        self._databases = Databases()
        self._choose_ports()

    def _choose_ports(self) -> None:
        self.port = low_port()
        self._ports = {
            f"{role}_{kind}_PORT": str(low_port()) for role in _ROLES for kind in ("GRPC", "MEMBERSHIP")
        } | {"FRONTEND_GRPC_PORT": str(self.port)}

    # -- an installation, as backup and restore see it

    @property
    def databases(self) -> Databases:
        return self._databases

    def postgresql(self, program: str) -> list[str]:
        return self.postgres.command(program)

    def stop_workers(self) -> None:
        self.steps.append("stop workers")
        self.stop_ours()

    def start_workers(self) -> None:
        self.steps.append("start workers")
        self.start_ours()

    def stop_server(self) -> None:
        self.steps.append("stop server")
        if self.process is not None:
            self.process.terminate()
            self.process.wait()
            self.process = None

    def start_server(self, databases: Databases) -> None:
        self.steps.append(f"start server on {databases.default}")
        self._databases = databases
        if self.process is None:
            self.start()

    # -- its life

    def make(self) -> None:
        """Bring it up from nothing to a namespace with our search attributes."""
        self.prepare()
        self.postgres.make("temporal", self._password, self.databases.all)
        self._make_schema()
        self._start_first()
        self.temporal("operator", "namespace", "create", "-n", NAMESPACE, "--retention", "24h")
        self._until(lambda: self.temporal("operator", "search-attribute", "list", check=False) == 0)
        for key in KEYS:
            kind = key.indexed_value_type.name.title().replace("_", "")
            self.temporal("operator", "search-attribute", "create", "--name", key.name, "--type", kind)

    def _start_first(self) -> None:
        for _ in range(3):
            try:
                return self.start()
            except AssertionError:  # somebody else may take a port before it does
                if "address already in use" not in (self.folder / "server.log").read_text():
                    raise
                self._choose_ports()
        raise AssertionError("three times a port was taken by somebody else: see server.log")

    def start(self) -> None:
        with (self.folder / "server.log").open("ab") as log:
            configuration = DEPLOY / "server" / "config.yaml"
            argv: list[str | Path] = [programs() / "temporal-server", "--config-file", configuration, "start"]
            self.process = subprocess.Popen(argv, env=self._environment(), stdout=log, stderr=log)
        self._until(lambda: self.temporal("operator", "cluster", "health", check=False) == 0)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def end(self) -> None:
        if self.process is not None:
            self.kill()
        self.postgres.stop()

    def prepare(self, *words: str) -> None:
        """Make the secrets, or renew them."""
        made = (DEPLOY / "prepare.py", self.secrets, "--engine-port", str(self.port))
        subprocess.run([sys.executable, *made, *words], check=True, capture_output=True)

    def shown_certificate(self) -> str:
        """Return what the frontend shows to whoever connects."""
        return ssl.get_server_certificate(("127.0.0.1", self.port))

    def token(self, role: str, **claims: str) -> str:
        """Return a new token for the role, with other claims where they are given."""
        old = jwt.decode(
            (self.secrets / role / "token").read_text().strip(), options={"verify_signature": False}
        )
        header = jwt.get_unverified_header((self.secrets / role / "token").read_text().strip())
        key = (self.secrets / "jwt" / "key.pem").read_bytes()
        now = int(time.time())
        return jwt.encode(
            {**old, "iat": now - 1, **claims}, key, algorithm="ES256", headers={"kid": header["kid"]}
        )

    def variables(self, role: str) -> dict[str, str]:
        return variables_of(self.secrets, self.port, role)

    def temporal(self, *words: str, role: str = "admin", check: bool = True) -> int:
        """Run Temporal's own command in this role; return how it ended."""
        token = (self.secrets / role / "token").read_text()
        env = {**os.environ, **self.variables(role), "TEMPORAL_API_KEY": token}
        ran = subprocess.run([TEMPORAL, *words], env=env, capture_output=True, text=True, check=False)
        assert ran.returncode == 0 or not check, ran.stderr
        return ran.returncode

    def _environment(self) -> dict[str, str]:
        dynamic = self.folder / "dynamic.yaml"
        dynamic.write_text(
            (DEPLOY / "server" / "dynamic.yaml").read_text()
            + f"\nmatching.longPollExpirationInterval:\n  - value: {POLL_LASTS - 1}s\n"
        )
        return {
            **os.environ,
            **self._ports,
            "POSTGRES_SEEDS": "127.0.0.1",
            "DB_PORT": str(self.postgres.port),
            "POSTGRES_USER": "temporal",
            "POSTGRES_PWD": self._password,
            "DBNAME": self.databases.default,
            "VISIBILITY_DBNAME": self.databases.visibility,
            "NUM_HISTORY_SHARDS": "4",
            "BIND_ON_IP": "127.0.0.1",
            "SERVER_CERTIFICATES": str(self.secrets / "server"),
            "DYNAMIC_CONFIG_FILE_PATH": str(dynamic),
            "PROMETHEUS_ENDPOINT": f"127.0.0.1:{low_port()}",
            "TEMPORAL_SERVICES": "frontend,internal-frontend,history,matching,worker",
            "TEMPORAL_TLS_REFRESH_INTERVAL": "1s",
            "LOG_LEVEL": "warn",
        }

    @property
    def _password(self) -> str:
        return (self.secrets / "postgresql-password").read_text().strip()

    def _make_schema(self) -> None:
        tool = programs() / "temporal-sql-tool"
        for schema, database in zip(("temporal", "visibility"), self.databases.all, strict=True):
            env = {
                **os.environ,
                "SQL_PLUGIN": "postgres12",
                "SQL_HOST": "127.0.0.1",
                "SQL_PORT": str(self.postgres.port),
                "SQL_USER": "temporal",
                "SQL_PASSWORD": self._password,
                "SQL_DATABASE": database,
            }
            version = ("update-schema", "--schema-name", f"postgresql/v12/{schema}")
            for words in (("setup-schema", "-v", "0.0"), version):
                subprocess.run([tool, *words], env=env, check=True, capture_output=True)

    def _until(self, holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _SERVES_WITHIN
        while not holds():
            assert time.monotonic() < deadline, (self.folder / "server.log").read_text()[-2000:]
            assert self.process is None or self.process.poll() is None, "the server ended: see server.log"
            time.sleep(0.2)
