"""What goes along when a part of a network is deleted, and what must not go yet: moto knows neither."""

from __future__ import annotations

from typing import Any

from moto.ec2.exceptions import DependencyViolationError, EC2ClientError
from moto.ec2.models.nat_gateways import NatGatewayBackend
from moto.ec2.models.subnets import SubnetBackend
from moto.ec2.models.vpcs import VPCBackend
from moto.ec2.responses.security_groups import SecurityGroups

from steadfleet_local_cloud.patches import Patches


class Vpcs:
    """Wrap moto's deletes of subnets, VPCs, NAT gateways and security groups."""

    def __init__(self, patches: Patches) -> None:
        patches.wrap(SubnetBackend, "delete_subnet", _delete_subnet)
        patches.wrap(VPCBackend, "delete_vpc", _delete_vpc)
        patches.wrap(NatGatewayBackend, "delete_nat_gateway", _delete_nat_gateway)
        patches.wrap(SecurityGroups, "delete_security_group", _delete_security_group)


def _delete_subnet(original: Any, backend: Any, subnet_id: str) -> Any:
    subnet = original(backend, subnet_id)
    for acl in backend.network_acls.values():
        for association in [one for one in acl.associations if one.subnet_id == subnet_id]:
            del acl._associations[association.id]  # noqa: SLF001 - as moto replaces them
    return subnet


def _delete_vpc(original: Any, backend: Any, vpc_id: str) -> Any:
    vpc = original(backend, vpc_id)
    for acl_id in [acl.id for acl in backend.network_acls.values() if acl.vpc_id == vpc_id]:
        del backend.network_acls[acl_id]
    return vpc


def _delete_nat_gateway(original: Any, backend: Any, nat_gateway_id: str) -> Any:
    gateway = original(backend, nat_gateway_id)
    backend.enis.pop(gateway._eni.id, None)  # noqa: SLF001 - moto tells it nowhere else
    return gateway


def _delete_security_group(original: Any, response: Any) -> Any:
    """Refuse to delete a group that something is in or names, as long as it is not only asked about."""
    backend = response.ec2_backend
    name = response._get_param("GroupId") or response._get_param("GroupName")  # noqa: SLF001 - as moto's own actions
    group = backend.get_security_group_by_name_or_id(name) if name else None
    response.error_on_dryrun()
    if group is not None:
        if group.name == "default":
            raise EC2ClientError(
                "CannotDelete", f"the specified group: {group.id} cannot be deleted by a user"
            )
        if user := next(_users(backend, group), None):
            raise DependencyViolationError(f"resource {group.id} has a dependent object: {user}")
    return original(response)


def _users(backend: Any, group: Any) -> Any:
    for interface in backend.enis.values():
        if any(one.id == group.id for one in interface.group_set):
            yield interface.id
    for by_id in backend.groups.values():
        for other in by_id.values():
            rules = [*other.ingress_rules, *other.egress_rules]
            if other.id != group.id and any(rule.source_group.get("GroupId") == group.id for rule in rules):
                yield other.id
