"""A workflow that makes three disks, a fake world for it, and sagas with planted bugs."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from pydantic import BaseModel
from temporalio import activity, workflow
from temporalio.exceptions import ApplicationError

from steadfleet_durable import LONG, QUICK, FailedCompensation, Saga


class Disk(BaseModel):
    name: str


class Order(BaseModel):
    saga: str = "Saga"
    stop: str = ""  # what happens at the second step
    cancel_while_undoing: bool = False


@dataclass
class Disks:
    """A hand-written fake: what was made and not deleted is left behind."""

    made: list[str] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    undoing: asyncio.Event = field(default_factory=asyncio.Event)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)
    undo_fails_for: str = ""

    @activity.defn
    async def create_disk(self, disk: Disk) -> None:
        self.calls.append(f"create {disk.name}")
        self.made.append(disk.name)

    @activity.defn
    async def create_and_fail(self, disk: Disk) -> None:
        await self.create_disk(disk)
        raise ApplicationError("the answer was lost", non_retryable=True)

    @activity.defn
    async def create_until_cancelled(self, disk: Disk) -> None:
        await self.create_disk(disk)
        self.reached.set()
        while True:
            activity.heartbeat()
            await asyncio.sleep(0.05)

    @activity.defn
    async def create_deaf(self, disk: Disk) -> None:
        """Swallow the cancel and end well, as an activity that never beats does."""
        with suppress(asyncio.CancelledError):
            await self.create_until_cancelled(disk)

    @activity.defn
    async def delete_disk(self, disk: Disk) -> None:
        self.undoing.set()
        await self.go_on.wait()
        self.calls.append(f"delete {disk.name}")
        if disk.name == self.undo_fails_for:
            raise ApplicationError(f"{disk.name} is locked", non_retryable=True)
        with suppress(ValueError):
            self.made.remove(disk.name)


class RegisteredAfterTheStep(Saga):
    """A planted bug: the undo becomes known only with the next step."""

    def compensate_with(self, undo: Any, arg: Any, **options: Any) -> None:
        late, self._late = getattr(self, "_late", None), (undo, arg)
        if late:
            super().compensate_with(*late, **options)


class ShieldedOnce(Saga):
    """A planted bug: the second cancel interrupts the undoing."""

    async def _undo_all(self) -> None:
        await asyncio.shield(asyncio.create_task(self._compensate()))


class DeafToSwallowedCancel(Saga):
    """A planted bug: a cancel that a step swallowed is gone."""

    def _swallowed_cancel(self) -> bool:
        return False


SAGAS: dict[str, type[Saga]] = {
    saga.__name__: saga for saga in (Saga, RegisteredAfterTheStep, ShieldedOnce, DeafToSwallowedCancel)
}


@workflow.defn
class ThreeDisks:
    def __init__(self) -> None:
        self._task: asyncio.Task[Any] | None = None
        self._failures: list[FailedCompensation] = []

    @workflow.run
    async def run(self, order: Order) -> str:
        self._task = asyncio.current_task()
        saga = SAGAS[order.saga]()
        self._failures = saga.failures
        async with saga:
            for name in ("a", "b", "c"):
                saga.compensate_with(Disks.delete_disk, Disk(name=name), **QUICK)
                await self._make(Disk(name=name), order.stop if name == "b" else "")
        return "made"

    async def _make(self, disk: Disk, stop: str) -> None:
        if stop == "fail":
            await workflow.execute_activity_method(Disks.create_and_fail, disk, **QUICK)
        elif stop == "cancel":
            await workflow.execute_activity_method(Disks.create_until_cancelled, disk, **LONG)
        elif stop == "deaf":
            await workflow.execute_activity_method(Disks.create_deaf, disk, **LONG)
        else:
            await workflow.execute_activity_method(Disks.create_disk, disk, **QUICK)
        if stop == "sleep":
            await workflow.sleep(timedelta(days=365))
        if stop == "timeout":
            await workflow.wait_condition(lambda: False, timeout=timedelta(days=1))
        if stop == "bug":
            raise ValueError("a bug")

    @workflow.signal
    def cancel_again(self) -> None:
        """Cancel from inside: the engine delivers only one cancel, our own code may send more."""
        assert self._task is not None
        self._task.cancel()

    @workflow.query
    def failures(self) -> list[str]:
        return [f"{failed.activity}({failed.argument})" for failed in self._failures]
