"""A Docker engine, an image of two megabytes, and drills in it that each are of a run of their own."""

import io
import os
import socket
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from python_on_whales import Container, DockerClient
from python_on_whales.exceptions import DockerException

from steadfleet_activities.drill.docker.networks import ContainerNetworks
from steadfleet_activities.drill.docker.services import ContainerServices
from steadfleet_activities.drill.drivers import Facts, Service
from steadfleet_activities.fleet import tags
from steadfleet_activities.janitor.docker import DEFAULT_HOST, DockerEngine
from steadfleet_activities.janitor.scope import Scope
from steadfleet_core.drill.order import Drill, DrillOrder
from steadfleet_core.drill.plan import DrillPlan
from steadfleet_core.drill.steps import Step, StepKind
from steadfleet_ports.drill import DrillInspection, DrillPreparation, StepRequest
from steadfleet_ports.lease import Residue

BUSYBOX = Path("/bin/busybox")
TEST = "steadfleet-test"
SERVE = "echo served by $WHO > /srv/index.html; exec httpd -f -p 8080 -h /srv"


def missing(what: str) -> None:
    if os.environ.get("CI"):
        pytest.fail(f"needs {what}")
    pytest.skip(f"needs {what}")


@pytest.fixture(scope="session")
def engine() -> DockerClient:
    engine = DockerClient()
    try:
        engine.container.list()
    except DockerException as error:
        missing(f"a Docker engine: {error.stderr}")
    return engine


@pytest.fixture(scope="session")
def image(engine: DockerClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give a web server's. It has the label of a released golden image, as a real one would have."""
    if not BUSYBOX.exists() or b"/ld-linux" in BUSYBOX.read_bytes():
        missing("a static busybox: apt-get install busybox-static")
    archive = tmp_path_factory.mktemp("image") / "root.tar"
    with tarfile.open(archive, "w") as root:
        root.add(BUSYBOX, "bin/busybox")
        for tool in ("sh", "httpd", "nc", "sleep", "true", "cat"):
            link = tarfile.TarInfo(f"bin/{tool}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            root.addfile(link)
        folder = tarfile.TarInfo("srv")
        folder.type, folder.mode = tarfile.DIRTYPE, 0o755
        root.addfile(folder, io.BytesIO())
    labels = f"LABEL {TEST}={uuid4().hex} {tags.FAMILY}=web"
    # With a name: an image without one goes with the last that was made from it.
    name = f"{TEST}:{uuid4().hex}"
    made = engine.image.import_(archive, name, changes=[labels, f'CMD ["/bin/sh", "-c", "{SERVE}"]'])
    yield made.id
    engine.image.remove(name, force=True)


@dataclass
class Yard:
    """The drivers, and one run of them; what a workflow would remember is in `made`."""

    engine: DockerClient
    image: str
    run: str = field(default_factory=lambda: f"drill-shop-{uuid4().hex[:12]}")
    made: dict[str, Facts] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.networks = ContainerNetworks(self.engine)
        self.services = ContainerServices(self.engine)

    def web(self, **changes: Any) -> dict[str, Any]:
        return {
            "name": "web",
            "type": "containers",
            "image": {"id": self.image},
            "port": 8080,
            "environment": {"WHO": "web"},
        } | changes

    def plan(self, *services: dict[str, Any], stores: tuple[dict[str, Any], ...] = ()) -> DrillPlan:
        return DrillPlan.model_validate(
            {
                "apiVersion": "steadfleet.dev/v1",
                "kind": "DrillPlan",
                "metadata": {"name": "shop"},
                "spec": {
                    "strategy": "backup-restore",
                    "recovery": {"region": "eu-west-1"},
                    "objectives": {"rto": "1h", "rpo": "5m"},
                    "stores": stores,
                    "services": services,
                },
            }
        )

    async def prepared(self, plan: DrillPlan, production: tuple[str, ...] = ()) -> Drill:
        at = datetime.now(UTC)
        preparation = DrillPreparation(
            order=DrillOrder(plan=plan, requested_by="ada"),
            run=self.run,
            at=at,
            expires_at=at + timedelta(hours=1),
        )
        found = [await self.services.resolve(one, preparation) for one in plan.spec.services]
        return Drill(
            plan=plan,
            run=self.run,
            region="eu-west-1",
            expires_at=preparation.expires_at,
            services=tuple(one.resolved for one in found),
            production=production,
            warnings=tuple(said for one in found for said in one.warnings),
        )

    async def isolated(self, drill: Drill) -> Facts:
        request = StepRequest(drill=drill, step=Step(kind=StepKind.ISOLATE), made=self.made)
        self.made["isolate"] = await self.networks.isolate(request, silent)
        return self.made["isolate"]

    async def started(self, drill: Drill, service: Service | None = None) -> Facts:
        wanted = service or drill.plan.spec.services[0]
        step = Step(kind=StepKind.START, subject=wanted.name)
        request = StepRequest(drill=drill, step=step, made=self.made)
        facts = await self.services.start(wanted, request, wanted.environment, silent)
        self.made[step.name] = facts
        return facts

    async def predicted(self, drill: Drill) -> list[str]:
        inspection = DrillInspection(drill=drill, at=datetime.now(UTC))
        found = await self.networks.inspect(inspection)
        for service in drill.plan.spec.services:
            found += await self.services.inspect(service, inspection)
        return [one.what for one in found.findings if one.blocks]

    def things(self) -> dict[str, list[str]]:
        """List all that the engine has of this run."""
        said = f"{tags.RUN}={self.run}"
        containers = self.engine.container.list(all=True, filters=[("label", said)])
        networks = self.engine.network.list(filters=[("label", said)])
        return {
            "containers": sorted(one.id for one in containers),
            "networks": sorted(one.id for one in networks),
        }

    def sweep(self) -> Residue:
        with DockerEngine(os.environ.get("DOCKER_HOST") or DEFAULT_HOST) as janitor:
            return janitor.sweep(Scope(run=self.run))


@pytest.fixture
def yard(engine: DockerClient, image: str) -> Iterator[Yard]:
    yard = Yard(engine, image)
    yield yard
    assert not yard.sweep().left


@pytest.fixture
def neighbour(engine: DockerClient, image: str) -> Iterator[str]:
    """Give the address of a web server in the engine's default network: production, as it were."""
    started = engine.container.run(
        image, detach=True, init=True, envs={"WHO": "production"}, labels={TEST: "neighbour"}
    )
    assert isinstance(started, Container)
    try:
        networks = started.network_settings.networks or {}
        yield f"{networks['bridge'].ip_address}:8080"
    finally:
        started.remove(force=True)


@contextmanager
def listening(host: str) -> Iterator[int]:
    """Accept connections on an address of this host, as production there would; tell the port."""
    with socket.create_server((host, 0)) as server:
        thread = threading.Thread(target=_accept, args=(server,))
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


def _accept(server: socket.socket) -> None:
    while True:
        try:
            server.accept()[0].close()
        except OSError:
            return


def silent(_step: str) -> None:
    """Say nothing to nobody."""
