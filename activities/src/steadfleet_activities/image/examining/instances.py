"""Fresh machines that are EC2 instances, in the region where the image was built."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

from temporalio.exceptions import ApplicationError

from steadfleet_activities.fleet.errors import UNCLEAR, is_permanent
from steadfleet_activities.fleet.waiting import Pace, looked
from steadfleet_activities.image import tags
from steadfleet_activities.image.amis import filters_of, written_tags
from steadfleet_activities.image.clients import AwsRegions
from steadfleet_activities.image.examining.entry import Entry
from steadfleet_activities.image.examining.machine import (
    EXAMINE,
    PURPOSE,
    FreshMachines,
    Machine,
    NotBootedError,
    name_of,
)
from steadfleet_activities.image.examining.ssh import SSH_PORT, SshMachine
from steadfleet_activities.image.examining.teardown import always
from steadfleet_activities.image.network import Network, Networks
from steadfleet_activities.image.platforms import Say
from steadfleet_core.image.golden import HttpTest
from steadfleet_core.model import format_duration
from steadfleet_durable import get_logger, unbroken
from steadfleet_ports.image import ImageExamination

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import InstanceTypeDef

_LAUNCHES = 5
_ENDING_TIME = timedelta(minutes=10)
_DISCARD_TIME = timedelta(seconds=75)
"""An undo is one call of two minutes, which is made again and again."""

_log = get_logger(__name__)


class Instances(FreshMachines):
    """Instances in the default VPC; `callers` are addresses from which the worker comes."""

    def __init__(self, regions: AwsRegions, callers: Sequence[str] = (), ssh_port: int = SSH_PORT) -> None:
        self._regions = regions
        self._callers = tuple(callers)
        self._port = ssh_port

    @asynccontextmanager
    async def booted(self, examination: ImageExamination, say: Say) -> AsyncIterator[Machine]:
        stay = self._stay(examination)
        say("removing what an earlier try left")
        await stay.end(_ENDING_TIME)
        async with always(lambda: stay.end(_ENDING_TIME), f"the machine of {examination.build.run}"):
            say(f"launching a machine from {examination.image.id}")
            machine = await stay.begin(say)
            yield machine
            say("terminating the machine")

    async def discard(self, examination: ImageExamination, say: Say) -> None:
        say("terminating the machine")
        await self._stay(examination).end(_DISCARD_TIME)

    def _stay(self, examination: ImageExamination) -> "_Stay":
        return _Stay(self._regions, examination, self._callers, self._port)


@dataclass(frozen=True)
class _Found:
    id: str
    state: str
    address: str
    reason: str


class _Stay:
    """One machine, from its launch to its end."""

    def __init__(
        self, regions: AwsRegions, examination: ImageExamination, callers: tuple[str, ...], port: int
    ) -> None:
        self._aws = regions.at(examination.build.region)
        self._order = examination
        self._port = port
        self._tags = {**tags.temporary(examination.build), PURPOSE: EXAMINE}
        self._name = name_of(examination.build.run)
        self._entry = Entry(self._aws, self._name, self._tags, callers)

    async def begin(self, say: Say) -> SshMachine:
        """Launch it and wait until it lets the user in."""
        spec = self._order.spec
        network = await unbroken(Networks(self._aws).chosen, {})
        ports = [check.port for check in spec.checks if isinstance(check, HttpTest)]
        group = await unbroken(self._entry.open_group, network, [self._port, *ports])
        key = await unbroken(self._entry.new_key)
        launched = await self._launch(network, group)
        say(f"waiting for {launched} to boot")
        found = await looked(_started, spec.boot_time_limit, self._found, launched)
        if found is None or found.state != "running":
            state = f"is {found.state} ({found.reason})" if found else "cannot be found"
            raise NotBootedError(f"{launched} {state} after {format_duration(spec.boot_time_limit)}")
        machine = SshMachine(launched, found.address, spec.user, key, self._port)
        say(f"waiting for {launched} to let {spec.user} in")
        await machine.await_login(spec.boot_time_limit)
        return machine

    async def end(self, limit: timedelta) -> None:
        """Terminate it, wait for that, and remove key and group; safe when there is nothing."""
        alive = [one.id for one in await unbroken(self._all) if one.state != "shutting-down"]
        if alive:
            await unbroken(self._aws.ec2.terminate_instances, InstanceIds=alive)
        left = await looked(lambda seen: not seen, limit, self._all)
        if left:
            raise _unfinished(f"{', '.join(one.id for one in left)} did not end")
        held = await looked(lambda seen: not seen, limit, self._entry.close)
        if held:
            raise _unfinished(held)

    async def _launch(self, network: Network, group: str) -> str:
        """Launch exactly one: after an unclear answer, look before asking again, under the same token."""
        token, pace, left = uuid4().hex, Pace(), _LAUNCHES
        while True:
            try:
                return await unbroken(self._run_instances, network, group, token)
            except UNCLEAR as error:
                _log.warning("launch unclear", run=self._order.build.run, error=str(error))
                left -= 1
                found = await unbroken(self._all)
                if found:
                    return found[0].id
                if is_permanent(error) or not left:
                    raise
            await pace.rest()

    def _run_instances(self, network: Network, group: str, token: str) -> str:
        answer = self._aws.creator.run_instances(
            ImageId=self._order.image.id,
            InstanceType=self._order.spec.instance_type,  # type: ignore[arg-type]
            KeyName=self._name,
            SubnetId=network.subnet,
            SecurityGroupIds=[group],
            MinCount=1,
            MaxCount=1,
            ClientToken=token,
            # A machine that shuts itself down must not stay as a stopped one.
            InstanceInitiatedShutdownBehavior="terminate",
            TagSpecifications=[
                {"ResourceType": kind, "Tags": written_tags(self._tags)} for kind in ("instance", "volume")
            ],
        )
        return answer["Instances"][0]["InstanceId"]

    def _all(self) -> list[_Found]:
        """Find the machines of this run that have not ended."""
        wanted = {f"tag:{key}": [self._tags[key]] for key in (tags.RUN, PURPOSE)}
        answers = self._aws.ec2.get_paginator("describe_instances").paginate(Filters=filters_of(wanted))
        every = [
            _read(one) for answer in answers for held in answer["Reservations"] for one in held["Instances"]
        ]
        return [one for one in every if one.state != "terminated"]

    def _found(self, machine_id: str) -> _Found | None:
        # As a filter: one that was launched a moment ago may not be listed yet.
        answer = self._aws.ec2.describe_instances(Filters=filters_of({"instance-id": [machine_id]}))
        found = [_read(one) for held in answer["Reservations"] for one in held["Instances"]]
        return found[0] if found else None


def _read(instance: "InstanceTypeDef") -> _Found:
    return _Found(
        id=instance["InstanceId"],
        state=instance["State"]["Name"],
        address=instance.get("PrivateIpAddress", ""),
        reason=instance.get("StateReason", {}).get("Message", ""),
    )


def _started(found: _Found | None) -> bool:
    return found is not None and found.state != "pending"


def _unfinished(what: str) -> ApplicationError:
    return ApplicationError(f"not everything is removed yet: {what}", type="ResidueLeftError")
