"""Where a build's machine stands."""

from collections.abc import Mapping
from dataclasses import dataclass

from steadfleet_activities.image.amis import filters_of
from steadfleet_activities.image.clients import RegionalAws
from steadfleet_core.errors import RefusedError

_WHERE = "spec.build.variables"


@dataclass(frozen=True)
class Network:
    """A subnet, its VPC, and the addresses inside that VPC."""

    vpc: str
    subnet: str
    addresses: tuple[str, ...]


class Networks:
    """The VPCs of one region."""

    def __init__(self, aws: RegionalAws) -> None:
        self._aws = aws

    def chosen(self, variables: Mapping[str, str]) -> Network:
        """Take what the variables `vpc_id` and `subnet_id` name, or else the region's default VPC."""
        vpc, subnet = variables.get("vpc_id"), variables.get("subnet_id")
        if subnet is None and vpc is None:
            vpc, subnet = self._default()
        elif subnet is None:
            raise RefusedError(
                f"{_WHERE}: vpc_id is given and subnet_id is not: expected both, or only subnet_id"
            )
        found = self._vpc_of(subnet)
        if vpc is not None and vpc != found:
            raise RefusedError(f"{_WHERE}: subnet {subnet} lies in {found}, expected one of vpc_id {vpc}")
        return Network(found, subnet, self._addresses(found))

    def _default(self) -> tuple[str, str]:
        filters = filters_of({"default-for-az": ["true"]})
        found = self._aws.ec2.describe_subnets(Filters=filters)["Subnets"]
        if not found:
            raise RefusedError(
                f"{self._aws.region} has no default VPC with subnets: declare the variable subnet_id in the "
                f"template and give it in {_WHERE}"
            )
        first = min(found, key=lambda one: one["AvailabilityZone"])
        return first["VpcId"], first["SubnetId"]

    def _vpc_of(self, subnet: str) -> str:
        # As a filter: an unknown id is then an empty answer.
        found = self._aws.ec2.describe_subnets(Filters=filters_of({"subnet-id": [subnet]}))["Subnets"]
        if not found:
            raise RefusedError(f"{_WHERE}: there is no subnet {subnet} in {self._aws.region}: correct the id")
        return found[0]["VpcId"]

    def _addresses(self, vpc: str) -> tuple[str, ...]:
        found = self._aws.ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"][0]
        given = [one["CidrBlock"] for one in found.get("CidrBlockAssociationSet", [])]
        return tuple(dict.fromkeys([found["CidrBlock"], *given]))
