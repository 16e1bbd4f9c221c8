"""The addresses of database servers: a part of each region's network that no subnet has from the start."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping

from steadfleet_local_cloud.errors import NetworkTakenError
from steadfleet_local_cloud.network import AUTO, Network

_FROM_END = 2048  # the last quarter of a /16 is nobody's: 127.77.248.1, and so on
_COUNT = 1022


class Addresses:
    """
    Gives every server an address that no other ever had in this cloud.

    The servers are processes of this machine: where instances are containers, their network is
    a loopback network beside the containers', which cannot reach it.
    """

    def __init__(self, networks: Mapping[str, Network]) -> None:
        self._networks = networks
        self._own: list[Network] = []
        self._free: dict[str, Iterator[ipaddress.IPv4Address]] = {}

    def take(self, region: str) -> str:
        if region not in self._free:
            self._free[region] = self._part(region)
        try:
            return str(next(self._free[region]))
        except StopIteration:
            raise NetworkTakenError(
                f"all {_COUNT} database addresses of {region} were given out: begin a new local cloud"
            ) from None

    def close(self) -> None:
        for network in self._own:
            network.close()

    def _part(self, region: str) -> Iterator[ipaddress.IPv4Address]:
        network = self._networks[region]
        if not network.cidr.is_loopback:
            network = Network.claim(AUTO)
            self._own.append(network)
        first = network.cidr.network_address + network.cidr.num_addresses - _FROM_END + 1
        return (first + number for number in range(_COUNT))
