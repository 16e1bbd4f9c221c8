"""How a campaign asks for its fleet: one campaign a fleet at a time."""

from abc import ABC, abstractmethod

from temporalio import activity

from steadfleet_core.model import Model

RESERVATION_WORKFLOW = "FleetReservation"
"""The entity workflow's type; its id is `fleet/<name>`."""


def reservation_id(fleet: str) -> str:
    return f"fleet/{fleet}"


class Claim(Model):
    """A campaign's wish for a fleet; `holder` is its workflow id, `run` its first run id."""

    fleet: str
    holder: str
    run: str
    task_queue: str


class Grant(Model):
    """The answer: `reason` says who holds the fleet, or who froze it and why."""

    granted: bool
    reason: str = ""
    holder: str = ""
    holder_run: str = ""


class Reservations(ABC):
    """Grants fleets. A holder that is closed no longer holds."""

    @activity.defn
    @abstractmethod
    async def reserve_fleet(self, claim: Claim) -> Grant: ...

    @activity.defn
    @abstractmethod
    async def release_fleet(self, claim: Claim) -> None:
        """Give the fleet back; safe when it is not held."""
