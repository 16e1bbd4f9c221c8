"""Which things a sweep is about, and what their tags say of that."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from steadfleet_activities.fleet import tags
from steadfleet_ports.lease import Left, Sweep

# The clocks of AWS and of Temporal need not agree to the second.
_SKEW = timedelta(minutes=1)


class Kind(StrEnum):
    INSTANCE = "instance"
    VOLUME = "volume"
    IMAGE = "image"
    SNAPSHOT = "snapshot"
    KEY_PAIR = "key pair"
    SECURITY_GROUP = "security group"
    AUTO_SCALING_GROUP = "Auto Scaling group"
    LAUNCH_TEMPLATE = "launch template"
    LOAD_BALANCER = "load balancer"
    LISTENER = "listener"
    TARGET_GROUP = "target group"
    DB_INSTANCE = "DB instance"
    DB_SNAPSHOT = "DB snapshot"
    DB_SUBNET_GROUP = "DB subnet group"
    SUBNET = "subnet"
    ROUTE_TABLE = "route table"
    INTERNET_GATEWAY = "internet gateway"
    VPC = "VPC"
    ZONE = "hosted zone"
    CONTAINER = "container"
    NETWORK = "network"


@dataclass(frozen=True)
class Thing:
    """One thing at one look, whether it may be taken or not."""

    region: str
    kind: Kind
    id: str
    name: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    made_at: datetime | None = None
    pending: bool = False
    going: bool = False
    """Its delete was asked for, and takes its time."""

    @property
    def key(self) -> tuple[str, Kind, str]:
        return self.region, self.kind, self.id

    def left(self, why: str = "") -> Left:
        return Left(region=self.region, type=self.kind, id=self.id, name=self.name, why=why)


@dataclass(frozen=True)
class Scope:
    """Everything of one run, and of its names; or everything that expired before a time."""

    run: str = ""
    names: tuple[str, ...] = ()
    since: datetime | None = None
    expired_before: datetime | None = None

    @classmethod
    def of(cls, sweep: Sweep) -> "Scope":
        return cls(run=sweep.run, names=sweep.names, since=sweep.since)

    @property
    def own_names(self) -> tuple[str, ...]:
        """Return the names that a run gives to what AWS knows by name: no other run has them."""
        return (self.run, f"{self.run}-examine") if self.run else ()

    @property
    def tag(self) -> tuple[str, str]:
        """Return the tag to look for, key and value; any value counts where it is empty."""
        return (tags.RUN, self.run) if self.run else (tags.EXPIRES_AT, "")

    def takes(self, thing: Thing) -> bool:
        """Say whether the tags put the thing into this scope."""
        if self.run:
            return thing.tags.get(tags.RUN) == self.run
        expires_at = expiry(thing.tags)
        return bool(expires_at and self.expired_before and expires_at < self.expired_before)

    def takes_by_name(self, thing: Thing) -> bool:
        """Say whether a thing of one of the names is the run's: made since it began, and nobody else's."""
        if thing.tags.get(tags.RUN, self.run) != self.run:
            return False
        return not (self.since and thing.made_at and thing.made_at < self.since - _SKEW)


def expiry(said: Mapping[str, str]) -> datetime | None:
    """Read when a thing may be swept; None when nothing can be read there."""
    try:
        at = datetime.fromisoformat(said.get(tags.EXPIRES_AT, ""))
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def released(thing: Thing) -> bool:
    """Whether it can be found by family: then it is no residue of its run."""
    return tags.FAMILY in thing.tags


def isolated(thing: Thing) -> bool:
    """Whether a drill made it: an isolated copy serves nobody, in a group or not, expiring or not."""
    return tags.RUN in thing.tags and tags.DRILL in thing.tags
