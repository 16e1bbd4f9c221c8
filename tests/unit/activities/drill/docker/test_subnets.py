"""The addresses of a run's network are its own, free, and the same at every retry."""

from ipaddress import IPv4Network

import pytest

from steadfleet_activities.drill.docker.subnets import addresses_of, free_subnet, gateway_of, nobody_of
from steadfleet_core.drill.plan import DrillSpec
from steadfleet_core.errors import RefusedError


def spec_of(*services: tuple[str, str, int]) -> DrillSpec:
    return DrillSpec.model_validate(
        {
            "strategy": "backup-restore",
            "recovery": {"region": "eu-west-1"},
            "objectives": {"rto": "1h", "rpo": "5m"},
            "limits": {"hosts": 1000},
            "services": [
                {"type": kind, "name": name, "count": count, "port": 80, "image": {"id": "sha256:1"}}
                for kind, name, count in services
            ],
        }
    )


def test_a_run_finds_the_same_addresses_again_and_another_run_others() -> None:
    assert free_subnet("run-a", []) == free_subnet("run-a", [])
    assert len({free_subnet(f"run-{number}", []) for number in range(20)}) > 15


def test_what_is_taken_is_passed_by() -> None:
    first = free_subnet("run-a", [])
    second = free_subnet("run-a", [IPv4Network(first).supernet(new_prefix=20)])
    assert not IPv4Network(second).overlaps(IPv4Network(first).supernet(new_prefix=20))


def test_a_host_whose_routes_lead_everywhere_has_no_room() -> None:
    with pytest.raises(RefusedError, match="expected room"):
        free_subnet("run-a", [IPv4Network("10.0.0.0/8"), IPv4Network("172.16.0.0/12")])


def test_no_two_containers_have_one_address_and_none_has_the_hosts() -> None:
    spec = spec_of(("containers", "web", 3), ("group", "other", 5), ("containers", "shop", 2))
    subnet = "10.199.7.0/24"
    web, shop = (addresses_of(name, spec, subnet) for name in ("web", "shop"))
    assert web == ("10.199.7.2", "10.199.7.3", "10.199.7.4")
    assert shop == ("10.199.7.5", "10.199.7.6")
    assert not {gateway_of(subnet), nobody_of(subnet)} & {*web, *shop}


def test_the_last_container_has_an_address_of_its_own_and_one_more_is_refused() -> None:
    subnet = "10.199.7.0/24"
    assert addresses_of("web", spec_of(("containers", "web", 249)), subnet)[-1] == "10.199.7.250"
    with pytest.raises(RefusedError, match="room for 249"):
        addresses_of("web", spec_of(("containers", "web", 250)), subnet)
