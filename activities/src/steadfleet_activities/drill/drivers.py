"""What serves one type of store, service or network: the parts that `PlatformDrills` joins.

A driver raises `RefusedError` for what no retry can mend; anything else that it raises is tried again.
Every method looks before it acts, and names and tags all that it makes after `drill.run`. There is
no undo: the janitor takes away what carries the run, and `discard` what lies on the worker's own host.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from steadfleet_core.drill.order import Drill, ResolvedService, ResolvedStore
from steadfleet_core.drill.plan import ContainerService, GroupService, PostgresStore, RdsStore
from steadfleet_core.drill.report import Finding
from steadfleet_ports.drill import DrillInspection, DrillPreparation, StepRequest

Store = RdsStore | PostgresStore
Service = GroupService | ContainerService

Facts = dict[str, str]
"""What a step made, for later steps and for people: never a secret."""

Made = Mapping[str, Facts]
"""The facts of all steps that are done, by the step's name: `isolate`, `restore orders`, `start web`."""

Say = Callable[[str], None]
"""Tells what is being done now: it shows in the heartbeat."""


@dataclass(frozen=True)
class FoundStore:
    """A resolved store, and the addresses (`host:port`) of the source, which nothing inside may reach."""

    resolved: ResolvedStore
    production: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class FoundService:
    resolved: ResolvedService
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Inspected:
    """What a look found, and what was looked at, in words for a person."""

    findings: tuple[Finding, ...] = ()
    checked: tuple[str, ...] = ()

    def __add__(self, other: "Inspected") -> "Inspected":
        return Inspected((*self.findings, *other.findings), (*self.checked, *other.checked))


@dataclass(frozen=True)
class CommandOutcome:
    """How a command ended on a machine; `proven` is False where it could not be run or did not begin."""

    passed: bool
    proven: bool = True
    reason: str = ""


@dataclass(frozen=True)
class InsideProbe:
    """What was tried from inside, and what answered. `problem` says why that proves nothing, if so."""

    probed: tuple[str, ...] = ()
    reached: tuple[str, ...] = ()
    problem: str = ""


class StoreDriver(ABC):
    """Recovers stores of one type. What differs between stores comes with each call."""

    @abstractmethod
    async def resolve(self, store: Store, preparation: DrillPreparation) -> FoundStore:
        """Find the source and the recovery point; nothing is made."""

    @abstractmethod
    async def inspect(self, store: Store, inspection: DrillInspection) -> Inspected:
        """Predict what will fail, without making anything."""

    @abstractmethod
    async def replicate(self, store: Store, request: StepRequest, say: Say) -> Facts:
        """Make a live copy, and wait until it has caught up."""

    @abstractmethod
    async def restore(self, store: Store, request: StepRequest, say: Say) -> Facts:
        """Bring the copy up until it takes writes; the facts have `host` and `port`.

        Whether it answers the plan's password is asked by `PlatformDrills`, for all types alike.
        """

    async def discard(self, run: str) -> bool:  # noqa: ARG002 - most leave nothing on the worker's host
        """Take away what lies on this worker's own host; False if there was nothing."""
        return False


class ServiceDriver(ABC):
    """Starts services of one type."""

    @abstractmethod
    async def resolve(self, service: Service, preparation: DrillPreparation) -> FoundService:
        """Find the exact image and hold it against the trust policy; choose the address."""

    @abstractmethod
    async def inspect(self, service: Service, inspection: DrillInspection) -> Inspected: ...

    @abstractmethod
    async def provision(self, service: Service, request: StepRequest, say: Say) -> Facts:
        """Make what machines stand behind, and the name that the witness asks."""

    @abstractmethod
    async def start(
        self, service: Service, request: StepRequest, environment: Mapping[str, str], say: Say
    ) -> Facts:
        """Start the machines with this environment, whose placeholders are filled in already.

        Ends when they run. The facts have `host`, `port`, and `machines`, separated by commas.
        """

    @abstractmethod
    async def run_command(
        self, drill: Drill, made: Facts, command: str, time_limit: timedelta
    ) -> CommandOutcome:
        """Run a shell command on one machine of the service whose `start` facts these are."""

    @abstractmethod
    async def probe_from_inside(
        self, drill: Drill, made: Facts, addresses: tuple[str, ...], control: str
    ) -> InsideProbe:
        """Try to connect to each address from a machine of the service; none may answer.

        `control` is an address that must answer, empty for the machine's own: a probe which reaches not
        even that proves nothing.
        """


class NetworkDriver(ABC):
    """Makes the network that a run is alone in. One serves all types of its platform."""

    @abstractmethod
    async def inspect(self, inspection: DrillInspection) -> Inspected: ...

    @abstractmethod
    async def isolate(self, request: StepRequest, say: Say) -> Facts:
        """Make it. The facts are `made["isolate"]` for all drivers, so prefix yours where they may clash."""
