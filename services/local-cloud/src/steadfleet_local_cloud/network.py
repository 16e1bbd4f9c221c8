"""The loopback networks whose addresses are the machines' own: one for each region."""

from __future__ import annotations

import errno
import ipaddress
import socket
from collections.abc import Sequence
from contextlib import ExitStack

from steadfleet_local_cloud.errors import NetworkTakenError

DEFAULT_NETWORK = "127.77.0.0/16"
AUTO = "auto"
_LOCK_PORT = 4566
_AUTO_RANGE = range(64, 127)
_ZONES = 3
_KEPT_PREFIX = 21


class Network:
    """
    A /16 of 127.0.0.0/8, held for as long as this object is open.

    Two local clouds must not give the same address to two machines. The lock is a bound
    socket on an address that no machine gets: the operating system frees it with us.
    """

    def __init__(self, cidr: ipaddress.IPv4Network, lock: socket.socket) -> None:
        self.cidr = cidr
        self._lock = lock

    @classmethod
    def claim(cls, wanted: str) -> Network:
        """Take a network, or with `auto` the first that no other local cloud holds."""
        if wanted != AUTO:
            return cls._take(_checked(wanted))
        for octet in _AUTO_RANGE:
            cidr = ipaddress.IPv4Network(f"127.{octet}.0.0/16")
            if str(cidr) == DEFAULT_NETWORK:
                continue  # left for the local cloud that a person starts
            try:
                return cls._take(cidr)
            except NetworkTakenError:
                continue
        raise NetworkTakenError("every network from 127.64.0.0/16 to 127.126.0.0/16 is in use")

    @classmethod
    def _take(cls, cidr: ipaddress.IPv4Network) -> Network:
        lock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            lock.bind((str(cidr.broadcast_address - 1), _LOCK_PORT))
        except OSError as error:
            lock.close()
            if error.errno != errno.EADDRINUSE:
                raise
            raise NetworkTakenError(
                f"network {cidr} is in use by another local cloud: stop that one, or choose another "
                f"with --network 127.N.0.0/16 or --network {AUTO}"
            ) from error
        return cls(cidr, lock)

    def subnets(self, zones: Sequence[str]) -> dict[str, ipaddress.IPv4Network]:
        """Name the first three zones, each with a quarter of the network; the last quarter is kept free."""
        return dict(zip(zones[:_ZONES], self.cidr.subnets(prefixlen_diff=2), strict=False))

    @property
    def databases(self) -> ipaddress.IPv4Network:
        """The part of the last quarter that is kept for databases: no instance gets an address of it."""
        return list(self.cidr.subnets(new_prefix=_KEPT_PREFIX))[-1]

    @property
    def load_balancers(self) -> ipaddress.IPv4Network:
        """The part before it, which is kept for load balancers."""
        return list(self.cidr.subnets(new_prefix=_KEPT_PREFIX))[-2]

    def has_room_for(self, subnet: ipaddress.IPv4Network) -> bool:
        """Whether machines may be in the subnet: it is in the network, beside what is kept."""
        kept = (self.databases, self.load_balancers)
        return subnet.subnet_of(self.cidr) and not any(subnet.overlaps(part) for part in kept)

    def close(self) -> None:
        self._lock.close()


class AddressPool:
    """The addresses of one kept part, lowest free first; not safe to use from several threads."""

    def __init__(self, part: ipaddress.IPv4Network) -> None:
        self._part = part
        self._taken: set[str] = set()

    def take(self) -> str:
        """Take an address that nobody has; NetworkTakenError if there is none left."""
        for address in self._part.hosts():
            if str(address) not in self._taken:
                self._taken.add(str(address))
                return str(address)
        raise NetworkTakenError(f"every address of {self._part} is in use")

    def give_back(self, address: str) -> None:
        self._taken.discard(address)


def claim_networks(regions: Sequence[str], wanted: str) -> dict[str, Network]:
    """Take a network for each region: the wanted one and those after it, or with `auto` any that are free."""
    claimed: dict[str, Network] = {}
    with ExitStack() as undo:
        for number, region in enumerate(regions):
            claimed[region] = Network.claim(wanted if wanted == AUTO else _after(_checked(wanted), number))
            undo.callback(claimed[region].close)
        undo.pop_all()
    return claimed


def _after(first: ipaddress.IPv4Network, number: int) -> str:
    return str(
        ipaddress.IPv4Network((int(first.network_address) + number * first.num_addresses, first.prefixlen))
    )


def _checked(wanted: str) -> ipaddress.IPv4Network:
    hint = f"network {wanted!r} is not a /16 of 127.0.0.0/8: write it like {DEFAULT_NETWORK}"
    try:
        cidr = ipaddress.IPv4Network(wanted)
    except ValueError as error:
        raise NetworkTakenError(hint) from error
    if not cidr.is_loopback or cidr.prefixlen != ipaddress.IPv4Network(DEFAULT_NETWORK).prefixlen:
        raise NetworkTakenError(hint)
    return cidr
