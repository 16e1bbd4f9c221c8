"""Services that are containers of the worker's own engine, in the run's own network."""

import asyncio
from collections.abc import Iterable, Mapping
from datetime import timedelta

from python_on_whales import DockerClient
from python_on_whales.exceptions import DockerException

from steadfleet_activities.drill.docker.containers import Containers, not_started
from steadfleet_activities.drill.docker.images import EngineImages
from steadfleet_activities.drill.docker.inside import Inside, targets_of
from steadfleet_activities.drill.docker.networks import NETWORK, SUBNET, said_by
from steadfleet_activities.drill.docker.subnets import addresses_of, free_subnet, gateway_of, taken_in
from steadfleet_activities.drill.drivers import (
    CommandOutcome,
    Facts,
    FoundService,
    InsideProbe,
    Inspected,
    Say,
    Service,
    ServiceDriver,
)
from steadfleet_activities.fleet.trust import Verifier
from steadfleet_activities.fleet.waiting import looked
from steadfleet_activities.image.examining.containers import ContainerMachine
from steadfleet_activities.image.examining.machine import UnreachableError
from steadfleet_core.drill.order import Drill, ResolvedService
from steadfleet_core.drill.plan import ContainerService, DrillSpec, PostgresStore
from steadfleet_core.drill.report import Finding
from steadfleet_core.drill.steps import StepKind
from steadfleet_core.errors import RefusedError
from steadfleet_core.model import format_duration
from steadfleet_durable import unbroken
from steadfleet_ports.drill import DrillInspection, DrillPreparation, StepRequest

_ADDRESSES = "addresses"
_AT_ONCE = 4
_PROBES_AT_ONCE = 16
_SETTLING_TIME = timedelta(seconds=1)
_SHOWN = 500


class ContainerServices(ServiceDriver):
    """The first container's address is the service's. Inside, the service's name is all of them.

    The others' addresses are among the facts (`addresses`), and the engine's resolver answers the service's
    name with all that run: nothing balances between them.
    """

    def __init__(self, engine: DockerClient, verifier: Verifier | None = None) -> None:
        self._engine = engine
        self._images = EngineImages(engine, verifier)

    async def resolve(self, service: Service, preparation: DrillPreparation) -> FoundService:
        wanted, spec = _checked(service), preparation.order.plan.spec
        _refuse_unreachable(wanted, spec)
        try:
            image = await self._images.resolve(wanted.image)
        except RefusedError as refused:
            raise RefusedError(f"service {wanted.name}: {refused}") from refused
        subnet = free_subnet(preparation.run, await unbroken(taken_in, self._engine))
        addresses = addresses_of(wanted.name, spec, subnet)
        resolved = ResolvedService(
            name=wanted.name,
            image=image.id,
            content=image.content,
            address=addresses[0],
            port=wanted.port,
            facts={SUBNET: subnet, _ADDRESSES: ",".join(addresses)},
        )
        return FoundService(resolved, tuple(f"service {wanted.name}: {said}" for said in image.warnings))

    async def inspect(self, service: Service, inspection: DrillInspection) -> Inspected:
        wanted, drill = _checked(service), inspection.drill
        step = f"{StepKind.START} {wanted.name}"
        try:
            findings = [
                Finding(what=said, blocks=True, predicts=step, advice=advice)
                for said, advice in await unbroken(self._problems, wanted, drill)
            ]
        except DockerException as error:
            said = f"service {wanted.name}: the Docker engine does not answer: {said_by(error)}"
            findings = [Finding(what=said, blocks=True, predicts=step)]
        looked_at = ("the image", "that names are free")
        return Inspected(tuple(findings), tuple(f"service {wanted.name}: {one}" for one in looked_at))

    async def provision(self, service: Service, request: StepRequest, say: Say) -> Facts:  # noqa: ARG002
        """Make nothing: nothing stands before a container, and its address is dealt already."""
        resolved = request.drill.service(service.name)
        return {"host": resolved.address, "port": str(resolved.port)}

    async def start(
        self, service: Service, request: StepRequest, environment: Mapping[str, str], say: Say
    ) -> Facts:
        wanted, resolved = _checked(service), request.drill.service(service.name)
        network = request.made[str(StepKind.ISOLATE)][NETWORK]
        containers = self._containers(wanted, request.drill)
        say(f"starting {wanted.count} containers")
        limit = asyncio.Semaphore(_AT_ONCE)

        async def ensure(number: int) -> None:
            async with limit:
                await unbroken(containers.ensure, number, network, environment)

        await asyncio.gather(*(ensure(number) for number in range(wanted.count)))
        # What ends at once may still be running at the first look.
        ended = await looked(bool, _SETTLING_TIME, containers.ended)
        if ended:
            raise not_started("; ".join(ended))
        return {
            "host": resolved.address,
            "port": str(resolved.port),
            "machines": ",".join(containers.names),
            _ADDRESSES: resolved.facts[_ADDRESSES],
            NETWORK: network,
        }

    async def run_command(
        self,
        drill: Drill,  # noqa: ARG002 - the engine knows the machine by its name
        made: Facts,
        command: str,
        time_limit: timedelta,
    ) -> CommandOutcome:
        machine = ContainerMachine(self._engine, made["machines"].split(",")[0], made["host"], "")
        try:
            ran = await machine.run(command, time_limit)
        except UnreachableError as error:
            return CommandOutcome(passed=False, proven=False, reason=str(error))
        if ran.exit_status is None:
            return CommandOutcome(passed=False, reason=f"it did not end within {format_duration(time_limit)}")
        said = (str(ran.stderr) or str(ran.stdout)).strip()[:_SHOWN]
        return CommandOutcome(
            passed=ran.exit_status == 0, reason=f"exit status {ran.exit_status}: {said or 'it wrote nothing'}"
        )

    async def probe_from_inside(
        self, drill: Drill, made: Facts, addresses: tuple[str, ...], control: str
    ) -> InsideProbe:
        """Try it from every container: one of them may have been connected elsewhere."""
        subnet = next(one.facts[SUBNET] for one in drill.services if one.address == made["host"])
        gateway = gateway_of(subnet)
        # A store that no container asks listens on the host's loopback, where none can ask it.
        outside = control if control.rpartition(":")[0] == gateway else ""
        targets = targets_of(addresses, gateway, outside)
        pairs = zip(made["machines"].split(","), made[_ADDRESSES].split(","), strict=True)
        limit = asyncio.Semaphore(_PROBES_AT_ONCE)

        async def probe(name: str, own: str) -> InsideProbe:
            inside = Inside(self._engine, name, made[NETWORK], limit)
            return await inside.probe(targets, outside or f"{own}:{made['port']}")

        found = await asyncio.gather(*(probe(name, own) for name, own in pairs))
        return InsideProbe(
            probed=addresses,
            reached=tuple(dict.fromkeys(one for probe in found for one in probe.reached)),
            problem="; ".join(probe.problem for probe in found if probe.problem),
        )

    def _containers(self, service: ContainerService, drill: Drill) -> Containers:
        addresses = tuple(drill.service(service.name).facts[_ADDRESSES].split(","))
        return Containers(self._engine, drill, service, addresses)

    def _problems(self, service: ContainerService, drill: Drill) -> list[tuple[str, str]]:
        found, image = [], drill.service(service.name).image
        if self._images.found(image) is None:
            said = f"service {service.name}: the Docker engine has image {service.image} ({image}) no more"
            found.append((said, "pull it there"))
        containers = self._containers(service, drill)
        taken = [name for name in containers.names if containers.found(name)]
        if taken:
            said = f"service {service.name}: {', '.join(taken)} is there already"
            found.append((said, "sweep the run that left it"))
        return found


def _checked(service: Service) -> ContainerService:
    if not isinstance(service, ContainerService):
        raise RefusedError(f"service {service.name} is of type {service.type}, and this serves containers")
    return service


def _refuse_unreachable(service: ContainerService, spec: DrillSpec) -> None:
    """Refuse what asks across the network's border, either way: nothing passes it."""
    inside = {
        one.name
        for one in (*spec.services, *spec.stores)
        if isinstance(one, ContainerService | PostgresStore)
    }
    outside = {one.name for one in (*spec.services, *spec.stores)} - inside
    if asked := sorted(outside & _asked(service, outside)):
        raise RefusedError(
            f"service {service.name} asks {', '.join(asked)}: containers of a drill are alone in their "
            "network and reach nothing of AWS; expected containers and postgres stores there, or type group"
        )
    for one in spec.services:
        if not isinstance(one, ContainerService) and service.name in _asked(one, {service.name}):
            raise RefusedError(
                f"service {one.name} asks {service.name}: nothing outside reaches the containers of a drill; "
                "expected both of one type"
            )


def _asked(service: Service, names: Iterable[str]) -> set[str]:
    said = " ".join(service.environment.values())
    return {*service.depends_on, *(name for name in names if f"${{{name}." in said)}
