"""What there is of a run in one region. Every method is a look, and blocks."""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from steadfleet_activities.fleet import tags
from steadfleet_activities.fleet.errors import code_of
from steadfleet_activities.fleet.machines import PAGE, pages
from steadfleet_activities.fleet.members import GROUPS_PAGE
from steadfleet_activities.janitor import balancers, databases, groups, networks
from steadfleet_activities.janitor.clients import JanitorAws
from steadfleet_activities.janitor.found import SERVES, Found, filtered, tagged, tags_in
from steadfleet_activities.janitor.scope import Kind, Scope, Thing, isolated, released

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import FilterTypeDef, InstanceTypeDef, VolumeTypeDef

# A volume of a launch is made in the same moment, by another of AWS's clocks.
_LAUNCH_SKEW = timedelta(seconds=10)


LOOKS: Mapping[str, Callable[[JanitorAws, Scope, Found], None]] = {
    "Auto Scaling groups and launch templates": groups.look,
    "load balancers": balancers.look,
    "databases": databases.look,
    "networks": networks.look,
}
"""What drills alone make, by what a person calls it."""


class Inventory:
    """Looks at one region through the janitor's own clients."""

    def __init__(self, aws: JanitorAws) -> None:
        self._aws = aws

    @property
    def region(self) -> str:
        return self._aws.region

    def look(self, scope: Scope) -> Found:
        found = self.look_at_machines(scope)
        for looked in LOOKS.values():
            looked(self._aws, scope, found)
        return found

    def look_at_machines(self, scope: Scope) -> Found:
        """Find what builds, campaigns and drills make alike."""
        found = Found()
        instances = self._instances(scope, found)
        self._volumes(scope, found, instances)
        self._images(scope, found)
        self._key_pairs(scope, found)
        self._security_groups(scope, found)
        return found

    # -- machines, and the volumes that were made with them

    def _instances(self, scope: Scope, found: Found) -> "dict[str, InstanceTypeDef]":
        described = {
            one["InstanceId"]: one
            for answer in self._aws.ec2.get_paginator("describe_instances").paginate(Filters=tagged(scope))
            for reservation in answer["Reservations"]
            for one in reservation["Instances"]
            if one["State"]["Name"] != "terminated"
        }
        things = [self._instance(one) for one in described.values()]
        copies = [one for one in things if isolated(one) and scope.takes(one)]
        others = [one for one in things if not isolated(one)]
        expiring = [one for one in others if scope.takes(one) and tags.EXPIRES_AT in one.tags]
        members = self._members(one.id for one in expiring)
        found.spared += [
            one.left(f"a member of group {members[one.id]}") for one in expiring if one.id in members
        ]
        found.spared += [
            one.left(SERVES)
            for one in others
            if scope.run and tags.EXPIRES_AT not in one.tags and tags.HOST not in one.tags
        ]
        taken = copies + [one for one in expiring if one.id not in members]
        found.things += taken
        return {one.id: described[one.id] for one in taken}

    def _instance(self, one: "InstanceTypeDef") -> Thing:
        given = tags_in(one.get("Tags", ()))
        return Thing(
            self.region, Kind.INSTANCE, one["InstanceId"], given.get("Name", ""), given, one["LaunchTime"]
        )

    def _members(self, ids: Iterable[str]) -> dict[str, str]:
        """Return the group of each that gets, or is to get, traffic there."""
        return {
            member["InstanceId"]: member["AutoScalingGroupName"]
            for page in pages(sorted(ids), GROUPS_PAGE)
            for member in self._aws.autoscaling.describe_auto_scaling_instances(InstanceIds=list(page))[
                "AutoScalingInstances"
            ]
            if not member["LifecycleState"].startswith("Terminat")
        }

    def _volumes(self, scope: Scope, found: Found, instances: "dict[str, InstanceTypeDef]") -> None:
        paginator = self._aws.ec2.get_paginator("describe_volumes")
        ours = [one for answer in paginator.paginate(Filters=tagged(scope)) for one in answer["Volumes"]]
        attached = [
            one
            for page in pages(sorted(instances), PAGE)
            for answer in paginator.paginate(
                Filters=[{"Name": "attachment.instance-id", "Values": list(page)}]
            )
            for one in answer["Volumes"]
        ]
        for one in ours:
            thing = self._volume(one)
            holders = {attachment["InstanceId"] for attachment in one.get("Attachments", [])}
            if scope.takes(thing) and holders <= set(instances):
                found.things.append(thing)
        for one in attached:
            thing = self._volume(one)
            if tags.RUN not in thing.tags and _made_with(one, instances):
                owner = instances[one["Attachments"][0]["InstanceId"]]
                found.things.append(thing)
                found.untagged[thing.id] = self._instance(owner)

    def _volume(self, one: "VolumeTypeDef") -> Thing:
        given = tags_in(one.get("Tags", ()))
        return Thing(
            self.region, Kind.VOLUME, one["VolumeId"], given.get("Name", ""), given, one["CreateTime"]
        )

    # -- images, and the snapshots under them

    def _images(self, scope: Scope, found: Found) -> None:
        every = [
            one
            for answer in self._aws.ec2.get_paginator("describe_images").paginate(Owners=["self"])
            for one in answer["Images"]
        ]
        taken: dict[str, Thing] = {}
        kept: set[str] = set()
        for one in every:
            thing = Thing(
                self.region,
                Kind.IMAGE,
                one["ImageId"],
                one.get("Name", ""),
                tags_in(one.get("Tags", ())),
                _instant(one.get("CreationDate")),
                pending=one.get("State") == "pending",
            )
            named = thing.name in scope.names and scope.takes_by_name(thing)
            if (named or scope.takes(thing)) and not released(thing):
                found.things.append(thing)
                taken |= dict.fromkeys(_snapshots_of(one), thing)
            else:
                kept |= set(_snapshots_of(one))
        self._snapshots(scope, found, taken, kept)

    def _snapshots(self, scope: Scope, found: Found, taken: dict[str, Thing], kept: set[str]) -> None:
        """Find those tagged, named, or under an image that goes; never one under an image that stays."""
        ways: list[list[FilterTypeDef]] = [tagged(scope)]
        if scope.names:
            ways += [[filtered("tag:Name", scope.names)], [filtered("description", scope.names)]]
        ways += [[filtered("snapshot-id", page)] for page in pages(sorted(taken), PAGE)]
        seen: dict[str, Thing] = {}
        for filters in ways:
            answers = self._aws.ec2.get_paginator("describe_snapshots").paginate(
                OwnerIds=["self"], Filters=filters
            )
            for one in (snapshot for answer in answers for snapshot in answer["Snapshots"]):
                given = tags_in(one.get("Tags", ()))
                name = given.get("Name") or one.get("Description", "")
                seen[one["SnapshotId"]] = Thing(
                    self.region, Kind.SNAPSHOT, one["SnapshotId"], name, given, one["StartTime"]
                )
        for thing in seen.values():
            named = thing.name in scope.names and scope.takes_by_name(thing)
            if thing.id in kept or released(thing):
                continue
            if named or thing.id in taken or scope.takes(thing):
                found.things.append(thing)
            if thing.id in taken and tags.RUN not in thing.tags:
                found.untagged[thing.id] = taken[thing.id]

    # -- what AWS knows by name

    def _key_pairs(self, scope: Scope, found: Found) -> None:
        for filters in _tagged_or_named(scope, "key-name"):
            for one in self._aws.ec2.describe_key_pairs(Filters=filters)["KeyPairs"]:
                thing = Thing(
                    self.region,
                    Kind.KEY_PAIR,
                    one["KeyPairId"],
                    one["KeyName"],
                    tags_in(one.get("Tags", ())),
                    one.get("CreateTime"),
                )
                self._add_named(scope, found, thing)

    def _security_groups(self, scope: Scope, found: Found) -> None:
        paginator = self._aws.ec2.get_paginator("describe_security_groups")
        for filters in _tagged_or_named(scope, "group-name"):
            for one in (
                group for answer in paginator.paginate(Filters=filters) for group in answer["SecurityGroups"]
            ):
                if one["GroupName"] == "default":  # it goes with its VPC, and not before
                    continue
                thing = Thing(
                    self.region,
                    Kind.SECURITY_GROUP,
                    one["GroupId"],
                    one["GroupName"],
                    tags_in(one.get("Tags", ())),
                )
                self._add_named(scope, found, thing)

    def _add_named(self, scope: Scope, found: Found, thing: Thing) -> None:
        named = thing.name in scope.own_names and thing.tags.get(tags.RUN, scope.run) == scope.run
        if (named or scope.takes(thing)) and thing not in found.things:
            found.things.append(thing)


def attested(aws: JanitorAws, bucket: str, image: str) -> list[str]:
    """List the keys of what was signed for an image; there need be no such bucket."""
    pages = aws.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"ami/{image}/")
    try:
        return [one["Key"] for page in pages for one in page.get("Contents", ())]
    except ClientError as error:
        if code_of(error) != "NoSuchBucket":
            raise
        return []


def _tagged_or_named(scope: Scope, name: str) -> "list[list[FilterTypeDef]]":
    named = [[filtered(name, scope.own_names)]] if scope.own_names else []
    return [tagged(scope), *named]


def _made_with(volume: "VolumeTypeDef", instances: "dict[str, InstanceTypeDef]") -> bool:
    """Tell a volume of the launch from one that a person attached later, or that was there before."""
    owner = instances[volume["Attachments"][0]["InstanceId"]]
    return abs(volume["CreateTime"] - owner["LaunchTime"]) <= _LAUNCH_SKEW


def _snapshots_of(image: Any) -> list[str]:
    devices = [device.get("Ebs", {}) for device in image.get("BlockDeviceMappings", [])]
    return [ebs["SnapshotId"] for ebs in devices if "SnapshotId" in ebs]


def _instant(said: str | None) -> datetime | None:
    return datetime.fromisoformat(said).astimezone(UTC) if said else None
