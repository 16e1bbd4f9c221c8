"""`kind: PatchPolicy`: what a person writes about a rollout."""

from datetime import timedelta
from enum import StrEnum
from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, PositiveInt, StringConstraints, model_validator

from steadfleet_core.model import Contract, Duration, Quota

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$")]

MAX_BAKE = timedelta(days=14)
ALL = "100%"


def _growing_to_all(steps: tuple[Quota, ...]) -> tuple[Quota, ...]:
    shares = [float(step[:-1]) for step in steps if isinstance(step, str)]
    numbers = [step for step in steps if isinstance(step, int)]
    leading = list(steps[: len(numbers)]) == numbers
    if steps[-1] != ALL or not leading or not (_ascending(shares) and _ascending(numbers)):
        raise ValueError(
            'steps must ascend and end at 100%: numbers of hosts first, then percentages ([1, "25%", "100%"])'
        )
    return steps


def _ascending(values: list[float] | list[int]) -> bool:
    return all(value > 0 for value in values) and all(a < b for a, b in pairwise(values))


class StrategyType(StrEnum):
    IMMEDIATE = "immediate"
    ROLLING = "rolling"
    CANARY = "canary"


class Growth(StrEnum):
    LINEAR = "linear"
    EXPONENTIAL = "exponential"


class ToleranceMode(StrEnum):
    STRICT = "strict"
    SOFT = "soft"


class RollbackScope(StrEnum):
    WAVE = "wave"
    CAMPAIGN = "campaign"


class Selector(Contract):
    """Which hosts: the members of the named groups, or of the groups that carry all of the tags."""

    groups: tuple[str, ...] = ()
    tags: dict[str, str] = {}
    zones: tuple[str, ...] = ()
    exclude_hosts: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _selects_something(self) -> Self:
        if not (self.groups or self.tags):
            raise ValueError("names no group and no tag: write groups: [NAME] or tags: {KEY: VALUE}")
        return self


class FleetSpec(Contract):
    """The hosts in scope, and the name under which they are reserved."""

    name: Name
    selector: Selector


class CanarySpec(Contract):
    """How waves widen: by explicit cumulative steps, or from `initial` by a growth."""

    steps: Annotated[tuple[Quota, ...], Field(min_length=1), AfterValidator(_growing_to_all)] | None = None
    growth: Growth | None = None
    initial: Quota = "5%"
    increment: Quota = "25%"
    factor: float = Field(default=2.0, gt=1, le=10)

    @model_validator(mode="after")
    def _one_way_to_grow(self) -> Self:
        if self.steps is not None and self.growth is not None:
            raise ValueError("steps and growth exclude each other: keep one")
        if self.initial in {0, "0%"} or self.increment in {0, "0%"}:
            raise ValueError("initial and increment must be more than 0")
        return self


class RollingSpec(Contract):
    """Equal waves of `batch` hosts, a share being of the whole fleet."""

    batch: Quota = "25%"

    @model_validator(mode="after")
    def _some(self) -> Self:
        if self.batch in {0, "0%"}:
            raise ValueError("batch must be more than 0")
        return self


class Strategy(Contract):
    type: StrategyType
    canary: CanarySpec = CanarySpec()
    rolling: RollingSpec = RollingSpec()


class DisruptionBudget(Contract):
    """Hosts out of service at once; shares round up, so a budget is never 0."""

    overall: Quota = "10%"
    per_zone: Quota = "10%"

    @model_validator(mode="after")
    def _some(self) -> Self:
        if {self.overall, self.per_zone} & {0, "0%"}:
            raise ValueError("a budget of 0 hosts can never change one: write at least 1")
        return self


class FailureTolerance(Contract):
    """Failed hosts that a wave may have and still be healthy; shares round down."""

    hosts: Quota = 0
    mode: ToleranceMode = ToleranceMode.STRICT


class HttpCheck(Contract):
    type: Literal["http"]
    port: int = Field(ge=1, le=65535)
    path: str = Field(default="/", pattern=r"^/")
    expected_status: int = Field(default=200, ge=100, le=599)


class TcpCheck(Contract):
    type: Literal["tcp"]
    port: int = Field(ge=1, le=65535)


class CommandCheck(Contract):
    """A shell command run on the host; exit status 0 is a success."""

    type: Literal["command"]
    run: str = Field(min_length=1)


Check = Annotated[HttpCheck | TcpCheck | CommandCheck, Field(discriminator="type")]


class HealthChecks(Contract):
    """When a host counts as healthy: every check passes `success_threshold` times in a row."""

    initial_delay: Duration = timedelta(0)
    interval: Duration = timedelta(seconds=5)
    timeout: Duration = timedelta(seconds=5)
    success_threshold: PositiveInt = 3
    failure_threshold: PositiveInt = 3
    deadline: Duration = timedelta(minutes=10)
    checks: tuple[Check, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _positive(self) -> Self:
        if min(self.interval, self.timeout, self.deadline) <= timedelta(0):
            raise ValueError("interval, timeout and deadline must be more than 0s")
        return self


class Bake(Contract):
    """How long a changed wave is watched; `first` applies to the first wave when given."""

    time: Duration = timedelta(minutes=5)
    first: Duration | None = None
    interval: Duration = timedelta(seconds=30)

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if self.interval < timedelta(seconds=1):
            raise ValueError("interval must be at least 1s")
        if max(self.time, self.first or timedelta(0)) > MAX_BAKE:
            raise ValueError("a wave bakes for at most 14d")
        return self


class Approval(Contract):
    """Who must agree to the frozen plan before a host is touched; never the requester."""

    required: bool = True
    minimum_approvers: PositiveInt = 1
    allowed_approvers: tuple[str, ...] = ()
    timeout: Duration = timedelta(hours=24)
    proven: bool = False

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        if self.allowed_approvers and len(set(self.allowed_approvers)) < self.minimum_approvers:
            raise ValueError("allowedApprovers names fewer people than minimumApprovers demands")
        return self


class Rollback(Contract):
    automatic: bool = True
    scope: RollbackScope = RollbackScope.WAVE


class ImageSpec(Contract):
    """The exact image, by `id` or by `family` and `version`; `signed` demands a verified signature."""

    id: str | None = Field(default=None, pattern=r"^ami-[0-9a-f]{8,17}$")
    family: Name | None = None
    version: str | None = Field(default=None, pattern=r"^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$")
    signed: bool = False

    @model_validator(mode="after")
    def _one_way_to_say(self) -> Self:
        ways = [self.id is not None, self.family is not None and self.version is not None]
        halves = (self.family is None) != (self.version is None)
        if halves or ways.count(True) != 1:
            raise ValueError(
                "name the image by id (ami-…), or by family and version; not by both, nor by half"
            )
        return self

    def __str__(self) -> str:
        return self.id or f"{self.family}@{self.version}"


class PatchSpec(Contract):
    fleet: FleetSpec
    image: ImageSpec
    strategy: Strategy
    disruption_budget: DisruptionBudget = DisruptionBudget()
    failure_tolerance: FailureTolerance = FailureTolerance()
    health_checks: HealthChecks
    bake: Bake = Bake()
    approval: Approval = Approval()
    rollback: Rollback = Rollback()


class Metadata(Contract):
    name: Name
    labels: dict[str, str] = {}


class PatchPolicy(Contract):
    """A rollout of one change to one fleet, as a person wrote it."""

    api_version: Literal["steadfleet.dev/v1"]
    kind: Literal["PatchPolicy"]
    metadata: Metadata
    spec: PatchSpec
