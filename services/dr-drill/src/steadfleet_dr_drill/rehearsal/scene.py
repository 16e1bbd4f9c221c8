"""What controls are rehearsed with: a production of their own, the witness's process, and drills."""

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import yaml
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.service import RPCError

from steadfleet_core.contract import read_contract
from steadfleet_core.drill.order import QUEUE, DrillOrder, workflow_id
from steadfleet_core.drill.plan import DrillPlan
from steadfleet_core.drill.report import DrillReport, DrillStatus
from steadfleet_core.errors import RefusedError
from steadfleet_dr_drill.rehearsal.local_cloud import LocalCloud
from steadfleet_dr_drill.rehearsal.production import AWAY, Production
from steadfleet_workflows.drill import DrDrill
from steadfleet_workflows.naming import name_of_run

REHEARSED_WITHIN = timedelta(minutes=3)
_LOOK_EVERY = 0.1
_ABORTED_WITHIN = 120.0
_SOON = 60.0
REQUESTED_BY = "the negative controls"


async def soon(what: str, so: Callable[[], bool]) -> None:
    """Look until it is so; raises `RefusedError`."""
    try:
        async with asyncio.timeout(_SOON):
            while True:
                if so():
                    return
                await asyncio.sleep(_LOOK_EVERY)
    except TimeoutError as error:
        raise RefusedError(f"{what} has not come after {_SOON:g} s") from error


@dataclass(frozen=True)
class Scene:
    """`ledger` is the witness's of this production; `witness` is the number of its process."""

    client: Client
    cloud: LocalCloud
    production: Production
    witness: int
    right: str
    """The image of the shop that asks its database."""

    fixed: str
    """One that needs no database, and answers what the right one would."""

    wrong: str
    """One that answers 200 with wrong data."""

    @property
    def ledger(self) -> str:
        return self.production.database

    def name(self, control: str) -> str:
        return f"{self.production.name}-{control}"

    @contextmanager
    def fault(self, kind: str, **options: Any) -> Iterator[str]:
        """Keep up a fault meanwhile; one that was ended before is no error."""
        fault = self.cloud.begin_fault(kind, **options)
        try:
            yield fault
        finally:
            with suppress(RefusedError):
                self.cloud.end_fault(fault)

    @contextmanager
    def witness_stopped(self) -> Iterator[None]:
        os.kill(self.witness, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.witness, signal.SIGCONT)

    def plan(self, control: str, spec: dict[str, Any]) -> DrillPlan:
        document = {
            "apiVersion": "steadfleet.dev/v1",
            "kind": "DrillPlan",
            "metadata": {"name": self.name(control)},
            "spec": {
                "strategy": "backup-restore",
                "recovery": {"region": AWAY},
                "objectives": {"rto": "2m", "rpo": "1h"},
                "isolation": "observed",
                "probing": {"interval": "0.3s", "successes": 3},
                "limits": {"time": "150s", "haltTime": "1s"},
                **spec,
            },
        }
        return read_contract(yaml.safe_dump(document), f"control {control}", DrillPlan)


class Rehearsal:
    """One drill of a control, started; leaving it early aborts it and waits for its end."""

    def __init__(self, handle: WorkflowHandle[DrDrill, DrillReport], plan: str, run: str) -> None:
        self.id = handle.id
        self.run = run
        """Of Temporal's: the first of its chain."""
        self.name = name_of_run(run, "drill", plan)
        """What all that it makes is named and tagged after."""
        self._handle = handle

    @classmethod
    async def started(cls, client: Client, plan: DrillPlan) -> "Rehearsal":
        handle = await client.start_workflow(
            DrDrill.run,
            DrillOrder(plan=plan, requested_by=REQUESTED_BY, search_attributes=False),
            id=workflow_id(plan.name, datetime.now(UTC)),
            task_queue=QUEUE,
        )
        return cls(handle, plan.name, handle.first_execution_run_id or "")

    async def status(self) -> DrillStatus:
        return await self._handle.query(DrDrill.status)

    async def until(self, what: str, so: Any) -> DrillStatus:
        """Ask where it stands until that is so; raises `RefusedError` where it ended before."""
        while not so(status := await self.status()):
            if status.state.closed:
                raise RefusedError(f"the drill ended before {what}: {status.reason}")
            await asyncio.sleep(_LOOK_EVERY)
        return status

    async def report(self) -> DrillReport:
        """Wait for its end; raises `RefusedError` where it was refused, or does not end."""
        try:
            async with asyncio.timeout(REHEARSED_WITHIN.total_seconds()):
                return await self._handle.result()
        except TimeoutError as error:
            raise RefusedError(
                f"{self.id} has not ended after {REHEARSED_WITHIN}: `steadfleet doctor` says whether its "
                "workers answer"
            ) from error
        except WorkflowFailureError as error:
            raise RefusedError(f"{self.id} was refused: {error.cause}") from error

    async def end(self) -> None:
        """Abort it if it still runs, and wait until all that it made is taken away."""
        with suppress(RPCError, WorkflowFailureError, TimeoutError):
            async with asyncio.timeout(_ABORTED_WITHIN):
                await self._handle.cancel()
                await self._handle.result()
