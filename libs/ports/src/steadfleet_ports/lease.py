"""The promise that what a run makes for a time is taken away, whatever becomes of the run."""

from abc import ABC, abstractmethod
from datetime import datetime
from enum import StrEnum

from temporalio import activity

from steadfleet_core.model import Duration, Model

LEASE_WORKFLOW = "Lease"
"""The workflow's type; its id is `lease/<run>`, its queue the janitor's."""

JANITOR_QUEUE = "janitor"


def lease_id(run: str) -> str:
    return f"lease/{run}"


class Owner(Model):
    """The execution that a lease looks at: its id, and the first run of its chain."""

    workflow: str
    run: str


class ObligationKind(StrEnum):
    """What must be put back, rather than deleted."""

    RELEASE_GROUPS = "release groups"


class Obligation(Model):
    """`subject` names the thing, `detail` what the janitor needs to put it back."""

    kind: ObligationKind
    subject: str
    detail: str = ""


class Sweep(Model):
    """All that one run made for a time: everything tagged with it in these regions, and these names.

    An image that was released, and a machine that serves, are not temporary.
    """

    run: str
    regions: tuple[str, ...] = ()
    names: tuple[str, ...] = ()


class LeaseOrder(Model):
    """`term` is how long the lease holds without a word of its owner."""

    sweep: Sweep
    owner: Owner
    term: Duration
    obligations: tuple[Obligation, ...] = ()


class Left(Model):
    """One thing that is still there. `why` it could not be removed, if that was tried."""

    region: str
    type: str
    id: str
    why: str = ""


class Residue(Model):
    """What a run left behind; must be empty."""

    left: tuple[Left, ...] = ()
    removed: tuple[Left, ...] = ()


class LeaseStatus(Model):
    """Where a lease stands: `alarms` are for a person."""

    run: str
    owner: Owner
    expires_at: datetime
    state: str
    obligations: tuple[Obligation, ...] = ()
    residue: tuple[Left, ...] = ()
    alarms: tuple[str, ...] = ()


class OwnerState(Model):
    """What a look at the owner found."""

    open: bool


class Janitor(ABC):
    """Takes away and puts back, with credentials of its own."""

    @activity.defn
    @abstractmethod
    async def rehearse_sweep(self, sweep: Sweep) -> tuple[str, ...]:
        """Say which deletes this janitor may not do, by a dry run of each; empty when it may do all."""

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
    async def look_at_owner(self, owner: Owner) -> OwnerState: ...


class Leases(ABC):
    """How an owner opens and closes its lease. Renewal is the signal `renew` to `lease/<run>`."""

    @activity.defn
    @abstractmethod
    async def open_lease(self, order: LeaseOrder) -> LeaseStatus:
        """Start the lease, or find it; answers only when the janitor has rehearsed its deletes.

        Raises a non-retryable `RefusedError` when the janitor may not do what it would have to.
        """

    @activity.defn
    @abstractmethod
    async def close_lease(self, order: LeaseOrder) -> Residue:
        """Say that the owner has cleaned up: the lease looks, takes away what is left, and says so."""
