"""What a drill may ask of the world: to be recovered, in a copy that nobody else can reach.

Every method looks before it acts: a retry, a crash or a lost response never doubles an effect. What
a drill makes carries its run's tag, and the janitor alone takes it away; only what lies on the worker's
own host, where no janitor reaches, is discarded here.
"""

from abc import ABC, abstractmethod
from datetime import datetime

from temporalio import activity

from steadfleet_core.drill.order import Drill, DrillOrder
from steadfleet_core.drill.plan import Validation
from steadfleet_core.drill.report import CheckResult, IsolationResult, Preflight
from steadfleet_core.drill.steps import Step
from steadfleet_core.model import Digest, Model


class DrillPreparation(Model):
    """Resolve an order: nothing is made. `at` is now, and what a random recovery point is drawn with."""

    order: DrillOrder
    run: str
    at: datetime
    expires_at: datetime


class DrillInspection(Model):
    """Look at everything that the drill will need."""

    drill: Drill
    at: datetime


class StepRequest(Model):
    """Carry out one step. `made` are the facts of all steps that are done, by the step's name.

    A restored store's facts have `host` and `port`; a started service's `host`, `port`, and `machines`,
    separated by commas.
    """

    drill: Drill
    step: Step
    made: dict[str, dict[str, str]] = {}


class Made(Model):
    """What a step made: its facts go to later steps and into the report. No secret is among them."""

    facts: dict[str, str] = {}


class ValidationRequest(Model):
    drill: Drill
    validation: Validation
    made: dict[str, dict[str, str]]


class IsolationProbe(Model):
    """Try every address of production from inside."""

    drill: Drill
    made: dict[str, dict[str, str]]


class StoredReport(Model):
    """Keep the report: `content` is its JSON."""

    plan: str
    run: str
    content: str


class PastReports(Model):
    """The newest reports of a plan that are kept, as JSON, newest last."""

    plan: str
    most: int = 20


class Reports(Model):
    contents: tuple[str, ...]


class Drills(ABC):
    """Recovers stores and services."""

    @activity.defn
    @abstractmethod
    async def prepare_drill(self, preparation: DrillPreparation) -> Drill:
        """Resolve stores, images, recovery points and addresses. Raises a non-retryable `RefusedError`."""

    @activity.defn
    @abstractmethod
    async def inspect_drill(self, inspection: DrillInspection) -> Preflight:
        """Predict what will fail, by looking and by dry runs; nothing is made."""

    @activity.defn
    @abstractmethod
    async def isolate_drill(self, request: StepRequest) -> Made: ...

    @activity.defn
    @abstractmethod
    async def replicate_store(self, request: StepRequest) -> Made:
        """Make a live copy, and wait until it has caught up."""

    @activity.defn
    @abstractmethod
    async def restore_store(self, request: StepRequest) -> Made:
        """Bring the copy up, so that it takes writes; it answers its own password when this ends."""

    @activity.defn
    @abstractmethod
    async def provision_service(self, request: StepRequest) -> Made: ...

    @activity.defn
    @abstractmethod
    async def start_service(self, request: StepRequest) -> Made:
        """Start the machines; ends when they run, which does not mean that they serve."""

    @activity.defn
    @abstractmethod
    async def probe_isolation(self, probe: IsolationProbe) -> IsolationResult: ...

    @activity.defn
    @abstractmethod
    async def validate_recovery(self, request: ValidationRequest) -> CheckResult:
        """Carry out one validation. That it fails is a result, not an error."""

    @activity.defn
    @abstractmethod
    async def discard_drill(self, drill: Drill) -> tuple[str, ...]:
        """Take away what lies on this worker's own host, and name it; safe when there is nothing."""

    @activity.defn
    @abstractmethod
    async def store_report(self, report: StoredReport) -> Digest:
        """Keep a report in the object store, by plan and run."""

    @activity.defn
    @abstractmethod
    async def past_reports(self, request: PastReports) -> Reports: ...
