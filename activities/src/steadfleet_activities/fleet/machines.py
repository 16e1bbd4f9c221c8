"""Instances: find, launch and end them. Every method is one look or one act, and blocks."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

from steadfleet_activities.fleet import tags
from steadfleet_activities.fleet.clients import Aws
from steadfleet_activities.fleet.templates import Templates
from steadfleet_core.errors import RefusedError
from steadfleet_core.fleet import Before

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import FilterTypeDef, InstanceTypeDef, TagTypeDef

PAGE = 200
"""The most values that a filter takes."""

_Item = TypeVar("_Item")


@dataclass(frozen=True)
class Machine:
    """An instance as it was at one look."""

    id: str
    state: str
    address: str
    zone: str
    subnet: str
    image: str
    launched: datetime
    tags: dict[str, str]
    ended: str = ""

    @property
    def gone(self) -> bool:
        return self.state in {"shutting-down", "terminated"}

    @property
    def up(self) -> bool:
        """Running or about to be: one that a person stopped serves nobody."""
        return self.state in {"pending", "running"}

    @property
    def serves(self) -> bool:
        """Whether it was let in: until then it carries the time at which it may be swept."""
        return not self.gone and tags.EXPIRES_AT not in self.tags


@dataclass(frozen=True)
class Launch:
    """What to launch, and the tags that find it again; `role` says whether it replaces or restores."""

    image: str
    before: Before
    host: str
    role: str
    campaign: str
    run: str
    attempt: int
    inherited: dict[str, str]
    expires_at: datetime

    def token(self, earlier: int) -> str:
        """Name this launch to AWS, which answers the same instance to the same token."""
        said = (self.run, self.host, self.role, str(self.attempt), str(earlier))
        return hashlib.sha256("\n".join(said).encode()).hexdigest()[:64]

    def identity(self) -> dict[str, str]:
        return {tags.RUN: self.run, tags.ATTEMPT: str(self.attempt), self.role: self.host}

    def tags(self) -> dict[str, str]:
        return {
            **self.inherited,
            tags.CAMPAIGN: self.campaign,
            tags.HOST: self.host,
            **self.identity(),
            # The same at every retry: AWS refuses a token that comes with other parameters.
            tags.EXPIRES_AT: self.expires_at.astimezone(UTC).isoformat(timespec="seconds"),
        }


class Machines:
    """The instances of one region."""

    def __init__(self, aws: Aws, templates: Templates) -> None:
        self._aws = aws
        self._templates = templates

    def find(self, ids: Iterable[str]) -> dict[str, Machine]:
        """Describe by id, in pages; one that AWS has forgotten is missing from the answer."""
        found = [self._matching([_filter("instance-id", page)]) for page in pages(sorted(set(ids)), PAGE)]
        return {machine.id: machine for machines in found for machine in machines}

    def launched_for(self, campaign: str, hosts: Iterable[str]) -> list[Machine]:
        """Find what the campaign launched for these planned hosts, ended ones too, newest first."""
        ours = _filter(f"tag:{tags.CAMPAIGN}", [campaign])
        found = [
            self._matching([ours, _filter(f"tag:{tags.HOST}", page)])
            for page in pages(sorted(set(hosts)), PAGE)
        ]
        every = [machine for machines in found for machine in machines]
        return sorted(every, key=lambda machine: (machine.launched, machine.id), reverse=True)

    def launch(self, launch: Launch, subnet: str, earlier: int) -> str:
        """Ask once, with every tag in the same call: what exists can always be found."""
        given: list[TagTypeDef] = [{"Key": key, "Value": value} for key, value in launch.tags().items()]
        placed = self._templates.placed(launch.before, subnet, given)
        answer = self._aws.launcher.run_instances(
            **placed,
            LaunchTemplate={
                "LaunchTemplateId": launch.before.template_id,
                "Version": str(launch.before.template_version),
            },
            ImageId=launch.image,
            MinCount=1,
            MaxCount=1,
            ClientToken=launch.token(earlier),
        )
        return answer["Instances"][0]["InstanceId"]

    def subnet(self, zone: str, among: Sequence[str]) -> str:
        """Choose the first of these subnets that lies in the zone."""
        answer = self._aws.ec2.describe_subnets(SubnetIds=list(among))
        found = sorted(one["SubnetId"] for one in answer["Subnets"] if one["AvailabilityZone"] == zone)
        if not found:
            raise RefusedError(
                f"none of the group's subnets {', '.join(among)} lies in zone {zone}: expected one, to "
                "launch a host where the old one stood; give the group its subnet in that zone back"
            )
        return found[0]

    def settle(self, machine_id: str) -> None:
        """Take the expiry off a machine that serves from now on."""
        self._aws.ec2.delete_tags(Resources=[machine_id], Tags=[{"Key": tags.EXPIRES_AT}])

    def terminate(self, machine_id: str) -> None:
        self._aws.ec2.terminate_instances(InstanceIds=[machine_id])

    def _matching(self, filters: "list[FilterTypeDef]") -> list[Machine]:
        answers = self._aws.ec2.get_paginator("describe_instances").paginate(Filters=filters)
        return [
            _read(instance)
            for answer in answers
            for reservation in answer["Reservations"]
            for instance in reservation["Instances"]
        ]


def pages(items: Sequence[_Item], size: int) -> Iterator[Sequence[_Item]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def _filter(name: str, values: Sequence[str]) -> "FilterTypeDef":
    return {"Name": name, "Values": list(values)}


def _read(instance: "InstanceTypeDef") -> Machine:
    return Machine(
        id=instance["InstanceId"],
        state=instance["State"]["Name"],
        address=instance.get("PrivateIpAddress", ""),
        zone=instance["Placement"]["AvailabilityZone"],
        subnet=instance.get("SubnetId", ""),
        image=instance["ImageId"],
        launched=instance["LaunchTime"],
        tags={tag["Key"]: tag["Value"] for tag in instance.get("Tags", [])},
        ended=instance.get("StateReason", {}).get("Message", ""),
    )
