"""The names that AWS itself gives out, such as a load balancer's, and the addresses behind them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import dns.name

TTL = 60  # seconds, as AWS answers for load balancers


@dataclass(frozen=True)
class Host:
    """What a name of AWS's leads to; `zone_id` is what an alias must name, `healthy` what it may evaluate."""

    address: str
    zone_id: str
    healthy: Callable[[], bool]


class Hosts:
    """Changed under the cloud's lock, read by the resolver at any time."""

    def __init__(self) -> None:
        self._hosts: dict[dns.name.Name, Host] = {}

    def add(
        self, name: str, address: str, zone_id: str = "", healthy: Callable[[], bool] = lambda: True
    ) -> None:
        self._hosts[dns.name.from_text(name)] = Host(address, zone_id, healthy)

    def drop(self, name: str) -> None:
        self._hosts.pop(dns.name.from_text(name), None)

    def find(self, name: dns.name.Name) -> Host | None:
        return self._hosts.get(name)

    def alias_target(self, name: dns.name.Name) -> Host | None:
        """Find what an alias names; AWS's console writes `dualstack.` before a load balancer's name."""
        if name.labels[0].lower() == b"dualstack":
            name = dns.name.Name(name.labels[1:])
        return self.find(name)
