"""The promise that what a run makes for a time is taken away, whatever becomes of the run."""

from abc import ABC, abstractmethod
from datetime import datetime, timedelta
from enum import StrEnum

from temporalio import activity

from steadfleet_core.model import Model, PositiveDuration

LEASE_WORKFLOW = "Lease"
"""The workflow's type; its id is `lease/<run>`, its queue the janitor's."""

JANITOR_QUEUE = "janitor"

TERM = timedelta(minutes=15)
"""How long a lease holds without a word of its owner, unless somebody says otherwise."""

CREATE_MARGIN = timedelta(minutes=2)
"""How long before the end of a lease nothing more is created under it: a create takes its time."""


def lease_id(run: str) -> str:
    return f"lease/{run}"


def may_create(deadline: datetime, now: datetime, margin: timedelta = CREATE_MARGIN) -> bool:
    """Say whether a create that begins now is over before the janitor may sweep."""
    return now < deadline - margin


class Owner(Model):
    """The execution that a lease looks at: its id, and the first run of its chain."""

    workflow: str
    run: str


class ObligationKind(StrEnum):
    """What must be put back, rather than deleted."""

    RELEASE_GROUPS = "release groups"
    """The sizes and processes of an Auto Scaling group; `detail` names the campaign that held it."""


class Obligation(Model):
    """`subject` names the thing, `detail` what the janitor needs to put it back.

    What another run than `run` has taken over since is left to that run. An empty `region` is that
    of the worker that opens the lease.
    """

    kind: ObligationKind
    subject: str
    detail: str = ""
    run: str = ""
    region: str = ""


class Sweep(Model):
    """All that one run made for a time: everything tagged with it in these regions, and these names.

    An image that was released, and a machine that serves, are not temporary. Without regions it is
    the region of the worker that opens the lease, unless it is the Docker engine alone. What is known
    by its name only is taken if it was made after `since`, which is when the lease was opened.
    """

    run: str
    regions: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    docker: bool = False
    since: datetime | None = None


class LeaseOrder(Model):
    """`term` is how long the lease holds without a word of its owner; None is what the worker is set to."""

    sweep: Sweep
    owner: Owner
    term: PositiveDuration | None = None
    obligations: tuple[Obligation, ...] = ()


class Renewal(Model):
    """A word of the owner: the lease holds for so long from now, or for its term."""

    hold: PositiveDuration | None = None


class Left(Model):
    """One thing that is still there. `why` it could not be removed, if that was tried."""

    region: str
    type: str
    id: str
    name: str = ""
    why: str = ""

    def __str__(self) -> str:
        named = f" ({self.name})" if self.name and self.name != self.id else ""
        said = f"{self.type} {self.id}{named}" + (f" in {self.region}" if self.region else "")
        return f"{said}: {self.why}" if self.why else said


class Residue(Model):
    """What a run left behind; `left` must be empty.

    `spared` are things that carry the run's tag and expire, but serve: only a person may judge them.
    """

    left: tuple[Left, ...] = ()
    removed: tuple[Left, ...] = ()
    spared: tuple[Left, ...] = ()


class LeaseState(StrEnum):
    OPENING = "opening"
    HELD = "held"
    SWEEPING = "sweeping"
    """The owner has closed or said that it cleaned up: what is left is taken away."""
    WATCHING = "watching"
    """All is gone; one more look follows when the lease ends, for what a lost worker may yet create."""
    ENDED = "ended"
    REFUSED = "refused"


class LeaseStatus(Model):
    """Where a lease stands: `alarms` are for a person."""

    run: str
    owner: Owner
    term: PositiveDuration = TERM
    expires_at: datetime
    state: LeaseState
    obligations: tuple[Obligation, ...] = ()
    residue: Residue = Residue()
    alarms: tuple[str, ...] = ()


class OwnerState(Model):
    """What a look at the owner found; `said` is for a person."""

    open: bool
    said: str = ""


class Janitor(ABC):
    """Takes away and puts back, with credentials of its own."""

    @activity.defn
    @abstractmethod
    async def rehearse_sweep(self, sweep: Sweep) -> tuple[str, ...]:
        """Say which deletes this janitor may not do, by a dry run of each; empty when it may do all.

        What has no dry run (RDS, load balancers, Auto Scaling, Route 53) is only looked for.
        """

    @activity.defn
    @abstractmethod
    async def find_residue(self, sweep: Sweep) -> Residue:
        """Look only."""

    @activity.defn
    @abstractmethod
    async def sweep_run(self, sweep: Sweep) -> Residue:
        """Remove all that is there; what could not be removed is in `left`, with the reason."""

    @activity.defn
    @abstractmethod
    async def discharge(self, obligation: Obligation) -> None:
        """Put one thing back; safe when it stands right already."""

    @activity.defn
    @abstractmethod
    async def look_at_owner(self, owner: Owner) -> OwnerState:
        """Say whether the owner is open, or any workflow that winds down under it (`<owner>/…`)."""


class Leases(ABC):
    """How an owner opens and closes its lease. Renewal is the signal `renew` to `lease/<run>`."""

    @activity.defn
    @abstractmethod
    async def open_lease(self, order: LeaseOrder) -> LeaseStatus:
        """Start the lease, or find it; answers only when the janitor has rehearsed its deletes.

        Raises a non-retryable `RefusedError` when the janitor may not do what it would have to, and
        `NoJanitorError` when none answers.
        """

    @activity.defn
    @abstractmethod
    async def close_lease(self, order: LeaseOrder) -> Residue:
        """Say that the owner has cleaned up: the lease looks, takes away what is left, and says so.

        Raises a non-retryable `NoLeaseError` when there is none, so that nobody has looked.
        """
