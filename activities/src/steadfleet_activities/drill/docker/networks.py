"""The network that a run's containers are alone in: nothing is forwarded out of it or into it."""

import ipaddress
import socket
from ipaddress import IPv4Network

from python_on_whales import DockerClient, Network
from python_on_whales.exceptions import DockerException, NoSuchNetwork
from python_on_whales.utils import run

from steadfleet_activities.drill.aws.names import named, tags_of
from steadfleet_activities.drill.docker.subnets import gateway_of, nobody_of, subnets_of, taken_in
from steadfleet_activities.drill.drivers import Facts, Inspected, NetworkDriver, Say
from steadfleet_activities.fleet import tags
from steadfleet_core.drill.order import Drill
from steadfleet_core.drill.plan import ContainerService, PostgresStore
from steadfleet_core.drill.report import Finding
from steadfleet_core.drill.steps import StepKind
from steadfleet_core.errors import RefusedError
from steadfleet_durable import unbroken
from steadfleet_ports.drill import DrillInspection, StepRequest

NETWORK, SUBNET, GATEWAY = "container_network", "container_subnet", "container_gateway"
"""Facts of the isolated network: its name, its addresses, and the host's own address in it."""

_STEP = str(StepKind.ISOLATE)


class ContainerNetworks(NetworkDriver):
    """A bridge of the engine's, internal, with the host's address in it and no router.

    An internal network still routes to every other address of the host's own, for the engine only drops what
    is *forwarded*. So the containers' router is an address that nobody has. What is left to reach is the
    host by its address in the network, where everything answers that listens on all addresses: probes of
    isolation look there for what production has on this host.
    """

    def __init__(self, engine: DockerClient) -> None:
        self._engine = engine

    async def inspect(self, inspection: DrillInspection) -> Inspected:
        return await unbroken(self._inspect, inspection.drill)

    async def isolate(self, request: StepRequest, say: Say) -> Facts:
        say("making the network")
        return await unbroken(self._isolate, request.drill)

    def _isolate(self, drill: Drill) -> Facts:
        subnet, name = resolved_subnet(drill), named(drill.run)
        found = self._found(name)
        if found is None:
            try:
                self._create(drill, name, subnet)
            except DockerException as error:
                found = self._found(name)  # another attempt may have made it
                if found is None:
                    raise _told(error, subnet) from error
        _refuse_other(found or self._engine.network.inspect(name), drill, subnet)
        return {NETWORK: name, SUBNET: subnet, GATEWAY: gateway_of(subnet)}

    def _create(self, drill: Drill, name: str, subnet: str) -> None:
        labels = [said for key, value in tags_of(drill).items() for said in ("--label", f"{key}={value}")]
        router = f"DefaultGatewayIPv4={nobody_of(subnet)}"
        options = ("--internal", "--subnet", subnet, "--gateway", gateway_of(subnet), "--aux-address", router)
        # The library's own call knows neither of the two.
        run([*self._engine.docker_cmd, "network", "create", *options, *labels, name])

    def _found(self, name: str) -> Network | None:
        try:
            return self._engine.network.inspect(name)
        except NoSuchNetwork:
            return None

    def _inspect(self, drill: Drill) -> Inspected:
        try:
            findings = [*self._host_findings(drill), *self._network_findings(drill)]
        except DockerException as error:
            findings = [_blocking(f"the Docker engine does not answer: {said_by(error)}", "start it")]
        except RefusedError as error:
            findings = [_blocking(str(error), "start the drill again")]
        looked = ("that it answers, on this host", "that the network's name and addresses are free")
        return Inspected(tuple(findings), tuple(f"the Docker engine: {one}" for one in looked))

    def _host_findings(self, drill: Drill) -> list[Finding]:
        there, here = str(self._engine.system.info().name), socket.gethostname()
        if there == here:
            return []
        said = (
            f"the Docker engine is on {there} and this worker on {here}: containers answer on {there} alone"
        )
        advice = f"run the worker and the witness on {there}"
        return [Finding(what=said, blocks=bool(_stores_of(drill)), predicts=_STEP, advice=advice)]

    def _network_findings(self, drill: Drill) -> list[Finding]:
        name, subnet = named(drill.run), resolved_subnet(drill)
        if self._found(name) is not None:
            return [_blocking(f"the network {name} is there already", "sweep the run that left it")]
        findings = []
        if any(one.overlaps(IPv4Network(subnet)) for one in taken_in(self._engine)):
            findings.append(_blocking(f"{subnet} was taken by another network", "start the drill again"))
        inside = [one for one in drill.production if _lies_in(one, subnet)]
        if inside:
            said = f"production ({', '.join(inside)}) has addresses of the drill's network {subnet}"
            findings.append(_blocking(said, "give this host a route to production, which is avoided"))
        return findings


def resolved_subnet(drill: Drill) -> str:
    """Return the addresses that every service was dealt its own of.

    Raises `RefusedError` where they are of two networks: another one appeared while they were dealt.
    """
    found = {one.facts[SUBNET] for one in drill.services if SUBNET in one.facts}
    if len(found) != 1:
        raise RefusedError(
            f"the containers have addresses of {' and '.join(sorted(found)) or 'no network'}: expected one; "
            "start the drill again"
        )
    return found.pop()


def said_by(error: DockerException) -> str:
    return (error.stderr or "").strip() or f"exit code {error.return_code}"


def _refuse_other(network: Network, drill: Drill, subnet: str) -> None:
    ours = (network.labels or {}).get(tags.RUN) == drill.run
    if not (ours and network.internal and subnets_of(network) == [subnet]):
        raise RefusedError(
            f"the network {network.name} is there already, and is not the internal one of {drill.run} with "
            f"{subnet}: sweep what left it, and start the drill again"
        )


def _told(error: DockerException, subnet: str) -> Exception:
    if "overlaps" not in said_by(error):
        return error
    return RefusedError(f"{subnet} was taken by another network since the drill began: start it again")


def _stores_of(drill: Drill) -> list[str]:
    """Name the stores on this host that containers ask."""
    services = [one for one in drill.plan.spec.services if isinstance(one, ContainerService)]
    stores = [one for one in drill.plan.spec.stores if isinstance(one, PostgresStore)]
    return [store.name for store in stores if any(store.name in one.depends_on for one in services)]


def _lies_in(address: str, subnet: str) -> bool:
    try:
        return ipaddress.ip_address(address.rpartition(":")[0]) in IPv4Network(subnet)
    except ValueError:
        return False


def _blocking(what: str, advice: str) -> Finding:
    return Finding(what=what, blocks=True, predicts=_STEP, advice=advice)
