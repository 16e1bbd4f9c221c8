"""What an independent process sees of a drill: it probes, and keeps ledgers. Its clock is the only one.

The witness runs apart from the worker that recovers: what it did not see itself, it does not say.
"""

from abc import ABC, abstractmethod
from datetime import datetime

from temporalio import activity

from steadfleet_core.drill.measuring import DataLoss, Observation, SealedLedger
from steadfleet_core.drill.plan import Probing, Readiness, Secret
from steadfleet_core.model import Digest, Model, PositiveDuration


class Declaration(Model):
    """Declare disaster: from now on the clock runs, and what is acknowledged later is not counted."""

    run: str
    ledgers: tuple[str, ...] = ()


class Declared(Model):
    """When it was declared, by the witness's clock. Asked again for the same run, it says the same."""

    at: datetime
    ledgers: tuple[SealedLedger, ...] = ()


class Watch(Model):
    """Probe one service from the declared start on, until it is recovered or `time_limit` is over."""

    run: str
    service: str
    host: str
    port: int
    readiness: Readiness
    probing: Probing
    declared_at: datetime
    time_limit: PositiveDuration


class Reconciliation(Model):
    """Hold a sealed ledger against the recovered database.

    What counts was acknowledged until `as_of`: the declared start, or the recovery point that the plan
    asks for, since nobody promised what came after that one.
    """

    run: str
    store: str
    ledger: str
    sealed: Digest
    as_of: datetime
    host: str
    port: int
    database: str
    user: str
    password: Secret


class Witness(ABC):
    """Sees for itself."""

    @activity.defn
    @abstractmethod
    async def declare_disaster(self, declaration: Declaration) -> Declared: ...

    @activity.defn
    @abstractmethod
    async def watch_recovery(self, watch: Watch) -> Observation:
        """Probe; what was seen so far is in the heartbeat, so that another attempt goes on from there."""

    @activity.defn
    @abstractmethod
    async def reconcile_ledger(self, reconciliation: Reconciliation) -> DataLoss: ...
