"""The pieces of an isolated network: found by tag, taken away from the inside out."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import ClientError

from steadfleet_activities.fleet.errors import code_of
from steadfleet_activities.janitor.clients import JanitorAws
from steadfleet_activities.janitor.found import Found, tagged, tags_in
from steadfleet_activities.janitor.scope import Kind, Scope, Thing

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import IpPermissionTypeDef


def look(aws: JanitorAws, scope: Scope, found: Found) -> None:
    """Find all but the security groups, which builds make too."""
    found.take(scope, _vpcs(aws, scope))
    found.take(scope, _subnets(aws, scope))
    found.take(scope, _route_tables(aws, scope))
    found.take(scope, _gateways(aws, scope))


def deletes(aws: JanitorAws) -> Mapping[Kind, Callable[[Thing], object]]:
    return {
        Kind.SECURITY_GROUP: lambda thing: _delete_security_group(aws, thing.id),
        Kind.SUBNET: lambda thing: aws.ec2.delete_subnet(SubnetId=thing.id),
        Kind.ROUTE_TABLE: lambda thing: _delete_route_table(aws, thing.id),
        Kind.INTERNET_GATEWAY: lambda thing: _delete_gateway(aws, thing.id),
        Kind.VPC: lambda thing: aws.ec2.delete_vpc(VpcId=thing.id),
    }


def _vpcs(aws: JanitorAws, scope: Scope) -> Iterator[Thing]:
    for answer in aws.ec2.get_paginator("describe_vpcs").paginate(Filters=tagged(scope)):
        for one in answer["Vpcs"]:
            yield _thing(aws, Kind.VPC, one["VpcId"], one)


def _subnets(aws: JanitorAws, scope: Scope) -> Iterator[Thing]:
    for answer in aws.ec2.get_paginator("describe_subnets").paginate(Filters=tagged(scope)):
        for one in answer["Subnets"]:
            yield _thing(aws, Kind.SUBNET, one["SubnetId"], one)


def _route_tables(aws: JanitorAws, scope: Scope) -> Iterator[Thing]:
    """Yield all but main ones: those go with their VPC, and not before."""
    for answer in aws.ec2.get_paginator("describe_route_tables").paginate(Filters=tagged(scope)):
        for one in answer["RouteTables"]:
            if not any(said.get("Main") for said in one.get("Associations", ())):
                yield _thing(aws, Kind.ROUTE_TABLE, one["RouteTableId"], one)


def _gateways(aws: JanitorAws, scope: Scope) -> Iterator[Thing]:
    for answer in aws.ec2.get_paginator("describe_internet_gateways").paginate(Filters=tagged(scope)):
        for one in answer["InternetGateways"]:
            yield _thing(aws, Kind.INTERNET_GATEWAY, one["InternetGatewayId"], one)


def _thing(aws: JanitorAws, kind: Kind, thing_id: str, described: Any) -> Thing:
    given = tags_in(described.get("Tags", ()))
    return Thing(aws.region, kind, thing_id, given.get("Name", ""), given)


def _delete_security_group(aws: JanitorAws, group: str) -> None:
    """Take away first what it says of other groups: of two that name each other none would ever go."""
    for described in aws.ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"]:
        for rule in _naming_others(described["IpPermissions"], group):
            with _gone_already():
                aws.ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=[rule])
        for rule in _naming_others(described["IpPermissionsEgress"], group):
            with _gone_already():
                aws.ec2.revoke_security_group_egress(GroupId=group, IpPermissions=[rule])
    aws.ec2.delete_security_group(GroupId=group)


def _naming_others(rules: Any, group: str) -> "list[IpPermissionTypeDef]":
    """Return what the rules say of other groups, and nothing else of them."""
    found: list[IpPermissionTypeDef] = []
    for rule in rules:
        others = [pair for pair in rule.get("UserIdGroupPairs", ()) if pair.get("GroupId") != group]
        if others:
            ports = {name: rule[name] for name in ("IpProtocol", "FromPort", "ToPort") if name in rule}
            found.append(cast("IpPermissionTypeDef", {**ports, "UserIdGroupPairs": others}))
    return found


def _delete_route_table(aws: JanitorAws, table: str) -> None:
    described = aws.ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"]
    for said in (said for one in described for said in one.get("Associations", ())):
        with _gone_already():
            aws.ec2.disassociate_route_table(AssociationId=said["RouteTableAssociationId"])
    aws.ec2.delete_route_table(RouteTableId=table)


def _delete_gateway(aws: JanitorAws, gateway: str) -> None:
    described = aws.ec2.describe_internet_gateways(InternetGatewayIds=[gateway])["InternetGateways"]
    for said in (said for one in described for said in one.get("Attachments", ())):
        with _gone_already():
            aws.ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=said["VpcId"])
    aws.ec2.delete_internet_gateway(InternetGatewayId=gateway)


@contextmanager
def _gone_already() -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        if not code_of(error).endswith((".NotFound", ".NotAttached")):
            raise
