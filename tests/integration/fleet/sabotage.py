"""Break the adapter's own side: kill it at a given call, or take one of its guards away."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal
from uuid import uuid4

from steadfleet_activities.fleet.aws import AwsFleet
from steadfleet_activities.fleet.clients import Aws
from steadfleet_activities.fleet.machines import Launch, Machine, Machines

When = Literal["before", "after"]


class KilledError(Exception):
    """Stands for the end of the process: nothing in the adapter catches it."""


class Killer:
    """Counts the calls of an adapter's clients, and raises at the chosen one."""

    def __init__(self, aws: Aws) -> None:
        self._clients: list[Any] = [aws.ec2, aws.launcher, aws.autoscaling, aws.elbv2, aws.ssm, aws.s3]
        self.calls = 0

    @contextmanager
    def killing(self, call: int, when: When) -> Iterator[None]:
        """Raise at this call, counted from 1, before it is sent or after it took effect."""
        self.calls = 0

        def before(**_: Any) -> None:
            self.calls += 1
            if (self.calls, when) == (call, "before"):
                raise KilledError(f"killed before call {call}")

        def after(**_: Any) -> None:
            if (self.calls, when) == (call, "after"):
                raise KilledError(f"killed after call {call}")

        for client in self._clients:
            client.meta.events.register("before-call", before)
            client.meta.events.register("after-call", after)
        try:
            yield
        finally:
            for client in self._clients:
                client.meta.events.unregister("before-call", before)
                client.meta.events.unregister("after-call", after)


class BlindMachines(Machines):
    """Never finds what was launched before."""

    def launched_for(self, campaign: str, hosts: Any) -> list[Machine]:
        return []


class ForgetfulMachines(Machines):
    """Asks with another token each time."""

    def launch(self, launch: Launch, subnet: str, earlier: int) -> str:
        return super().launch(launch, subnet, uuid4().int)


class RecklessMachines(BlindMachines, ForgetfulMachines):
    """Neither looks nor remembers."""


def mutant(aws: Aws, machines: type[Machines]) -> AwsFleet:
    fleet = AwsFleet(aws)
    fleet._machines = machines(aws, fleet._templates)
    return fleet
