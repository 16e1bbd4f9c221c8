"""The way into a machine that tries an image: a security group and a key pair, named after its run."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from steadfleet_activities.fleet.errors import UNCLEAR, code_of
from steadfleet_activities.image.amis import filters_of, specifications
from steadfleet_activities.image.clients import RegionalAws
from steadfleet_activities.image.network import Network

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import IpPermissionTypeDef


class Entry:
    """Opens and closes it. `name` and `given` (tags) are of one run; `callers` are the workers' addresses."""

    def __init__(
        self, aws: RegionalAws, name: str, given: dict[str, str], callers: Sequence[str] = ()
    ) -> None:
        self._aws = aws
        self._name = name
        self._given = given
        self._callers = tuple(callers)

    def open_group(self, network: Network, ports: Sequence[int]) -> str:
        """Make the group, closed to all but the callers, or else the VPC's own addresses."""
        group = self._group(network)
        ranges = [{"CidrIp": address} for address in self._callers or network.addresses]
        rules: list[IpPermissionTypeDef] = [
            {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [{**one} for one in ranges]}  # type: ignore[typeddict-item]
            for port in sorted(set(ports))
        ]
        for rule in rules:
            try:
                self._aws.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])
            except ClientError as error:
                if code_of(error) != "InvalidPermission.Duplicate":
                    raise
        return group

    def new_key(self) -> str:
        """Make a key pair, and return its private half, which never leaves this process but for a test."""
        private = Ed25519PrivateKey.generate()
        public = private.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
        try:
            self._aws.creator.import_key_pair(
                KeyName=self._name,
                PublicKeyMaterial=public,
                TagSpecifications=specifications(self._given, "key-pair"),
            )
        except UNCLEAR:
            # What an earlier try left was removed before: what has this name is this one.
            named = filters_of({"key-name": [self._name]})
            if not self._aws.ec2.describe_key_pairs(Filters=named)["KeyPairs"]:
                raise
        return private.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()

    def close(self) -> str:
        """Remove both; return what still holds the group, or nothing."""
        self._aws.ec2.delete_key_pair(KeyName=self._name)
        for group in self._groups():
            try:
                self._aws.ec2.delete_security_group(GroupId=group)
            except ClientError as error:
                if code_of(error) == "DependencyViolation":
                    return str(error)
                if code_of(error) != "InvalidGroup.NotFound":
                    raise
        return ""

    def _groups(self) -> list[str]:
        answer = self._aws.ec2.describe_security_groups(Filters=filters_of({"group-name": [self._name]}))
        return [group["GroupId"] for group in answer["SecurityGroups"]]

    def _group(self, network: Network) -> str:
        try:
            return self._aws.creator.create_security_group(
                GroupName=self._name,
                Description="the way into the machine that tries an image",
                VpcId=network.vpc,
                TagSpecifications=specifications(self._given, "security-group"),
            )["GroupId"]
        except UNCLEAR:
            made = self._groups()
            if not made:
                raise
            return made[0]
