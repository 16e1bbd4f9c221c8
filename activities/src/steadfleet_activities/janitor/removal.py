"""Take away what was found in one region, and look again whether it is gone."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from steadfleet_activities.configuring import ATTESTATIONS
from steadfleet_activities.fleet import tags
from steadfleet_activities.fleet.clients import Aws
from steadfleet_activities.fleet.errors import code_of, is_permanent
from steadfleet_activities.fleet.waiting import Pace
from steadfleet_activities.janitor.inventory import Found, Inventory, attested
from steadfleet_activities.janitor.scope import Kind, Scope, Thing
from steadfleet_durable import get_logger, unbroken
from steadfleet_ports.lease import Residue

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import TagTypeDef

PATIENCE = timedelta(minutes=5)
"""How long what hangs on something else is waited for, before it is told as left."""

# What comes later hangs on what comes before: a volume on its machine, a snapshot on its image, a
# security group on every machine's network interface.
STAGES = (
    (Kind.INSTANCE,),
    (Kind.VOLUME, Kind.IMAGE),
    (Kind.SNAPSHOT, Kind.KEY_PAIR, Kind.SECURITY_GROUP),
)
_GONE = (".NotFound", ".Unavailable")
_log = get_logger(__name__)

_Key = tuple[str, Kind, str]


class Removal:
    """Removes things of one region. What is found afterwards is left, whatever AWS had answered."""

    def __init__(
        self, aws: Aws, inventory: Inventory, patience: timedelta = PATIENCE, bundles: str = ATTESTATIONS
    ) -> None:
        self._aws = aws
        self._bundles = bundles
        self._inventory = inventory
        self._patience = patience
        self._why: dict[_Key, str] = {}
        self._hopeless: set[_Key] = set()

    async def sweep(self, scope: Scope) -> Residue:
        """Remove stage by stage, in rounds, until nothing is left or no more comes of waiting."""
        end = asyncio.get_running_loop().time() + self._patience.total_seconds()
        pace = Pace()
        found = await unbroken(self._inventory.look, scope)
        seen = {thing.key: thing for thing in found.things}
        while found.things:
            await unbroken(self._claim, scope, found)
            await self._remove_next(found)
            found = await unbroken(self._inventory.look, scope)
            seen |= {thing.key: thing for thing in found.things}
            hopeless = all(thing.key in self._hopeless for thing in found.things)
            if hopeless or asyncio.get_running_loop().time() > end:
                break
            await pace.rest()
        left = {thing.key: thing.left(self._why.get(thing.key, "it does not go")) for thing in found.things}
        removed = tuple(thing.left() for key, thing in seen.items() if key not in left)
        return Residue(left=tuple(left.values()), removed=removed, spared=tuple(found.spared))

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
        calls: dict[Kind, Callable[[], Any]] = {
            Kind.INSTANCE: lambda: self._aws.ec2.terminate_instances(InstanceIds=[thing.id]),
            Kind.VOLUME: lambda: self._aws.ec2.delete_volume(VolumeId=thing.id),
            Kind.IMAGE: lambda: self._deregister(thing.id),
            Kind.SNAPSHOT: lambda: self._aws.ec2.delete_snapshot(SnapshotId=thing.id),
            Kind.KEY_PAIR: lambda: self._aws.ec2.delete_key_pair(KeyName=thing.name),
            Kind.SECURITY_GROUP: lambda: self._aws.ec2.delete_security_group(GroupId=thing.id),
        }
        return calls[thing.kind]()

    def _deregister(self, image: str) -> None:
        """Remove what was signed for the image before: afterwards nothing leads to it."""
        for key in attested(self._aws, self._bundles, image):
            self._aws.s3.delete_object(Bucket=self._bundles, Key=key)
        self._aws.ec2.deregister_image(ImageId=image)
