"""What the local stack is made of: its programs, where they listen, and when each is ready."""

import http.client
import json
import os
import random
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Self

from steadfleet_cli.trust import trust_settings

LOOPBACK = "127.0.0.1"
REGION = "eu-west-1"
OTHER_REGION = "eu-central-1"
"""Where images are copied to."""
BUCKETS = ("steadfleet-plans", "steadfleet-attestations")
"""Where workers keep plans and what builds leave, and the signer its attestations, by default."""
WORKERS = {
    "worker": "steadfleet-patch-campaign",
    "builder": "steadfleet-image-build",
    "driller": "steadfleet-dr-drill",
    "witness": "steadfleet-witness",
    "signer": "steadfleet-signer",
    "janitor": "steadfleet-janitor",
}
"""Each has the next port after the one before, for its health and for its metrics."""
BINARIES = Path(sys.executable).parent
SWEEP_PATIENCE = "20s"
"""Databases of a local cloud go in seconds: what does not is told soon, and tried again in a minute."""
_ANSWERS_WITHIN = 5.0
# Below the ports that Linux gives to outgoing connections: one of those could take a port between
# its choice and its use.
_FREE_RANGE = range(15_000, 30_000)
# What a person's shell says of other engines, clouds and proxies is not for a stack on this machine.
_FOREIGN = ("TEMPORAL_", "AWS_")


@dataclass(frozen=True)
class Addresses:
    """The ports of the stack, all on loopback, and the network of the local cloud's machines.

    `resolver` answers the names of the local cloud's zones. `health` and `metrics` are the first
    worker's; each other worker has the next.
    """

    engine: int = 7233
    ui: int = 8233
    cloud: int = 4566
    resolver: int = 4553
    health: int = 8081
    metrics: int = 9464
    network: str = "127.77.0.0/16"
    machines: str = "process"

    @classmethod
    def free(cls) -> Self:
        """Choose ports that nobody uses now, and let the local cloud find a network."""
        names = [field.name for field in fields(cls) if field.type is int]
        first = range(_FREE_RANGE.start, _FREE_RANGE.stop, len(WORKERS))
        chosen = random.SystemRandom().sample(first, len(first))
        free = (port for port in chosen if not any(map(port_taken, range(port, port + len(WORKERS)))))
        ports: dict[str, Any] = dict(zip(names, free, strict=False))
        return replace(cls(network="auto"), **ports)

    @classmethod
    def read(cls, file: Path) -> Self | None:
        try:
            return cls(**json.loads(file.read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def write(self, file: Path) -> None:
        file.write_text(json.dumps(asdict(self), indent=2) + "\n")

    @property
    def ui_url(self) -> str:
        return f"http://{LOOPBACK}:{self.ui}"

    @property
    def cloud_url(self) -> str:
        return f"http://{LOOPBACK}:{self.cloud}"

    @property
    def environment(self) -> dict[str, str]:
        """What a program must be told to use this stack, and nothing else."""
        return {
            "TEMPORAL_ADDRESS": f"{LOOPBACK}:{self.engine}",
            "TEMPORAL_NAMESPACE": "default",
            "TEMPORAL_TLS": "false",
            "TEMPORAL_UI_URL": self.ui_url,
            "AWS_ENDPOINT_URL": self.cloud_url,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
        }


@dataclass(frozen=True)
class Part:
    """One program of the stack. `problem` says why it is not ready yet; None is ready."""

    name: str
    argv: tuple[str, ...]
    env: dict[str, str]
    ports: dict[str, int]
    problem: Callable[[], str | None]


def stack(addresses: Addresses, folder: Path) -> list[Part]:
    """Return the parts in the order in which they are started."""
    workers = [_worker(addresses, folder, number, name) for number, name in enumerate(WORKERS)]
    return [_engine(addresses, folder), _cloud(addresses, folder), *workers]


def _engine(addresses: Addresses, folder: Path) -> Part:
    attributes = search_attributes()
    argv = [str(BINARIES / "temporal"), "server", "start-dev", "--ip", LOOPBACK]
    argv += ["--port", str(addresses.engine), "--ui-port", str(addresses.ui), "--ui-disable-news-fetch"]
    argv += ["--db-filename", str(folder / "engine.db"), "--log-level", "warn"]
    for name, kind in attributes.items():
        argv += ["--search-attribute", f"{name}={kind}"]
    return Part(
        name="engine",
        argv=tuple(argv),
        env=own_environment(),
        ports={"engine": addresses.engine, "ui": addresses.ui},
        problem=lambda: _engine_problem(addresses, attributes),
    )


def _cloud(addresses: Addresses, folder: Path) -> Part:
    argv = [str(BINARIES / "local-cloud"), "serve", "--port", str(addresses.cloud)]
    argv += ["--network", addresses.network, "--machines", addresses.machines]
    argv += ["--resolver-port", str(addresses.resolver)]
    argv += ["--region", REGION, "--region", OTHER_REGION, "--state", str(folder / "local-cloud")]
    return Part(
        name="cloud",
        argv=tuple(argv),
        env=own_environment(),
        ports={"cloud": addresses.cloud, "resolver": addresses.resolver},
        problem=lambda: _cloud_problem(addresses),
    )


def _worker(addresses: Addresses, folder: Path, number: int, name: str) -> Part:
    health, metrics = addresses.health + number, addresses.metrics + number
    # On one machine nothing is at stake: images need not be signed, unless a person says otherwise.
    defaults = {
        "STEADFLEET_ENVIRONMENT": "dev",
        "STEADFLEET_LEDGERS": str(ledgers_file(folder)),
        "STEADFLEET_SWEEP_PATIENCE": SWEEP_PATIENCE,
    }
    settings = {
        "STEADFLEET_BUCKET": BUCKETS[0],
        "STEADFLEET_ATTESTATIONS_BUCKET": BUCKETS[1],
        "STEADFLEET_REGIONS": f"{REGION},{OTHER_REGION}",
        "STEADFLEET_RESOLVER": f"{LOOPBACK}:{addresses.resolver}",
        "STEADFLEET_WITNESS_FOLDER": str(folder / "witness"),
        "STEADFLEET_DRILL_FOLDER": str(folder / "drills"),
        "STEADFLEET_HEALTH_ADDRESS": f"{LOOPBACK}:{health}",
        "STEADFLEET_METRICS_ADDRESS": f"{LOOPBACK}:{metrics}",
        "STEADFLEET_GRACEFUL_SHUTDOWN_TIME": "5s",
        **trust_settings(folder, name),
    }
    return Part(
        name=name,
        argv=(str(BINARIES / WORKERS[name]),),
        env=defaults | own_environment() | addresses.environment | settings,
        ports={"health": health, "metrics": metrics},
        problem=lambda: ask_problem(f"http://{LOOPBACK}:{health}/readyz"),
    )


def ledgers_file(folder: Path) -> Path:
    """Where the witness of this stack reads which ledgers it keeps, unless the caller's environment says."""
    return folder / "ledgers.yaml"


def make_ledgers_file(folder: Path) -> None:
    """Make it, without a ledger, if it is not there."""
    file = ledgers_file(folder)
    if not file.exists():
        file.write_text("ledgers: []\n")


def search_attributes() -> Mapping[str, str]:
    """Return the names and types that campaigns put into visibility."""
    from steadfleet_workflows.visibility import KEYS  # noqa: PLC0415  # it loads Temporal

    return {key.name: key.indexed_value_type.name.title().replace("_", "") for key in KEYS}


def own_environment() -> dict[str, str]:
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(_FOREIGN) and not name.lower().endswith("_proxy")
    }


def port_taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return True
    return False


def ask(url: str, method: str = "GET") -> tuple[int, bytes]:
    """Ask a server of this machine, past any proxy. Raises `OSError` when there is no answer."""
    address, _, path = url.removeprefix("http://").partition("/")
    connection = http.client.HTTPConnection(address, timeout=_ANSWERS_WITHIN)
    try:
        connection.request(method, f"/{path}")
        answer = connection.getresponse()
        return answer.status, answer.read()
    except http.client.HTTPException as error:
        raise OSError(f"no HTTP from {address}: {error!r}") from error
    finally:
        connection.close()


def ask_problem(url: str, method: str = "GET") -> str | None:
    """Return why the URL does not answer well; None if it does."""
    try:
        status, body = ask(url, method)
    except OSError as error:
        return f"{url}: {error}"
    return None if status == http.client.OK else f"{url}: {status} {body.decode(errors='replace').strip()}"


def _cloud_problem(addresses: Addresses) -> str | None:
    """Make the buckets, as an operator does once on AWS; the cloud forgets them when it ends."""
    problem = ask_problem(f"{addresses.cloud_url}/_local/health")
    return problem or next(
        filter(None, (ask_problem(f"{addresses.cloud_url}/{bucket}", "PUT") for bucket in BUCKETS)), None
    )


def _engine_problem(addresses: Addresses, attributes: Mapping[str, str]) -> str | None:
    """Ask through the UI, which asks the engine: one answer proves both."""
    url = f"{addresses.ui_url}/api/v1/namespaces/default/search-attributes"
    try:
        status, body = ask(url)
    except OSError as error:
        return f"{url}: {error}"
    if status != http.client.OK:
        return f"{url}: {status}"
    known = json.loads(body).get("customAttributes", {})
    # The flags act on a new database only: one of an earlier release lacks what came later.
    missing = [name for name in attributes if name not in known]
    return _register(addresses, {name: attributes[name] for name in missing}) if missing else None


def _register(addresses: Addresses, attributes: Mapping[str, str]) -> str | None:
    argv = [str(BINARIES / "temporal"), "operator", "search-attribute", "create"]
    argv += _pairs("--name", attributes) + _pairs("--type", attributes.values())
    ran = subprocess.run(  # noqa: S603  # our own binary and arguments
        argv,
        env=own_environment() | addresses.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return ran.stderr.strip() or None


def _pairs(flag: str, values: Iterable[str]) -> list[str]:
    return [word for value in values for word in (flag, value)]
