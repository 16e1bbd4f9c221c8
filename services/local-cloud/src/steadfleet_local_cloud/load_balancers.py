"""Load balancers: an address of their own, and listeners that forward to healthy targets."""

from __future__ import annotations

import errno
import random
from collections.abc import Sequence
from typing import Any

from moto.elbv2.exceptions import DuplicateListenerError, DuplicateLoadBalancerName, ELBClientError
from moto.elbv2.models import ELBv2Backend

from steadfleet_local_cloud.context import Context
from steadfleet_local_cloud.forwarding import Door, Forwarder
from steadfleet_local_cloud.network import AUTO, AddressPool, Network
from steadfleet_local_cloud.patches import Patches
from steadfleet_local_cloud.routing import Routing, Target, unsupported
from steadfleet_local_cloud.target_health import TargetHealth

_IDLE_TIME = "idle_timeout.timeout_seconds"
_DEFAULT_IDLE_TIME = 60.0
_KINDS = {"application", "network", None}


class LoadBalancers:
    """
    Wrap moto's load balancers and listeners in the regions that have machines.

    Where nothing stands behind instances, or in other regions, they are the control plane alone:
    their names lead nowhere.
    """

    def __init__(self, context: Context, patches: Patches, health: TargetHealth) -> None:
        self._context = context
        self._health = health
        self._forwarder = Forwarder() if context.real else None
        self._dice = random.Random(0)  # noqa: S311 - repeatable on purpose
        self._pools: dict[str, AddressPool] = {}
        self._claimed: list[Network] = []
        self._addresses: dict[str, str] = {}  # by the load balancer's ARN
        self._doors: dict[str, Door] = {}  # by the listener's ARN
        if self._forwarder:
            patches.wrap(ELBv2Backend, "create_load_balancer", self._create)
            patches.wrap(ELBv2Backend, "delete_load_balancer", self._delete)
            patches.wrap(ELBv2Backend, "create_listener", self._create_listener)
            patches.wrap(ELBv2Backend, "modify_listener", self._modify_listener)
            patches.wrap(ELBv2Backend, "delete_listener", self._delete_listener)
            patches.wrap(ELBv2Backend, "create_rule", self._change_rule)
            patches.wrap(ELBv2Backend, "modify_rule", self._change_rule)

    def close(self) -> None:
        if self._forwarder:
            self._forwarder.close()
        for network in self._claimed:
            network.close()

    def address(self, arn: str) -> str | None:
        """Tell where a load balancer listens, if it does."""
        return self._addresses.get(arn)

    def _create(self, original: Any, backend: Any, name: str, *args: Any, **options: Any) -> Any:
        there = next((one for one in backend.load_balancers.values() if one.name == name), None)
        if there is not None:
            if _same(there, options):
                return there  # as AWS: the call completes once
            raise DuplicateLoadBalancerName
        if options.get("loadbalancer_type") not in _KINDS:
            raise _unsupported(f"type {options['loadbalancer_type']}: it is an application or a network one")
        balancer = original(backend, name, *args, **options)
        if backend.region_name in self._context.networks:
            address = self._pool(backend.region_name).take()
            self._addresses[balancer.arn] = address
            self._context.hosts.add(
                balancer.dns_name,
                address,
                balancer.canonical_hosted_zone_id,
                lambda: self._serves(balancer, backend.region_name),
            )
        return balancer

    def _delete(self, original: Any, backend: Any, arn: str) -> Any:
        balancer = backend.load_balancers.get(arn)
        for listener in list(balancer.listeners) if balancer else ():
            self._shut(listener)
        answer = original(backend, arn)
        if address := self._addresses.pop(arn, None):
            self._context.hosts.drop(balancer.dns_name)
            self._pool(backend.region_name).give_back(address)
        return answer

    def _create_listener(self, original: Any, backend: Any, *args: Any, **options: Any) -> Any:
        _refuse(options.get("protocol"), options["actions"])
        listener = original(backend, *args, **options)
        try:
            self._open(backend, listener, int(listener.port))
        except Exception:
            backend.delete_listener(listener.arn)
            raise
        return listener

    def _modify_listener(
        self, original: Any, backend: Any, arn: str, port: Any, protocol: Any, *rest: Any
    ) -> Any:
        *_, actions = rest
        _refuse(protocol, actions)
        before = self._doors.get(arn)
        if before is None or port is None or int(port) == before.port:
            return original(backend, arn, port, protocol, *rest)
        listener = backend.describe_listeners(load_balancer_arn=None, listener_arns=[arn])[0]
        self._open(backend, listener, int(port))  # before moto changes anything
        if self._forwarder:
            self._forwarder.shut(before)
        return original(backend, arn, port, protocol, *rest)

    def _delete_listener(self, original: Any, backend: Any, listener_arn: str) -> Any:
        listener = original(backend, listener_arn)
        self._shut(listener_arn)
        return listener

    def _change_rule(self, original: Any, backend: Any, *args: Any, **options: Any) -> Any:
        _refuse(None, options.get("actions") or (), options.get("conditions") or ())
        return original(backend, *args, **options)

    def _open(self, backend: Any, listener: Any, port: int) -> None:
        address = self._addresses.get(listener.load_balancer_arn)
        if address is None or self._forwarder is None:
            return
        balancer = backend.load_balancers[listener.load_balancer_arn]
        door = Door(
            address=address,
            port=port,
            routing=self._routing(listener, backend.region_name),
            idle_time=lambda: float(balancer.attrs.get(_IDLE_TIME, _DEFAULT_IDLE_TIME)),
        )
        try:
            self._forwarder.open(door)
        except OSError as error:
            taken = any((one.address, one.port) == (address, port) for one in self._doors.values())
            raise (DuplicateListenerError() if taken else _not_opened(door, error)) from error
        self._doors[listener.arn] = door

    def _shut(self, listener_arn: str) -> None:
        door = self._doors.pop(listener_arn, None)
        if door and self._forwarder:
            self._forwarder.shut(door)

    def _routing(self, listener: Any, region: str) -> Routing:
        def healthy(arn: str) -> Sequence[Target]:
            return self._health.healthy(region, arn)

        return Routing(listener, healthy, self._dice)

    def _serves(self, balancer: Any, region: str) -> bool:
        """Whether every target group behind it has a healthy target, which an alias may evaluate."""
        listeners = list(balancer.listeners.values())
        groups = {arn for listener in listeners for arn in self._routing(listener, region).groups()}
        return bool(groups) and all(self._health.healthy(region, arn) for arn in groups)

    def _pool(self, region: str) -> AddressPool:
        """Give out loopback addresses: of the region's network, or of one beside it if that is Docker's."""
        if region not in self._pools:
            network = self._context.networks[region]
            if not network.cidr.is_loopback:
                network = Network.claim(AUTO)
                self._claimed.append(network)
            self._pools[region] = AddressPool(network.load_balancers)
        return self._pools[region]


def _same(balancer: Any, options: dict[str, Any]) -> bool:
    subnets = options.get("subnet_ids") or [one["SubnetId"] for one in options.get("subnet_mappings") or ()]
    return (
        {subnet.id for subnet in balancer.subnets} == set(subnets)
        and (balancer.scheme or "internet-facing") == (options.get("scheme") or "internet-facing")
        and balancer.type == (options.get("loadbalancer_type") or "application")
    )


def _refuse(protocol: str | None, actions: Any, conditions: Any = ()) -> None:
    if reason := unsupported(protocol, actions, conditions):
        raise _unsupported(reason)


def _unsupported(reason: str) -> ELBClientError:
    return ELBClientError(
        "InvalidConfigurationRequest", f"A load balancer of this local cloud has no {reason}."
    )


def _not_opened(door: Door, error: OSError) -> ELBClientError:
    why = {
        errno.EACCES: "only root may, choose one from 1024",
        errno.EADDRINUSE: "another program of this machine listens there, perhaps at every address",
    }.get(error.errno or 0, str(error))
    return ELBClientError(
        "InvalidConfigurationRequest",
        f"This local cloud could not open port {door.port} on {door.address}: {why}.",
    )
