"""`kind: DrillPlan`: what a person writes about a rehearsal of disaster recovery."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AwareDatetime, Field, model_validator

from steadfleet_core.answers import Answers
from steadfleet_core.drill.answers import ANSWERS
from steadfleet_core.image.golden import Channel, TimeLimit, Version
from steadfleet_core.model import Contract, Count, Duration, Name, Port, PositiveDuration, Text, between


class Mode(StrEnum):
    """`tabletop` only looks and estimates; `drill` recovers an isolated copy. Neither touches production."""

    TABLETOP = "tabletop"
    DRILL = "drill"


class Strategy(StrEnum):
    """What stands in the recovery region before disaster strikes, in the words of the AWS reliability pillar.

    Backup and restore: nothing but backups. Pilot light: live data, no services. Warm standby: both.
    A drill makes what stands already before its clock starts, as a copy of its own.
    """

    BACKUP_RESTORE = "backup-restore"
    PILOT_LIGHT = "pilot-light"
    WARM_STANDBY = "warm-standby"


class Secret(Contract):
    """Where the worker reads a secret when it is needed: it is in no plan, no history and no report."""

    environment: str | None = Field(
        default=None, pattern=r"^[A-Z_][A-Z0-9_]*$", description="the name of an environment variable"
    )
    parameter: Text | None = None

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.environment is None) == (self.parameter is None):
            raise ValueError("expected either environment or parameter, which is an SSM parameter's name")
        return self


class Store(Contract):
    """A PostgreSQL database with data that must survive. `ledger` names the witness's ledger of it."""

    name: Name
    database: Text
    user: Text
    password: Secret
    ledger: Name | None = None
    restore_time_limit: TimeLimit = timedelta(hours=4)


class RdsStore(Store):
    """A DB instance of RDS; `id` is that of the one that serves."""

    type: Literal["rds"]
    id: Text
    instance_class: Text = "db.t3.micro"


class PostgresStore(Store):
    """A PostgreSQL server of one's own. Restored from `backup`, a base backup with its WAL; or replicated."""

    type: Literal["postgres"]
    host: Text
    port: Port = 5432
    backup: Text | None = None


AnyStore = Annotated[RdsStore | PostgresStore, Field(discriminator="type")]


class DrillImage(Contract):
    """A golden image, by version or channel, as it is in the recovery region; or an image by its id."""

    family: Name | None = None
    version: Version | None = None
    channel: Channel | None = None
    id: Text | None = None

    @model_validator(mode="after")
    def _one_way_to_say(self) -> Self:
        if (self.family is None) == (self.id is None):
            raise ValueError("expected exactly one of family or id")
        if (self.family is not None) != ((self.version is not None) != (self.channel is not None)):
            raise ValueError("expected family with either version or channel, and those only with family")
        return self

    def __str__(self) -> str:
        return self.id or f"{self.family}@{self.version or self.channel}"


class Readiness(Contract):
    """What the prober asks of a service: a GET of `path`, or a connection where there is no path.

    `body` must be found in the answer: a service may answer 200 with wrong data.
    """

    path: str | None = Field(default="/", pattern=r"^/", description="a path that begins with /")
    expected_status: int = Field(default=200, ge=100, le=599)
    body: Text | None = None


class Service(Contract):
    """Machines that serve. `environment` may name what was restored: `${orders.host}`, `${orders.port}`."""

    name: Name
    depends_on: tuple[Name, ...] = ()
    image: DrillImage
    count: Count = 1
    port: Port
    readiness: Readiness = Readiness()
    environment: dict[str, str] = {}
    start_time_limit: TimeLimit = timedelta(minutes=30)


class GroupService(Service):
    """An Auto Scaling group behind a load balancer, found by a record in a zone of the drill's own."""

    type: Literal["group"]
    instance_type: Text = "t3.small"


class ContainerService(Service):
    """Containers of a Docker engine, in a network of the drill's own. `image.id` is the engine's."""

    type: Literal["containers"]


AnyService = Annotated[GroupService | ContainerService, Field(discriminator="type")]


class Check(Contract):
    name: Text
    time_limit: TimeLimit = timedelta(minutes=1)


class HttpValidation(Check):
    """A GET of the recovered service."""

    type: Literal["http"]
    service: Name
    path: str = Field(default="/", pattern=r"^/", description="a path that begins with /")
    expected_status: int = Field(default=200, ge=100, le=599)
    body: Text | None = None


class TcpValidation(Check):
    """A connection to the recovered service."""

    type: Literal["tcp"]
    service: Name


class SqlValidation(Check):
    """A query of the recovered database; its first value, as text, must be what is expected."""

    type: Literal["sql"]
    store: Name
    query: Text
    expected: str


class CommandValidation(Check):
    """A shell command on one of the service's machines; exit status 0 is a success."""

    type: Literal["command"]
    service: Name
    run: Text


class ChecksumValidation(Check):
    """SHA-256 over all rows of a query, in its order: each row's values joined by `|`, a line each."""

    type: Literal["checksum"]
    store: Name
    query: Text
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="64 hexadecimal digits")


Validation = Annotated[
    HttpValidation | TcpValidation | SqlValidation | CommandValidation | ChecksumValidation,
    Field(discriminator="type"),
]


class RecoveryPoint(Contract):
    """What data is recovered: the latest, that of a time, or of a random time in a window before now.

    A random one is the honest default of a restore test: it proves more than last night's backup.
    """

    at: AwareDatetime | None = Field(default=None, description="a time such as 2027-01-31T04:00:00Z")
    random_within: PositiveDuration | None = None

    @model_validator(mode="after")
    def _one_way_to_say(self) -> Self:
        if self.at is not None and self.random_within is not None:
            raise ValueError("expected at or randomWithin, not both; neither is the latest")
        return self

    @property
    def latest(self) -> bool:
        return self.at is None and self.random_within is None


class Objectives(Contract):
    """RTO and RPO: how long recovery may take, and how old the oldest lost write may be."""

    rto: PositiveDuration
    rpo: PositiveDuration


class Probing(Contract):
    """How the witness watches: recovered is after `successes` in a row, `interval` apart."""

    interval: Annotated[Duration, between(timedelta(milliseconds=100), timedelta(minutes=5))] = timedelta(
        seconds=5
    )
    successes: Count = 3


class Recovery(Contract):
    """Where it is recovered. `zone` is what the drill's own names end in; nobody else resolves them."""

    region: Text
    zone: Name = "drill.internal"


class Isolation(StrEnum):
    """`enforced`: a way to production fails the drill. `observed`: it is told as not proven, never green."""

    ENFORCED = "enforced"
    OBSERVED = "observed"


class Limits(Contract):
    """What a drill may use at most. A failed step waits `halt_time` for a person."""

    hosts: Count = 20
    time: TimeLimit = timedelta(hours=8)
    halt_time: TimeLimit = timedelta(minutes=30)


class Schedule(Contract):
    """When it happens by itself: five fields of cron, in `timezone`. No drill starts on a blocked date.

    A drill of the schedule that still runs skips the next one; a campaign on the same fleet has it refused.
    """

    cron: str = Field(pattern=r"^\S+( \S+){4}$", description='five fields of cron such as "30 2 * * 6"')
    timezone: Text = "UTC"
    blocked_dates: tuple[date, ...] = ()
    catch_up: PositiveDuration = timedelta(hours=1)


class DrillMetadata(Contract):
    name: Name
    labels: dict[str, str] = {}


class DrillSpec(Contract):
    """What is recovered, where, from when, and what must hold. `fleet` is one that campaigns change."""

    mode: Mode = Mode.DRILL
    strategy: Strategy
    fleet: Name | None = None
    recovery: Recovery
    recovery_point: RecoveryPoint = RecoveryPoint()
    objectives: Objectives
    stores: tuple[AnyStore, ...] = ()
    services: tuple[AnyService, ...] = ()
    validations: tuple[Validation, ...] = ()
    probing: Probing = Probing()
    isolation: Isolation = Isolation.ENFORCED
    schedule: Schedule | None = None
    limits: Limits = Limits()

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        problem = next(iter(self._problems()), None)
        if problem:
            raise ValueError(problem)
        return self

    def _problems(self) -> Iterable[str]:
        if not self.stores and not self.services:
            yield "expected at least one of stores and services: there is nothing to recover"
        names = [one.name for one in (*self.stores, *self.services)]
        yield from (f"{name} is used twice: expected each name once" for name in twice(names))
        checks = [check.name for check in self.validations]
        yield from (f"validation {name} is there twice: expected each name once" for name in twice(checks))
        yield from self._unknown_names(set(names))
        circle = circle_of({service.name: service.depends_on for service in self.services})
        if circle:
            yield f"{' needs '.join(circle)}: expected services that can be started one after another"
        hosts = sum(service.count for service in self.services)
        if hosts > self.limits.hosts:
            yield f"{hosts} hosts are more than limits.hosts ({self.limits.hosts})"
        if not self.recovery_point.latest and self.strategy is not Strategy.BACKUP_RESTORE:
            yield f"{self.strategy} recovers what is live: expected a recoveryPoint only with backup-restore"

    def _unknown_names(self, names: set[str]) -> Iterable[str]:
        for service in self.services:
            for name in set(service.depends_on) - names:
                yield f"{service.name} depends on {name}, which is neither a store nor a service here"
        stores, services = ({one.name for one in all_} for all_ in (self.stores, self.services))
        for check in self.validations:
            if isinstance(check, SqlValidation | ChecksumValidation):
                if check.store not in stores:
                    yield f"validation {check.name} asks {check.store}, which is no store here"
            elif check.service not in services:
                yield f"validation {check.name} asks {check.service}, which is no service here"


class DrillPlan(Contract):
    """A rehearsal of disaster recovery, as a person wrote it down."""

    answers: ClassVar[Answers] = ANSWERS
    api_version: Literal["steadfleet.dev/v1"]
    kind: Literal["DrillPlan"]
    metadata: DrillMetadata
    spec: DrillSpec

    @property
    def name(self) -> str:
        return self.metadata.name


def twice(names: Iterable[str]) -> list[str]:
    all_names = list(names)
    return sorted({name for name in all_names if all_names.count(name) > 1})


def circle_of(needs: dict[str, tuple[str, ...]]) -> list[str]:
    """Return services that need each other in a circle, the first one again at the end; empty if none."""
    done: set[str] = set()

    def walk(name: str, path: list[str]) -> list[str]:
        if name in path:
            return [*path[path.index(name) :], name]
        if name in done:
            return []
        for needed in needs.get(name, ()):
            if found := walk(needed, [*path, name]):
                return found
        done.add(name)
        return []

    return next(filter(None, (walk(name, []) for name in needs)), [])


def utc(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
