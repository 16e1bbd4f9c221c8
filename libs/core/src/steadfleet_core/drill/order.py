"""What starts a drill, and what it is resolved to."""

from datetime import datetime

from pydantic import Field

from steadfleet_core.drill.plan import DrillPlan, Mode
from steadfleet_core.model import Digest, Model, canonical, digest_of

QUEUE = "dr-drill"
WITNESS_QUEUE = "witness"


def workflow_id(plan: str, at: datetime) -> str:
    return f"drill/{plan}/{at:%Y%m%dT%H%M%SZ}"


def schedule_id(plan: str) -> str:
    return f"drill/{plan}"


def preflight_schedule_id(plan: str) -> str:
    return f"drill-preflight/{plan}"


class DrillOrder(Model):
    """What starts a drill. `mode` overrides the plan's own: a tabletop of a plan is always allowed."""

    plan: DrillPlan
    requested_by: str = Field(min_length=1)
    mode: Mode | None = None
    search_attributes: bool = True

    @property
    def digest(self) -> Digest:
        return digest_of(canonical(self.plan))

    @property
    def resolved_mode(self) -> Mode:
        return self.mode or self.plan.spec.mode


class ResolvedStore(Model):
    """A store and the data that it is recovered from.

    `copy_id` is the name of the drill's own copy. `point` is the moment that the source promises,
    None while it is live; `point_id` names the snapshot or the backup.
    """

    name: str
    source: str
    engine: str = ""
    copy_id: str
    point: datetime | None = None
    point_id: str = ""
    facts: dict[str, str] = {}


class ResolvedService(Model):
    """A service: the exact image, and where the witness will find it.

    `address` is a host name or an IP address that is known before anything is made.
    """

    name: str
    image: str
    content: Digest | None = None
    address: str
    port: int
    facts: dict[str, str] = {}


class Drill(Model):
    """An order, resolved: nothing in it floats.

    `run` names and tags everything that is made. `production` are addresses (`host:port`) which
    nothing inside may reach.
    """

    plan: DrillPlan
    run: str
    region: str
    expires_at: datetime
    stores: tuple[ResolvedStore, ...] = ()
    services: tuple[ResolvedService, ...] = ()
    production: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def store(self, name: str) -> ResolvedStore:
        return next(store for store in self.stores if store.name == name)

    def service(self, name: str) -> ResolvedService:
        return next(service for service in self.services if service.name == name)
