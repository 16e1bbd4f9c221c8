import ipaddress

import pytest

from steadfleet_local_cloud.database_addresses import Addresses
from steadfleet_local_cloud.errors import NetworkTakenError
from steadfleet_local_cloud.network import DEFAULT_NETWORK, AddressPool, Network, claim_networks


def test_two_clouds_never_hold_one_network() -> None:
    first = Network.claim("auto")
    try:
        second = Network.claim("auto")
        second.close()
        assert first.cidr != second.cidr
        with pytest.raises(NetworkTakenError, match="--network"):
            Network.claim(str(first.cidr))
    finally:
        first.close()


def test_a_closed_network_is_free_again() -> None:
    first = Network.claim("auto")
    first.close()

    again = Network.claim(str(first.cidr))
    again.close()


def test_auto_leaves_the_default_to_people() -> None:
    held = [Network.claim("auto") for _ in range(15)]
    for network in held:
        network.close()

    assert DEFAULT_NETWORK not in {str(network.cidr) for network in held}


def test_each_region_has_a_network_and_the_named_one_comes_first() -> None:
    claimed = claim_networks(["home", "other", "third"], "127.201.0.0/16")
    for network in claimed.values():
        network.close()

    assert {region: str(network.cidr) for region, network in claimed.items()} == {
        "home": "127.201.0.0/16",
        "other": "127.202.0.0/16",
        "third": "127.203.0.0/16",
    }


def test_a_claim_that_fails_gives_back_what_it_took() -> None:
    taken = Network.claim("127.205.0.0/16")
    try:
        with pytest.raises(NetworkTakenError, match=r"127\.205"):
            claim_networks(["home", "other"], "127.204.0.0/16")
        Network.claim("127.204.0.0/16").close()
    finally:
        taken.close()


def test_zones_have_subnets_that_do_not_overlap() -> None:
    network = Network.claim("auto")
    network.close()

    subnets = network.subnets(["eu-west-1a", "eu-west-1b", "eu-west-1c", "eu-west-1d"])

    assert list(subnets) == ["eu-west-1a", "eu-west-1b", "eu-west-1c"]
    first, second, third = subnets.values()
    assert not any(one.overlaps(other) for one, other in [(first, second), (second, third), (first, third)])


@pytest.mark.parametrize("wanted", ["10.0.0.0/16", "127.77.0.0/24", "127.77.0.1/16", "home"])
def test_what_is_no_network_of_loopback_is_refused(wanted: str) -> None:
    with pytest.raises(NetworkTakenError, match="not a /16"):
        Network.claim(wanted)


def test_databases_and_load_balancers_meet_no_machine_and_not_each_other() -> None:
    network = Network.claim("auto")
    network.close()

    machines = network.subnets(["a", "b", "c"]).values()
    kept = [network.databases, network.load_balancers]
    assert not any(part.overlaps(subnet) for part in kept for subnet in machines)
    assert not kept[0].overlaps(kept[1])
    database = ipaddress.IPv4Address(Addresses({"home": network}).take("home"))
    assert database in network.databases
    assert all(network.has_room_for(subnet) for subnet in machines)
    assert not any(network.has_room_for(part) for part in [*kept, network.cidr])


def test_an_address_is_given_out_once_until_it_comes_back() -> None:
    pool = AddressPool(ipaddress.IPv4Network("127.77.240.0/28"))
    taken = [pool.take() for _ in range(14)]

    assert len(set(taken)) == 14
    with pytest.raises(NetworkTakenError, match="every address"):
        pool.take()
    pool.give_back(taken[3])
    assert pool.take() == taken[3]
