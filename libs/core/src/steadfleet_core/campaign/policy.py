"""`kind: PatchPolicy`: what a person writes about a rollout."""

from datetime import timedelta
from enum import StrEnum
from itertools import pairwise
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, WithJsonSchema, model_validator

from steadfleet_core.answers import Answers
from steadfleet_core.campaign.answers import ANSWERS
from steadfleet_core.model import (
    Contract,
    Count,
    Duration,
    Name,
    Port,
    PositiveDuration,
    PositiveQuota,
    Quota,
    Text,
    between,
)

MAX_BAKE = timedelta(days=14)


def _growing_to_all(steps: tuple[Quota, ...]) -> tuple[Quota, ...]:
    shares = [float(step[:-1]) for step in steps if isinstance(step, str)]
    numbers = [step for step in steps if isinstance(step, int)]
    numbers_lead = list(steps[: len(numbers)]) == numbers
    if not (numbers_lead and _ascending(numbers) and _ascending(shares) and shares[-1:] == [100]):
        raise ValueError("steps must ascend and end at 100%: expected hosts, then shares: [1, 25%, 100%]")
    return steps


def _ascending(values: list[float] | list[int]) -> bool:
    return all(a < b for a, b in pairwise(values))


BakeTime = Annotated[Duration, between(timedelta(0), MAX_BAKE)]


class StrategyType(StrEnum):
    IMMEDIATE = "immediate"
    ROLLING = "rolling"
    CANARY = "canary"


class Growth(StrEnum):
    LINEAR = "linear"
    EXPONENTIAL = "exponential"


class ToleranceMode(StrEnum):
    """Written `strict` or `STRICT`: the docs of every platform with such modes shout them."""

    STRICT = "strict"
    SOFT = "soft"

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        return next((mode for mode in cls if value == mode.name), None)


class RollbackScope(StrEnum):
    WAVE = "wave"
    CAMPAIGN = "campaign"


class Selector(Contract):
    """Which hosts: the members of the named groups, and of the groups that carry all of the tags."""

    groups: tuple[Text, ...] = ()
    tags: dict[str, str] = {}
    zones: tuple[Text, ...] = ()
    exclude_hosts: tuple[Text, ...] = ()

    @model_validator(mode="after")
    def _selects_something(self) -> Self:
        if not (self.groups or self.tags):
            raise ValueError("selects nothing: expected groups: [NAME] or tags: {KEY: VALUE}")
        return self


class FleetSpec(Contract):
    """The hosts in scope, and the name under which they are reserved."""

    name: Name
    selector: Selector


class CanarySpec(Contract):
    """How waves widen: by explicit cumulative steps, or from `initial` by a growth."""

    steps: (
        Annotated[tuple[PositiveQuota, ...], Field(min_length=1), AfterValidator(_growing_to_all)] | None
    ) = None
    growth: Growth | None = None
    initial: PositiveQuota = "5%"
    increment: PositiveQuota = "25%"
    factor: float = Field(default=2.0, gt=1, le=10)

    @model_validator(mode="after")
    def _one_way_to_grow(self) -> Self:
        if self.steps is not None and self.growth is not None:
            raise ValueError("steps and growth exclude each other: expected one of them")
        for field, growths in _READ_BY.items():
            written = getattr(self, field) != type(self).model_fields[field].default
            if written and self.growth not in growths:
                raise ValueError(
                    f"{field} would be ignored: expected it only with growth: {' or '.join(growths)}"
                )
        return self


_READ_BY = {
    "initial": (Growth.LINEAR, Growth.EXPONENTIAL),
    "increment": (Growth.LINEAR,),
    "factor": (Growth.EXPONENTIAL,),
}


class RollingSpec(Contract):
    """Equal waves of `batch` hosts, a share being of the whole fleet."""

    batch: PositiveQuota = "25%"


class Strategy(Contract):
    """How the fleet is cut into waves; only the block that is named as the type is read."""

    type: StrategyType
    canary: CanarySpec = CanarySpec()
    rolling: RollingSpec = RollingSpec()

    @model_validator(mode="after")
    def _nothing_ignored(self) -> Self:
        for block, spec in {"canary": CanarySpec, "rolling": RollingSpec}.items():
            if block != self.type and getattr(self, block) != spec():
                raise ValueError(f"{block} would be ignored: expected it only with type: {block}")
        return self


class DisruptionBudget(Contract):
    """Hosts out of service at once; shares round up, so a budget is never 0."""

    overall: PositiveQuota = "10%"
    per_zone: PositiveQuota = "10%"


class FailureTolerance(Contract):
    """Failed hosts that a wave may have and still be healthy; shares round down."""

    hosts: Quota = 0
    mode: Annotated[ToleranceMode, WithJsonSchema({"enum": ["strict", "soft", "STRICT", "SOFT"]})] = (
        ToleranceMode.STRICT
    )


class HttpCheck(Contract):
    """A GET of the host's own address; redirects are not followed, another status is a failure."""

    type: Literal["http"]
    port: Port
    path: str = Field(default="/", pattern=r"^/", description="a path that begins with /")
    expected_status: int = Field(default=200, ge=100, le=599)


class TcpCheck(Contract):
    """A connection to the host's own address; being accepted is a success."""

    type: Literal["tcp"]
    port: Port


class CommandCheck(Contract):
    """A shell command run on the host; exit status 0 is a success."""

    type: Literal["command"]
    run: Text


Check = Annotated[HttpCheck | TcpCheck | CommandCheck, Field(discriminator="type")]


class HealthChecks(Contract):
    """When a host counts as healthy: every check passes `success_threshold` times in a row."""

    initial_delay: Duration = timedelta(0)
    interval: PositiveDuration = timedelta(seconds=5)
    timeout: PositiveDuration = timedelta(seconds=5)
    success_threshold: Count = 3
    failure_threshold: Count = 3
    deadline: PositiveDuration = timedelta(minutes=10)
    checks: tuple[Check, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _can_pass(self) -> Self:
        if self.deadline < self.interval * (self.success_threshold - 1):
            raise ValueError("no host could pass: expected deadline >= interval x (successThreshold - 1)")
        return self


class Bake(Contract):
    """How long a changed wave is watched; `first` applies to the first wave when given."""

    time: BakeTime = timedelta(minutes=5)
    first: BakeTime | None = None
    interval: Annotated[Duration, between(timedelta(seconds=1), MAX_BAKE)] = timedelta(seconds=30)


class Approval(Contract):
    """Who must agree to the frozen plan before a host is touched; never the requester.

    `proven` counts only approvals that are signed by the approver's own key: `keys` has each
    approver's ECDSA P-256 public key in PEM.
    """

    required: bool = True
    minimum_approvers: Count = 1
    allowed_approvers: tuple[Text, ...] = ()
    timeout: PositiveDuration = timedelta(hours=24)
    proven: bool = False
    keys: dict[str, str] = {}

    @model_validator(mode="after")
    def _provable(self) -> Self:
        if self.keys and not self.proven:
            raise ValueError("keys would be ignored: expected proven: true with them")
        without = sorted(set(self.allowed_approvers) - set(self.keys))
        if self.proven and (without or len(self.keys) < self.minimum_approvers):
            missing = ", ".join(without) or f"{self.minimum_approvers} approvers"
            raise ValueError(f"cannot be proven: expected keys: a public key in PEM for {missing}")
        return self

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        if self.allowed_approvers and len(set(self.allowed_approvers)) < self.minimum_approvers:
            raise ValueError("can never be reached: expected minimumApprovers different allowedApprovers")
        return self

    @model_validator(mode="after")
    def _nothing_ignored(self) -> Self:
        demanded = self.proven or self.allowed_approvers or self.minimum_approvers > 1
        if demanded and not self.required:
            raise ValueError("approvers would be ignored: expected required: true, or no word of approvers")
        return self


class Rollback(Contract):
    """What an unhealthy wave sets off: restore the wave, or every host changed so far."""

    automatic: bool = True
    scope: RollbackScope = RollbackScope.WAVE


class ImageSpec(Contract):
    """The exact image, by `id` or by `family` and `version`; `signed` demands a verified signature."""

    id: str | None = Field(
        default=None, pattern=r"^ami-[0-9a-f]{8,17}$", description="an image id such as ami-0123456789abcdef0"
    )
    family: Name | None = None
    version: str | None = Field(
        default=None,
        pattern=r"^[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?$",
        description="a version of three numbers such as 1.4.2 or 1.4.2-rc.1",
    )
    signed: bool = False

    @model_validator(mode="after")
    def _one_way_to_say(self) -> Self:
        ways = [self.id is not None, self.family is not None and self.version is not None]
        halves = (self.family is None) != (self.version is None)
        if halves or ways.count(True) != 1:
            raise ValueError("expected an id (ami-…), or family and version: not both, and no half")
        return self

    def __str__(self) -> str:
        return self.id or f"{self.family}@{self.version}"


class PatchSpec(Contract):
    """What to change, where, how fast, and what must hold."""

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
    """The campaign's name, which names its workflow, and labels for people."""

    name: Name
    labels: dict[str, str] = {}


class PatchPolicy(Contract):
    """A rollout of one change to one fleet, as a person wrote it."""

    answers: ClassVar[Answers] = ANSWERS
    api_version: Literal["steadfleet.dev/v1"]
    kind: Literal["PatchPolicy"]
    metadata: Metadata
    spec: PatchSpec
