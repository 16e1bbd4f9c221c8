"""What the hooks share."""

from __future__ import annotations

import ipaddress
import threading
from dataclasses import dataclass

from steadfleet_local_cloud.blocks import Blocks
from steadfleet_local_cloud.databases import Databases
from steadfleet_local_cloud.faults import Faults
from steadfleet_local_cloud.ground import Ground
from steadfleet_local_cloud.hosts import Hosts
from steadfleet_local_cloud.images import ImageContent
from steadfleet_local_cloud.machines import Machines
from steadfleet_local_cloud.network import Network
from steadfleet_local_cloud.record import Record

ACCOUNT = "123456789012"  # moto's own, for any credentials


@dataclass(frozen=True)
class Context:
    """The parts of one cloud, and the lock that every use of moto's state is under."""

    ground: Ground
    networks: dict[str, Network]  # by region, the home region first
    images: ImageContent
    blocks: Blocks
    machines: Machines
    databases: Databases
    faults: Faults
    record: Record
    hosts: Hosts  # the names that AWS gives out
    real: bool  # whether machines stand behind instances
    lock: threading.RLock
    client_tokens: bool = True  # whether a launch with a token seen before answers the same instances

    @property
    def region(self) -> str:
        """The home region: where what names no region is."""
        return next(iter(self.networks))

    def region_of(self, address: str) -> str | None:
        """Name the region whose network the address is in; None for this machine itself."""
        asker = ipaddress.IPv4Address(address)
        return next((name for name, network in self.networks.items() if asker in network.cidr), None)
