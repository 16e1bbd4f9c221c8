"""The way into a build's machine, and nobody else's: a security group and a key pair of the run's own."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from steadfleet_activities.fleet.errors import UNCLEAR, code_of
from steadfleet_activities.image import tags
from steadfleet_activities.image.amis import filters_of, specifications
from steadfleet_activities.image.clients import RegionalAws
from steadfleet_activities.image.network import Network
from steadfleet_core.image.order import Build

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import IpPermissionTypeDef

_SSH = 22


@dataclass(frozen=True)
class Access:
    """What packer is given; the private key is nowhere else."""

    security_group: str
    key_pair: str
    private_key: bytes


class Doors:
    """Opens and closes the way in, named after the run. `callers` are addresses from which a worker comes."""

    def __init__(self, aws: RegionalAws, callers: Sequence[str] = ()) -> None:
        self._aws = aws
        self._callers = tuple(callers)

    def open(self, build: Build, network: Network) -> Access:
        group = self._group(build, network)
        self._let_in(group, self._callers or network.addresses)
        return Access(group, build.run, self._key(build))

    def close(self, run: str) -> None:
        """Remove both; safe when there is nothing, and raises while a machine still stands in the group."""
        self._aws.ec2.delete_key_pair(KeyName=run)
        for group in self.groups(run):
            try:
                self._aws.ec2.delete_security_group(GroupId=group)
            except ClientError as error:
                if code_of(error) != "InvalidGroup.NotFound":
                    raise

    def groups(self, run: str) -> list[str]:
        """Find the run's groups by tag and by name."""
        found: dict[str, None] = {}
        for name in (f"tag:{tags.RUN}", "group-name"):
            answer = self._aws.ec2.describe_security_groups(Filters=filters_of({name: [run]}))
            found |= dict.fromkeys(one["GroupId"] for one in answer["SecurityGroups"])
        return list(found)

    def _group(self, build: Build, network: Network) -> str:
        known = self._group_in(build.run, network.vpc)
        if known is not None:
            return known
        try:
            return self._aws.creator.create_security_group(
                GroupName=build.run,
                Description=f"SSH to the machine that builds {build.family} {build.version}",
                VpcId=network.vpc,
                TagSpecifications=specifications(tags.temporary(build), "security-group"),
            )["GroupId"]
        except UNCLEAR:
            made = self._group_in(build.run, network.vpc)
            if made is None:
                raise
            return made

    def _group_in(self, run: str, vpc: str) -> str | None:
        answer = self._aws.ec2.describe_security_groups(
            Filters=filters_of({"group-name": [run], "vpc-id": [vpc]})
        )
        return next((one["GroupId"] for one in answer["SecurityGroups"]), None)

    def _let_in(self, group: str, addresses: Sequence[str]) -> None:
        for address in addresses:
            rule: IpPermissionTypeDef = {
                "IpProtocol": "tcp",
                "FromPort": _SSH,
                "ToPort": _SSH,
                "IpRanges": [{"CidrIp": address, "Description": "the worker that builds"}],
            }
            try:
                self._aws.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])
            except ClientError as error:
                if code_of(error) != "InvalidPermission.Duplicate":
                    raise

    def _key(self, build: Build) -> bytes:
        """Give the platform the public half of a new key: the private one never travels.

        One of an earlier attempt is of no use: its private half went with that attempt.
        """
        private = Ed25519PrivateKey.generate()
        public = private.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
        self._aws.ec2.delete_key_pair(KeyName=build.run)
        try:
            self._aws.creator.import_key_pair(
                KeyName=build.run,
                PublicKeyMaterial=public,
                TagSpecifications=specifications(tags.temporary(build), "key-pair"),
            )
        except UNCLEAR:
            if not self._has_key(build.run, public):
                raise
        return private.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())

    def _has_key(self, run: str, public: bytes) -> bool:
        # Not any key of that name: one whose deletion is slow to be seen would open nothing.
        answer = self._aws.ec2.describe_key_pairs(
            IncludePublicKey=True, Filters=filters_of({"key-name": [run]})
        )
        ours = public.split()[:2]
        return any(one.get("PublicKey", "").encode().split()[:2] == ours for one in answer["KeyPairs"])
