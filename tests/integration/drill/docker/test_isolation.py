"""A run's containers reach nothing outside, and a way that somebody planted is found."""

import pytest
from integration.drill.docker.conftest import Yard, listening
from python_on_whales import DockerClient
from python_on_whales.utils import run

from steadfleet_activities.drill.aws.names import named, tags_of
from steadfleet_activities.drill.drivers import InsideProbe
from steadfleet_core.drill.order import Drill

pytestmark = pytest.mark.docker


def bridge_of(engine: DockerClient) -> str:
    """Return the host's own address in the engine's default network."""
    return str((engine.network.inspect("bridge").ipam.config or [])[0]["Gateway"])


async def probed(yard: Yard, drill: Drill, *addresses: str) -> InsideProbe:
    return await yard.services.probe_from_inside(drill, yard.made["start web"], addresses, "")


async def test_neither_other_containers_nor_the_host_are_reached(yard: Yard, neighbour: str) -> None:
    drill = await yard.prepared(yard.plan(yard.web(count=2)))
    await yard.isolated(drill)
    facts = await yard.started(drill)
    with listening(bridge_of(yard.engine)) as port, listening("127.0.0.1") as loopback:
        production = (neighbour, f"{bridge_of(yard.engine)}:{port}", f"127.0.0.1:{loopback}")
        found = await probed(yard, drill, *production, "production.invalid:5432")
    assert found == InsideProbe(probed=(*production, "production.invalid:5432"))

    # A way that somebody plants is found: of the second container alone.
    yard.engine.network.connect("bridge", facts["machines"].split(",")[1])
    assert (await probed(yard, drill, neighbour)).reached == (neighbour,)
    elsewhere = await probed(yard, drill, "127.0.0.1:1")
    assert elsewhere.reached == ()
    assert "is in the network bridge as well" in elsewhere.problem


async def test_a_listener_on_every_address_of_the_host_is_found_and_a_probe_without_control_proves_nothing(
    yard: Yard,
) -> None:
    drill = await yard.prepared(yard.plan(yard.web()))
    gateway = (await yard.isolated(drill))["container_gateway"]
    facts = await yard.started(drill)
    with listening("0.0.0.0") as port:
        found = await probed(yard, drill, f"127.0.0.1:{port}")
    assert found.reached == (f"127.0.0.1:{port} (by {gateway}:{port})",)

    yard.made["start web"] = facts | {"port": "8081"}
    found = await probed(yard, drill, "127.0.0.1:1")
    assert (found.reached, "does not reach" in found.problem) == ((), True)


async def test_an_internal_network_alone_would_lead_to_the_host(yard: Yard) -> None:
    """Hold the reason of our router: without it this probe would find nothing to find."""
    drill = await yard.prepared(yard.plan(yard.web()))
    labels = [said for key, value in tags_of(drill).items() for said in ("--label", f"{key}={value}")]
    subnet = drill.services[0].facts["container_subnet"]
    name = named(drill.run)
    run([*yard.engine.docker_cmd, "network", "create", "--internal", "--subnet", subnet, *labels, name])
    await yard.isolated(drill)
    await yard.started(drill)
    with listening(bridge_of(yard.engine)) as port:
        address = f"{bridge_of(yard.engine)}:{port}"
        found = await probed(yard, drill, address)
    assert address in found.reached
