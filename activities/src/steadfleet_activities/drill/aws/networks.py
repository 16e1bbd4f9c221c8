"""The network that a run is alone in: its VPC or a part of one, its way in, and its names."""

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from steadfleet_activities.drill.aws.clients import DrillAws, Regions
from steadfleet_activities.drill.aws.ensuring import ensured
from steadfleet_activities.drill.aws.looking import Look
from steadfleet_activities.drill.aws.names import named, tags_of
from steadfleet_activities.drill.aws.subnet_groups import ensured_subnet_group
from steadfleet_activities.drill.aws.zones import ensured_zone
from steadfleet_activities.drill.drivers import Facts, Inspected, NetworkDriver, Say
from steadfleet_activities.fleet import tags
from steadfleet_activities.fleet.errors import code_of
from steadfleet_activities.image.amis import filters_of, specifications
from steadfleet_core.drill.order import Drill
from steadfleet_core.drill.steps import StepKind
from steadfleet_core.errors import RefusedError
from steadfleet_durable import unbroken
from steadfleet_ports.drill import DrillInspection, StepRequest

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import IpPermissionTypeDef, SubnetTypeDef, VpcTypeDef

VPC = "STEADFLEET_DRILL_VPC"
CALLERS = "STEADFLEET_DRILL_CALLERS"
OWN, DEFAULT, GIVEN = "own vpc", "default vpc", "given vpc"
_ZONES = 2
_EVERYWHERE = "0.0.0.0/0"
_CANDIDATES = [f"10.{second}.{third}.0/20" for second in range(255, 199, -1) for third in (0, 128)]


@dataclass(frozen=True)
class Ground:
    """Where a run's network is to be: a VPC that is there already, or None for one of its own."""

    kind: str
    vpc: "VpcTypeDef | None"


class AwsNetworks(NetworkDriver):
    """`vpc` is one that was prepared for drills; `callers` are where worker and witness come from (CIDR)."""

    def __init__(self, regions: Regions, vpc: str = "", callers: Sequence[str] = ()) -> None:
        self._regions = regions
        self._vpc = vpc
        self._callers = tuple(callers)

    @classmethod
    def from_environment(cls, regions: Regions, env: Mapping[str, str]) -> "AwsNetworks":
        callers = [one.strip() for one in env.get(CALLERS, "").split(",") if one.strip()]
        return cls(regions, env.get(VPC, ""), callers)

    async def isolate(self, request: StepRequest, say: Say) -> Facts:
        say("making the network")
        return await unbroken(self._isolate, request.drill)

    async def inspect(self, inspection: DrillInspection) -> Inspected:
        return await unbroken(self._inspect, inspection.drill)

    def ground(self, aws: DrillAws) -> Ground:
        """Choose where: the prepared VPC, one's own, or in a local cloud the one that has machines."""
        if self._vpc:
            found = _vpcs(aws, {"vpc-id": [self._vpc]})
            if not found:
                raise RefusedError(
                    f"{VPC}={self._vpc}: there is no such VPC in {aws.region}: expected one that was "
                    "prepared for drills in the recovery region"
                )
            return Ground(GIVEN, found[0])
        default = next(iter(_vpcs(aws, {"is-default": ["true"]})), None)
        if default and ipaddress.ip_network(default["CidrBlock"]).is_loopback:
            return Ground(DEFAULT, default)  # only a local cloud has such addresses
        return Ground(OWN, None)

    def zones(self, aws: DrillAws, ground: Ground) -> list[str]:
        if ground.vpc is not None:
            return [one["AvailabilityZone"] for one in _subnets_in(aws, ground.vpc["VpcId"])]
        answer = aws.ec2.describe_availability_zones(Filters=filters_of({"state": ["available"]}))
        found = [
            one
            for one in answer["AvailabilityZones"]
            if one.get("ZoneType", "availability-zone") == "availability-zone"
        ]
        return sorted(one["ZoneName"] for one in found)[:_ZONES]

    def _isolate(self, drill: Drill) -> Facts:
        aws, given = self._regions.at(drill.region), tags_of(drill)
        ground = self.ground(aws)
        vpc = ground.vpc or self._own_vpc(aws, drill.run, given)
        subnets = _subnets_in(aws, vpc["VpcId"]) if ground.vpc else self._own_subnets(aws, vpc, given)
        group = _security_group(aws, drill, vpc)
        self._let_in(aws, group, vpc)
        facts = {
            "network": ground.kind,
            "vpc": vpc["VpcId"],
            "addresses": ",".join(_addresses(vpc)),
            "subnets": ",".join(one["SubnetId"] for one in subnets),
            "zones": ",".join(one["AvailabilityZone"] for one in subnets),
            "security_group": group,
            "hosted_zone": ensured_zone(aws, drill, vpc["VpcId"]),
        }
        if any(store.type == "rds" for store in drill.plan.spec.stores):
            facts["subnet_group"] = ensured_subnet_group(aws, drill, [one["SubnetId"] for one in subnets])
        return facts

    def _own_vpc(self, aws: DrillAws, run: str, given: Mapping[str, str]) -> "VpcTypeDef":
        def create() -> None:
            cidr = free_cidr([aws, self._regions.at_home])
            aws.once.ec2.create_vpc(CidrBlock=cidr, TagSpecifications=specifications(given, "vpc"))

        vpc = ensured("the VPC", lambda: next(iter(_vpcs(aws, {f"tag:{tags.RUN}": [run]})), None), create)
        # Without it a private zone is not asked.
        aws.ec2.modify_vpc_attribute(VpcId=vpc["VpcId"], EnableDnsHostnames={"Value": True})
        return vpc

    def _own_subnets(
        self, aws: DrillAws, vpc: "VpcTypeDef", given: Mapping[str, str]
    ) -> "list[SubnetTypeDef]":
        parts = ipaddress.ip_network(vpc["CidrBlock"]).subnets(new_prefix=24)
        for zone, part in zip(self.zones(aws, Ground(OWN, None)), parts, strict=False):
            ensured(
                f"the subnet in {zone}",
                lambda zone=zone: _subnet(aws, vpc["VpcId"], zone),  # type: ignore[misc]
                lambda zone=zone, part=part: aws.once.ec2.create_subnet(  # type: ignore[misc]
                    VpcId=vpc["VpcId"],
                    CidrBlock=str(part),
                    AvailabilityZone=zone,
                    TagSpecifications=specifications(given, "subnet"),
                ),
            )
        return _subnets_in(aws, vpc["VpcId"])

    def _let_in(self, aws: DrillAws, group: str, vpc: "VpcTypeDef") -> None:
        """Let the network itself and the callers in, and nothing out of the network."""
        inside = _addresses(vpc)
        for cidr in dict.fromkeys([*inside, *self._callers]):
            with _there_already():
                aws.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[_all_tcp(cidr)])
        for cidr in inside:
            with _there_already():
                aws.ec2.authorize_security_group_egress(GroupId=group, IpPermissions=[_all(cidr)])
        with _there_already():
            aws.ec2.revoke_security_group_egress(GroupId=group, IpPermissions=[_all(_EVERYWHERE)])

    def _inspect(self, drill: Drill) -> Inspected:
        aws, step = self._regions.at(drill.region), str(StepKind.ISOLATE)
        look = Look(f"the network in {drill.region}", step)
        with look.asking("the VPC"):
            self._inspect_ground(look, aws, drill)
        with look.asking("what carries the run's name"):
            found = [*_vpcs(aws, {f"tag:{tags.RUN}": [drill.run]}), *_groups(aws, drill.run)]
            if found:
                look.say(
                    f"something carries the tag {tags.RUN}={drill.run} in {drill.region} already",
                    blocks=True,
                    advice="sweep that run first, or start the drill under another time",
                )
        with look.asking("hosted zones"):
            aws.route53.list_hosted_zones(MaxItems="1")
        return look.told()

    def _inspect_ground(self, look: Look, aws: DrillAws, drill: Drill) -> None:
        ground = self.ground(aws)
        if ground.vpc is None:
            look.say(
                f"nothing leads into a VPC of the drill's own in {drill.region}, unless your network "
                "connects it when it appears: worker and witness would see neither databases nor services",
                advice=f"name a VPC that was prepared for drills in {VPC}, or attach every VPC with the tag "
                f"{tags.DRILL}",
            )
            free_cidr([aws, self._regions.at_home])
            look.permitted("ec2:CreateVpc", lambda: aws.ec2.create_vpc(CidrBlock=_CANDIDATES[0], DryRun=True))
        zones = self.zones(aws, ground)
        if len(set(zones)) < _ZONES:
            look.say(
                f"the network has subnets in {len(set(zones))} zones of {drill.region}, expected {_ZONES}",
                blocks=True,
                advice="give the VPC a subnet in another zone",
            )
        inside = ground.vpc["VpcId"] if ground.vpc else ""
        look.permitted(
            "ec2:CreateSecurityGroup",
            lambda: aws.ec2.create_security_group(
                GroupName=named(drill.run),
                Description="asked only",
                DryRun=True,
                TagSpecifications=specifications(tags_of(drill), "security-group"),
                **({"VpcId": inside} if inside else {}),
            ),
        )


def free_cidr(regions: Sequence[DrillAws]) -> str:
    """Choose addresses that no VPC has, neither here nor at home: what is probed must mean one thing."""
    taken = [
        ipaddress.ip_network(cidr) for aws in regions for vpc in _vpcs(aws, {}) for cidr in _addresses(vpc)
    ]
    for cidr in _CANDIDATES:
        if not any(ipaddress.ip_network(cidr).overlaps(one) for one in taken):
            return cidr
    raise RefusedError(
        "no /20 of 10.200.0.0 to 10.255.255.255 is free of every VPC in "
        f"{', '.join(one.region for one in regions)}: expected room for the drill's network; "
        f"name a VPC for drills in {VPC}"
    )


def _vpcs(aws: DrillAws, filters: Mapping[str, Sequence[str]]) -> "list[VpcTypeDef]":
    answers = aws.ec2.get_paginator("describe_vpcs").paginate(Filters=filters_of(filters))
    return [vpc for answer in answers for vpc in answer["Vpcs"]]


def _addresses(vpc: "VpcTypeDef") -> list[str]:
    more = [one["CidrBlock"] for one in vpc.get("CidrBlockAssociationSet", [])]
    return list(dict.fromkeys([vpc["CidrBlock"], *more]))


def _subnet(aws: DrillAws, vpc: str, zone: str) -> "SubnetTypeDef | None":
    answer = aws.ec2.describe_subnets(Filters=filters_of({"vpc-id": [vpc], "availability-zone": [zone]}))
    return next(iter(answer["Subnets"]), None)


def _subnets_in(aws: DrillAws, vpc: str) -> "list[SubnetTypeDef]":
    """Choose a subnet in each of the first zones, the one with the most room."""
    found = aws.ec2.describe_subnets(Filters=filters_of({"vpc-id": [vpc]}))["Subnets"]
    by_zone: dict[str, SubnetTypeDef] = {}
    for one in sorted(found, key=lambda subnet: (-subnet["AvailableIpAddressCount"], subnet["SubnetId"])):
        by_zone.setdefault(one["AvailabilityZone"], one)
    return [by_zone[zone] for zone in sorted(by_zone)[:_ZONES]]


def _groups(aws: DrillAws, run: str) -> list[str]:
    answer = aws.ec2.describe_security_groups(Filters=filters_of({f"tag:{tags.RUN}": [run]}))
    return [one["GroupId"] for one in answer["SecurityGroups"]]


def _security_group(aws: DrillAws, drill: Drill, vpc: "VpcTypeDef") -> str:
    name = named(drill.run)

    def look() -> str | None:
        answer = aws.ec2.describe_security_groups(
            Filters=filters_of({"group-name": [name], "vpc-id": [vpc["VpcId"]]})
        )
        return next((one["GroupId"] for one in answer["SecurityGroups"]), None)

    def create() -> None:
        aws.once.ec2.create_security_group(
            GroupName=name,
            Description=f"The network of a drill of {drill.plan.name}",
            VpcId=vpc["VpcId"],
            TagSpecifications=specifications(tags_of(drill), "security-group"),
        )

    return ensured("the security group", look, create)


@contextmanager
def _there_already() -> Iterator[None]:
    """Let a rule be set or taken away a second time."""
    try:
        yield
    except ClientError as error:
        if code_of(error) not in {"InvalidPermission.Duplicate", "InvalidPermission.NotFound"}:
            raise


def _all(cidr: str) -> "IpPermissionTypeDef":
    return {"IpProtocol": "-1", "IpRanges": [{"CidrIp": cidr}]}


def _all_tcp(cidr: str) -> "IpPermissionTypeDef":
    return {"IpProtocol": "tcp", "FromPort": 0, "ToPort": 65535, "IpRanges": [{"CidrIp": cidr}]}
