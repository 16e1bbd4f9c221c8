"""Launch templates: which version a pointer means now, and what a launch has to add to one."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TypedDict

from botocore.model import ListShape, Shape, StructureShape

from steadfleet_activities.fleet.clients import Aws
from steadfleet_core.errors import RefusedError
from steadfleet_core.fleet import Before

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import (
        InstanceNetworkInterfaceSpecificationTypeDef,
        LaunchTemplateVersionTypeDef,
        TagSpecificationTypeDef,
        TagTypeDef,
    )

_OPERATION = "RunInstances"


class Placed(TypedDict, total=False):
    """The part of a RunInstances request that says where, and with which tags."""

    SubnetId: str
    NetworkInterfaces: "list[InstanceNetworkInterfaceSpecificationTypeDef]"
    TagSpecifications: "list[TagSpecificationTypeDef]"


class Templates:
    """Versions of launch templates. A numbered version never changes, so it is read once."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws
        self._read: dict[tuple[str, int], LaunchTemplateVersionTypeDef] = {}

    def number(self, template_id: str, pointer: str) -> int:
        """Resolve `$Latest` or `$Default` to the number that it means now."""
        if pointer.isdecimal():
            return int(pointer)
        answer = self._aws.ec2.describe_launch_template_versions(
            LaunchTemplateId=template_id, Versions=[pointer]
        )
        return answer["LaunchTemplateVersions"][0]["VersionNumber"]

    def version(self, template_id: str, number: int) -> "LaunchTemplateVersionTypeDef":
        known = self._read.get((template_id, number))
        if known is None:
            answer = self._aws.ec2.describe_launch_template_versions(
                LaunchTemplateId=template_id, Versions=[str(number)]
            )
            if not answer["LaunchTemplateVersions"]:
                raise RefusedError(
                    f"launch template {template_id} has no version {number}: expected the one that hosts "
                    "were launched from; it was deleted, so they can be neither replaced nor restored"
                )
            known = self._read[template_id, number] = answer["LaunchTemplateVersions"][0]
        return known

    def versions(self, template_id: str) -> "Iterator[LaunchTemplateVersionTypeDef]":
        answers = self._aws.ec2.get_paginator("describe_launch_template_versions").paginate(
            LaunchTemplateId=template_id, PaginationConfig={"PageSize": 200}
        )
        return (version for answer in answers for version in answer["LaunchTemplateVersions"])

    def placed(self, before: Before, subnet: str, instance_tags: "list[TagTypeDef]") -> Placed:
        """
        Add a subnet and tags to what the template says itself.

        AWS takes each of these whole, from the request or from the template. And a template that
        names network interfaces refuses a subnet beside them: it belongs into the first one.
        """
        data: dict[str, Any] = dict(
            self.version(before.template_id, before.template_version)["LaunchTemplateData"]
        )
        placed: Placed = {"TagSpecifications": _tagged(data.get("TagSpecifications", []), instance_tags)}
        interfaces = self.request(_OPERATION, "NetworkInterfaces", data.get("NetworkInterfaces", []))
        if not interfaces:
            return {**placed, "SubnetId": subnet}
        first = min(interfaces, key=lambda interface: int(interface.get("DeviceIndex", 0)))
        first["SubnetId"] = subnet
        return {**placed, "NetworkInterfaces": interfaces}

    def request(self, operation: str, member: str, answered: Any) -> Any:
        """Keep of an answer what a request takes: AWS answers more fields than it accepts."""
        taken = self._aws.ec2.meta.service_model.operation_model(operation).input_shape
        return _accepted(taken.members[member], answered) if taken is not None else answered


def _accepted(shape: Shape, answered: Any) -> Any:
    if isinstance(shape, StructureShape):
        return {
            name: _accepted(shape.members[name], value)
            for name, value in answered.items()
            if name in shape.members
        }
    if isinstance(shape, ListShape):
        return [_accepted(shape.member, value) for value in answered]
    return answered


def _tagged(
    specified: "list[TagSpecificationTypeDef]", instance_tags: "list[TagTypeDef]"
) -> "list[TagSpecificationTypeDef]":
    """Lay the instance's tags over the template's own; tags of AWS's cannot be given."""
    by_type = {one["ResourceType"]: {tag["Key"]: tag["Value"] for tag in one["Tags"]} for one in specified}
    by_type["instance"] = by_type.get("instance", {}) | {tag["Key"]: tag["Value"] for tag in instance_tags}
    return [
        {
            "ResourceType": kind,
            "Tags": [
                {"Key": key, "Value": value} for key, value in given.items() if not key.startswith("aws:")
            ],
        }
        for kind, given in by_type.items()
    ]
