"""Take away what was found in one region, and look again whether it is gone."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from steadfleet_activities.configuring import ATTESTATIONS
from steadfleet_activities.fleet import tags
from steadfleet_activities.fleet.errors import code_of, is_permanent
from steadfleet_activities.fleet.waiting import Pace
from steadfleet_activities.janitor import balancers, databases, groups, networks, zones
from steadfleet_activities.janitor.clients import JanitorAws
from steadfleet_activities.janitor.found import Found
from steadfleet_activities.janitor.inventory import attested
from steadfleet_activities.janitor.scope import Kind, Scope, Thing
from steadfleet_durable import get_logger, unbroken
from steadfleet_ports.lease import Residue

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import TagTypeDef

PATIENCE = timedelta(minutes=5)
"""How long it is waited for that anything goes, before all that is still there is told as left."""

SLOW_PATIENCE = timedelta(minutes=12)
"""Likewise while there are databases and groups: AWS takes minutes to delete one, and all else waits."""

# What comes later hangs on what comes before: a volume on its machine, a snapshot on its image, a
# security group on every machine's network interface. A group would launch anew what ends before it.
STAGES = (
    (Kind.ZONE, Kind.AUTO_SCALING_GROUP, Kind.LISTENER, Kind.LOAD_BALANCER, Kind.DB_INSTANCE),
    (Kind.INSTANCE,),
    (
        Kind.VOLUME,
        Kind.IMAGE,
        Kind.LAUNCH_TEMPLATE,
        Kind.TARGET_GROUP,
        Kind.DB_SNAPSHOT,
        Kind.DB_SUBNET_GROUP,
    ),
    (
        Kind.SNAPSHOT,
        Kind.KEY_PAIR,
        Kind.SECURITY_GROUP,
        Kind.SUBNET,
        Kind.ROUTE_TABLE,
        Kind.INTERNET_GATEWAY,
    ),
    (Kind.VPC,),
)
_SLOW = frozenset({Kind.AUTO_SCALING_GROUP, Kind.DB_INSTANCE})
# EC2 says it with a dot, the others in names of their own.
_GONE = ("NotFound", "NotFoundFault", "NotFoundException", "NoSuchHostedZone", ".Unavailable")
_log = get_logger(__name__)

_Key = tuple[str, Kind, str]


class Looking(Protocol):
    """One place: a region, or what is global."""

    def look(self, scope: Scope) -> Found: ...


class Removal:
    """Removes things of one place. What is found afterwards is left, whatever AWS had answered."""

    def __init__(
        self,
        aws: JanitorAws,
        inventory: Looking,
        patience: timedelta = PATIENCE,
        bundles: str = ATTESTATIONS,
        slow_patience: timedelta = SLOW_PATIENCE,
    ) -> None:
        self._aws = aws
        self._bundles = bundles
        self._inventory = inventory
        self._patience = patience
        self._slow_patience = slow_patience
        self._calls = self._deletes()
        self._why: dict[_Key, str] = {}
        self._hopeless: set[_Key] = set()

    async def sweep(self, scope: Scope) -> Residue:
        """Remove stage by stage, in rounds, until nothing is left or no more comes of waiting."""
        loop = asyncio.get_running_loop()
        moved_at = loop.time()
        pace = Pace()
        found = await unbroken(self._inventory.look, scope)
        seen = {thing.key: thing for thing in found.things}
        while found.things:
            await unbroken(self._claim, scope, found)
            await self._remove_next(found)
            before = {thing.key for thing in found.things}
            found = await unbroken(self._inventory.look, scope)
            seen |= {thing.key: thing for thing in found.things}
            if before - {thing.key for thing in found.things}:
                moved_at = loop.time()
            elif timedelta(seconds=loop.time() - moved_at) > self._worth_waiting(found):
                break
            await pace.rest()
        left = {thing.key: thing.left(self._why.get(thing.key, "it does not go")) for thing in found.things}
        removed = tuple(thing.left() for key, thing in seen.items() if key not in left)
        return Residue(left=tuple(left.values()), removed=removed, spared=tuple(found.spared))

    def _worth_waiting(self, found: Found) -> timedelta:
        open_still = [thing for thing in found.things if thing.key not in self._hopeless]
        if any(thing.kind in _SLOW for thing in open_still):
            return self._slow_patience
        return self._patience if open_still else timedelta(0)

    async def _remove_next(self, found: Found) -> None:
        """Remove the first stage that has something which could still go; nothing that hangs on it."""
        for kinds in STAGES:
            things = found.of(*kinds)
            for thing in things:
                await unbroken(self._remove, thing)
            if any(thing.key not in self._why for thing in things):
                return

    def _claim(self, scope: Scope, found: Found) -> None:
        """Tag what only its owner leads to: were we to die now, it would be found by nobody."""
        for thing_id, owner in found.untagged.items():
            run = owner.tags.get(tags.RUN, scope.run)
            given: list[TagTypeDef] = [{"Key": tags.RUN, "Value": run}] if run else []
            if tags.EXPIRES_AT in owner.tags:
                given.append({"Key": tags.EXPIRES_AT, "Value": owner.tags[tags.EXPIRES_AT]})
            if given:
                self._aws.ec2.create_tags(Resources=[thing_id], Tags=given)

    def _remove(self, thing: Thing) -> None:
        """Ask once; what AWS said of it is kept until it is gone."""
        if thing.pending:  # what it will leave behind is not known yet
            self._why[thing.key] = "it is still being made"
            return
        if thing.going:
            self._why[thing.key] = "it is still being deleted"
            return
        try:
            self._call(thing)
        except ClientError as error:
            if code_of(error).endswith(_GONE):
                return
            said = error.response.get("Error", {}).get("Message", "")
            self._why[thing.key] = f"{code_of(error)}: {said}"
            if is_permanent(error):
                self._hopeless.add(thing.key)
            _log.warning("not removed", kind=thing.kind, id=thing.id, why=self._why[thing.key])
        except (BotoCoreError, ResponseParserError) as error:
            self._why[thing.key] = f"no answer: {error}"
        else:
            self._why.pop(thing.key, None)

    def _call(self, thing: Thing) -> object:
        return self._calls[thing.kind](thing)

    def _deletes(self) -> Mapping[Kind, Callable[[Thing], object]]:
        return {
            Kind.INSTANCE: lambda thing: self._aws.ec2.terminate_instances(InstanceIds=[thing.id]),
            Kind.VOLUME: lambda thing: self._aws.ec2.delete_volume(VolumeId=thing.id),
            Kind.IMAGE: lambda thing: self._deregister(thing.id),
            Kind.SNAPSHOT: lambda thing: self._aws.ec2.delete_snapshot(SnapshotId=thing.id),
            Kind.KEY_PAIR: lambda thing: self._aws.ec2.delete_key_pair(KeyName=thing.name),
            **groups.deletes(self._aws),
            **balancers.deletes(self._aws),
            **databases.deletes(self._aws),
            **networks.deletes(self._aws),
            **zones.deletes(self._aws),
        }

    def _deregister(self, image: str) -> None:
        """Remove what was signed for the image before: afterwards nothing leads to it."""
        for key in attested(self._aws, self._bundles, image):
            self._aws.s3.delete_object(Bucket=self._bundles, Key=key)
        self._aws.ec2.deregister_image(ImageId=image)
