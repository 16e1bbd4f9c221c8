"""What stands behind an instance: the port that machine drivers implement."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from steadfleet_local_cloud.errors import MachineError


class Power(StrEnum):
    """
    Where a machine stands.

    `running` says that its system is up, as EC2's own state does: its program may have exited.
    """

    BOOTING = "booting"
    RUNNING = "running"
    FAILED = "failed"  # it will never start its program
    STOPPED = "stopped"


@dataclass(frozen=True)
class Order:
    """What to boot, and where."""

    instance_id: str
    image_id: str
    address: str
    zone: str
    public_key: str = ""  # of the instance's key pair, in OpenSSH's form
    user_data: bytes = field(default=b"", repr=False)  # it may hold secrets


@dataclass(frozen=True)
class Boot:
    """How a boot goes: at once and well, unless a fault says otherwise."""

    delay: timedelta = timedelta()
    fails: bool = False


@dataclass
class Machine:
    """One machine as its driver sees it."""

    order: Order
    power: Power = Power.STOPPED
    boot_id: str = ""
    pid: int | None = None
    hung: bool = False
    gone: bool = False

    def __post_init__(self) -> None:
        self.changed = threading.Condition()
        self.turning = threading.RLock()  # held while it is switched on or off

    @property
    def alive(self) -> bool:
        return self.pid is not None

    @property
    def reachable(self) -> bool:
        """Whether its system would answer a command at all."""
        return self.power is Power.RUNNING and not self.hung

    @property
    def status_check(self) -> tuple[str, str]:
        """Status and reachability in EC2's words."""
        if self.reachable:
            return "ok", "passed"
        if self.power is Power.BOOTING and not self.hung:
            return "initializing", "initializing"
        return "impaired", "failed"

    def describe(self) -> dict[str, object]:
        return {
            "id": self.order.instance_id,
            "address": self.order.address,
            "zone": self.order.zone,
            "image": self.order.image_id,
            "power": str(self.power),
            "boot_id": self.boot_id,
            "pid": self.pid,
            "alive": self.alive,
            "hung": self.hung,
        }


@dataclass(frozen=True)
class Output:
    """What a command in a machine came to; no exit code means that it did not end by itself in time."""

    exit_code: int | None
    stdout: str
    stderr: str


@dataclass(frozen=True)
class Job:
    """A shell script for a machine: how long it may wait to be delivered, and then to run."""

    script: str
    patience: timedelta
    time_limit: timedelta
    began: Callable[[], None]


# (what happened, machine, details) → the platform's record
Listener = Callable[[str, Machine, dict[str, object]], None]


class Machines(ABC):
    """Boot, stop and end the machines behind instances."""

    @abstractmethod
    def boot(self, order: Order, how: Boot) -> None:
        """Make the machine from its image's content and start its program."""

    @abstractmethod
    def stop(self, instance_id: str) -> None: ...

    @abstractmethod
    def start(self, instance_id: str, how: Boot) -> None: ...

    @abstractmethod
    def reboot(self, instance_id: str, how: Boot) -> None: ...

    @abstractmethod
    def terminate(self, instance_id: str) -> None:
        """End it, if it is there; when this returns, its address is free."""

    @abstractmethod
    def hang(self, instance_id: str, *, hung: bool) -> None:
        """Freeze or revive everything that runs on the machine: it neither answers nor dies."""

    @abstractmethod
    def freeze(self, instance_id: str, image_id: str) -> bool:
        """Make what is on the machine's disk an image's content; false if there is none to be had."""

    @abstractmethod
    def run_command(self, instance_id: str, job: Job) -> Output | None:
        """Run a job; None if the machine could not be reached in time."""

    @abstractmethod
    def status_check(self, instance_id: str) -> tuple[str, str]:
        """Return EC2's status and reachability of a running instance."""

    @abstractmethod
    def all(self) -> list[Machine]: ...

    @abstractmethod
    def close(self) -> None:
        """End every machine; safe to call again."""


class NoMachines(Machines):
    """The control plane alone: for benchmarks of callers, where nothing may be asked of a machine."""

    def boot(self, order: Order, how: Boot) -> None:
        pass

    def stop(self, instance_id: str) -> None:
        pass

    def start(self, instance_id: str, how: Boot) -> None:
        pass

    def reboot(self, instance_id: str, how: Boot) -> None:
        pass

    def terminate(self, instance_id: str) -> None:
        pass

    def hang(self, instance_id: str, *, hung: bool) -> None:
        pass

    def freeze(self, instance_id: str, image_id: str) -> bool:  # noqa: ARG002 - none has a disk
        return False

    def run_command(self, instance_id: str, job: Job) -> Output | None:  # noqa: ARG002 - none can run it
        raise MachineError(
            f"{instance_id} has no machine behind it: this local cloud runs with --machines none"
        )

    def status_check(self, instance_id: str) -> tuple[str, str]:  # noqa: ARG002 - nothing to check
        return "ok", "passed"

    def all(self) -> list[Machine]:
        return []

    def close(self) -> None:
        pass
