"""Take away all that building an AMI made, in the region where it was built."""

from collections.abc import Iterable
from datetime import timedelta

from botocore.exceptions import ClientError
from temporalio.exceptions import ApplicationError

from steadfleet_activities.fleet.errors import code_of
from steadfleet_activities.fleet.waiting import looked
from steadfleet_activities.image import tags
from steadfleet_activities.image.access import Doors
from steadfleet_activities.image.amis import Ami, Amis, filters_of
from steadfleet_activities.image.clients import RegionalAws
from steadfleet_activities.image.platforms import Say
from steadfleet_core.image.order import Build
from steadfleet_durable import unbroken

PATIENCE = timedelta(seconds=50)
"""For machines to end, and for what they held. An undo is a call of two minutes, made again and again."""

_GONE = frozenset({"shutting-down", "terminated"})


class Residue:
    """What one run left at home: found by its tag, and by its name where the tag was not set yet.

    Every step may find nothing, and every step may be the last one of a try: the next begins anew.
    An image that was released, and its snapshots, are not residue.
    """

    def __init__(self, aws: RegionalAws, doors: Doors) -> None:
        self._aws = aws
        self._amis = Amis(aws)
        self._doors = doors

    async def remove(self, build: Build, say: Say) -> None:
        """Remove it all, machines first: nothing can be made from them any more."""
        say("ending machines")
        machines = await self._end_machines(build.run)
        say("removing images and snapshots")
        await unbroken(self._remove_images, build, machines)
        say("removing volumes, security group and key pair")
        await self.remove_rest(build.run)

    async def _end_machines(self, run: str) -> set[str]:
        """End the run's machines and wait until they are; name them, ended ones too."""
        machines = await unbroken(self._machines, run)
        alive = sorted(one for one, state in machines.items() if state not in _GONE)
        if alive:
            await unbroken(self._aws.ec2.terminate_instances, InstanceIds=alive)
        left = await looked(lambda seen: not seen, PATIENCE, self._ending, run)
        if left:
            raise _unfinished(f"machines {', '.join(left)} are still shutting down")
        return set(machines)

    def _machines(self, run: str) -> dict[str, str]:
        """Find the run's machines and their states: by tag, and by the key that only they were given."""
        found: dict[str, str] = {}
        for name in (f"tag:{tags.RUN}", "key-name"):
            answers = self._aws.ec2.get_paginator("describe_instances").paginate(
                Filters=filters_of({name: [run]})
            )
            for answer in answers:
                for reservation in answer["Reservations"]:
                    found |= {one["InstanceId"]: one["State"]["Name"] for one in reservation["Instances"]}
        return found

    def _ending(self, run: str) -> list[str]:
        return sorted(one for one, state in self._machines(run).items() if state != "terminated")

    def _remove_images(self, build: Build, machines: set[str]) -> None:
        images = self._amis.of_run(build.run, build.image_name)
        for ami in images:
            if not ami.released:
                self._amis.remove(ami, tags.temporary(build))
        kept = self._snapshots_of(ami for ami in images if ami.released)
        self._amis.delete_snapshots(self._orphans(build.run, machines) - kept)

    def _orphans(self, run: str, machines: set[str]) -> set[str]:
        """Find snapshots whose image is gone, or never came to be."""
        found = set(self._amis.snapshots({f"tag:{tags.RUN}": [run]}))
        if machines:
            patterns = [f"Created by CreateImage({machine})*" for machine in sorted(machines)]
            found |= set(self._amis.snapshots({"description": patterns}))
        return found

    def _snapshots_of(self, images: Iterable[Ami]) -> set[str]:
        return {snapshot for ami in images for snapshot in self._amis.snapshots_of(ami)}

    async def remove_rest(self, run: str, patience: timedelta = PATIENCE) -> None:
        """Remove what is of no use once no machine stands any more; raises if one still does."""
        left = await looked(lambda seen: not seen, patience, self._removed, run)
        if left:
            raise _unfinished(left)

    def _removed(self, run: str) -> str:
        """Try to remove what machines held until they ended; what still holds it, or nothing."""
        try:
            self._remove_volumes(run)
            self._doors.close(run)
        except ClientError as error:
            if code_of(error) not in {"DependencyViolation", "VolumeInUse"}:
                raise
            return str(error)
        return ""

    def _remove_volumes(self, run: str) -> None:
        answers = self._aws.ec2.get_paginator("describe_volumes").paginate(
            Filters=filters_of({f"tag:{tags.RUN}": [run]})
        )
        for volume in [one["VolumeId"] for answer in answers for one in answer["Volumes"]]:
            try:
                self._aws.ec2.delete_volume(VolumeId=volume)
            except ClientError as error:
                if code_of(error) != "InvalidVolume.NotFound":
                    raise


def _unfinished(what: str) -> ApplicationError:
    return ApplicationError(f"not everything is removed yet: {what}", type="ResidueLeftError")
