"""A janitor in memory, and leases that are always granted."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio import activity
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from steadfleet_durable import register, workflow_runner
from steadfleet_ports.lease import (
    JANITOR_QUEUE,
    TERM,
    Janitor,
    LeaseOrder,
    Leases,
    LeaseState,
    LeaseStatus,
    Left,
    Obligation,
    Owner,
    OwnerState,
    Residue,
    Sweep,
)
from steadfleet_workflows.lease import Lease


@dataclass
class FakeJanitor(Janitor):
    """Behaves as told.

    `things` are there until they are swept; `stuck` ones need so many sweeps more. `owner_open`
    answers the looks at the owner. `sweep_gate`, when given, holds a sweep until it is set.
    """

    things: set[str] = field(default_factory=set)
    stuck: dict[str, int] = field(default_factory=dict)
    serving: set[str] = field(default_factory=set)
    refusals: tuple[str, ...] = ()
    owner_open: bool = True
    closed_looks: int | None = None
    look_error: str = ""
    find_errors: int = 0
    discharge_errors: int = 0
    sweep_gate: asyncio.Event | None = None

    looks: int = 0
    sweeps: list[Sweep] = field(default_factory=list)
    begun: int = 0
    discharged: Counter[str] = field(default_factory=Counter)
    rehearsals: list[Sweep] = field(default_factory=list)

    @activity.defn
    async def rehearse_sweep(self, sweep: Sweep) -> tuple[str, ...]:
        self.rehearsals.append(sweep)
        return self.refusals

    @activity.defn
    async def find_residue(self, sweep: Sweep) -> Residue:
        if self.find_errors:
            self.find_errors -= 1
            raise ApplicationError("AWS does not answer", non_retryable=True)
        return Residue(left=_left(self.things), spared=_left(self.serving))

    @activity.defn
    async def sweep_run(self, sweep: Sweep) -> Residue:
        self.begun += 1
        while self.sweep_gate is not None and not self.sweep_gate.is_set():
            activity.heartbeat()
            await asyncio.sleep(0.05)
        self.sweeps.append(sweep)
        kept = {thing for thing in self.things if self.stuck.get(thing, 0) > 0}
        self.stuck = {thing: count - 1 for thing, count in self.stuck.items()}
        removed, self.things = self.things - kept, kept
        return Residue(
            left=_left(kept, "DependencyViolation"), removed=_left(removed), spared=_left(self.serving)
        )

    @activity.defn
    async def discharge(self, obligation: Obligation) -> None:
        if self.discharge_errors:
            self.discharge_errors -= 1
            raise ApplicationError("the group wants 4 hosts", non_retryable=True)
        self.discharged[obligation.subject] += 1

    @activity.defn
    async def look_at_owner(self, owner: Owner) -> OwnerState:
        self.looks += 1
        if self.look_error:
            raise ApplicationError(self.look_error, non_retryable=True)
        if self.closed_looks is not None:
            self.closed_looks -= 1
            return OwnerState(open=self.closed_looks < 0, said=f"{owner.workflow} flickers")
        said = "is open" if self.owner_open else "has closed"
        return OwnerState(open=self.owner_open, said=f"{owner.workflow} {said}")


@asynccontextmanager
async def janitor_worker(
    env: WorkflowEnvironment, janitor: FakeJanitor, **options: Any
) -> AsyncIterator[Worker]:
    """Work on leases with this janitor."""
    async with Worker(
        env.client,
        task_queue=JANITOR_QUEUE,
        workflows=[Lease],
        activities=register(janitor),
        workflow_runner=workflow_runner(),
        max_heartbeat_throttle_interval=timedelta(milliseconds=100),
        default_heartbeat_throttle_interval=timedelta(milliseconds=100),
        **options,
    ) as worker:
        yield worker


def _left(ids: set[str], why: str = "") -> tuple[Left, ...]:
    return tuple(Left(region="eu-west-1", type="instance", id=one, why=why) for one in sorted(ids))


@dataclass
class FakeLeases(Leases):
    """Grants every lease for so long that nobody need renew it, and finds nothing at the end.

    `error` refuses to open; `close_error` to close. `residue` is what the close finds.
    """

    term: timedelta = timedelta(days=3650)
    error: str = ""
    close_error: str = ""
    residue: Residue = field(default_factory=Residue)
    opened: list[LeaseOrder] = field(default_factory=list)
    closed: list[LeaseOrder] = field(default_factory=list)

    @activity.defn
    async def open_lease(self, order: LeaseOrder) -> LeaseStatus:
        if self.error:
            raise ApplicationError(self.error, type="NoJanitorError", non_retryable=True)
        self.opened.append(order)
        return LeaseStatus(
            run=order.sweep.run,
            owner=order.owner,
            term=self.term,
            expires_at=datetime.now(UTC) + TERM,
            state=LeaseState.HELD,
        )

    @activity.defn
    async def close_lease(self, order: LeaseOrder) -> Residue:
        if self.close_error:
            raise ApplicationError(self.close_error, non_retryable=True)
        self.closed.append(order)
        return self.residue
