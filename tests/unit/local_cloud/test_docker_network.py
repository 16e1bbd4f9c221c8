import ipaddress
from itertools import islice

import pytest

from steadfleet_local_cloud.docker_network import candidates, routes
from steadfleet_local_cloud.errors import NetworkTakenError

TABLE = """Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
tun0\t0000400A\t00000000\t0001\t0\t0\t0\t0000FCFF\t0\t0\t0
"""


def test_routes_are_read_without_the_default_one() -> None:
    assert [str(route) for route in routes(TABLE)] == ["192.0.2.0/24", "10.64.0.0/14"]
    assert ipaddress.IPv4Network("10.66.0.0/16").overlaps(routes(TABLE)[1])


def test_a_second_region_gets_the_network_after_the_wanted_one() -> None:
    assert [str(one) for one in islice(candidates("10.77.0.0/16"), 2)] == ["10.77.0.0/16", "10.78.0.0/16"]
    assert str(next(candidates("auto"))) == "10.64.0.0/16"


@pytest.mark.parametrize("wanted", ["127.77.0.0/16", "10.77.0.0/24", "10.77.0.1/16", "11.0.0.0/16", "home"])
def test_what_is_no_private_network_is_refused(wanted: str) -> None:
    with pytest.raises(NetworkTakenError, match="not a /16 of 10"):
        candidates(wanted)
