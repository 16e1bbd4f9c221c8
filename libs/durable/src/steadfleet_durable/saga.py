"""Undo, last first, what a workflow did before it failed or was cancelled."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self, TypeVar, Unpack

from temporalio import workflow
from temporalio.exceptions import FailureError
from temporalio.types import MethodAsyncSingleParam

from steadfleet_durable.logs import get_logger
from steadfleet_durable.metrics import count
from steadfleet_durable.options import UNDO, Options

_Arg = TypeVar("_Arg")
_log = get_logger(__name__)

COMPENSATIONS_FAILED = "steadfleet_compensations_failed"


@dataclass(frozen=True)
class FailedCompensation:
    """An undo that gave up: something may have been left behind."""

    activity: str
    argument: object
    error: FailureError


class Saga:
    """
    Run the registered compensations if the `async with` block fails or is cancelled.

    Register a compensation before its step, not after: a step that failed may still have taken
    effect. So a compensation must also be safe when there is nothing to undo.

        async with Saga() as saga:
            saga.compensate_with(Disks.delete_disk, disk)
            await workflow.execute_activity_method(Disks.create_disk, disk, **LONG)

    Do not continue-as-new inside the block: the compensations would be lost.
    """

    def __init__(self) -> None:
        self.failures: list[FailedCompensation] = []
        self._compensations: list[Callable[[], Awaitable[None]]] = []
        self._owner: asyncio.Task[Any] | None = None
        self._cancels_before = 0

    def compensate_with(
        self,
        undo: MethodAsyncSingleParam[Any, _Arg, object],
        arg: _Arg,
        **options: Unpack[Options],
    ) -> None:
        """
        Register an activity and its argument as the undo of the step that follows (policy `UNDO`).

        Raises the cancellation that the step before may have swallowed: an activity which ended
        well although it was to be cancelled must not be followed by another.
        """
        if self._swallowed_cancel():
            raise asyncio.CancelledError("cancelled during the step before")
        self._compensations.append(lambda: self._undo(undo, arg, Options(**{**UNDO, **options})))

    async def __aenter__(self) -> Self:
        self._owner = asyncio.current_task()
        self._cancels_before = self._owner.cancelling() if self._owner else 0
        return self

    async def __aexit__(self, _type: object, error: BaseException | None, _tb: object) -> None:
        if error is None:
            if not self._swallowed_cancel():
                return
            await self._undo_all()
            raise asyncio.CancelledError("cancelled during the last step")
        if _ends_the_workflow(error):
            await self._undo_all()

    def _swallowed_cancel(self) -> bool:
        task = asyncio.current_task()
        return task is not None and task is self._owner and task.cancelling() > self._cancels_before

    async def _undo_all(self) -> None:
        undoing = asyncio.create_task(self._compensate())
        # In a loop: one shield protects from one cancel, and an abort may come again.
        while not undoing.done():
            with suppress(asyncio.CancelledError):
                await asyncio.shield(undoing)

    async def _compensate(self) -> None:
        while self._compensations:
            await self._compensations.pop()()

    async def _undo(self, undo: Callable[..., Any], arg: object, options: Options) -> None:
        try:
            await workflow.execute_activity_method(undo, arg, **options)
        except FailureError as error:
            self.failures.append(FailedCompensation(undo.__name__, arg, error))
            count(COMPENSATIONS_FAILED, "Undos of a saga that gave up.", undo=undo.__name__)
            _log.error("compensation failed", undo=undo.__name__, argument=repr(arg), error=_cause(error))


def _ends_the_workflow(error: BaseException) -> bool:
    """Tell a failure or an abort from a bug, which suspends the workflow until it is mended.

    An open workflow that its worker lets go of is closed with a GeneratorExit: it lives on elsewhere.
    """
    if isinstance(error, asyncio.CancelledError):
        return True
    return isinstance(error, Exception) and workflow.is_failure_exception(error)


def _cause(error: BaseException) -> str:
    """Return the innermost message: the outer ones only say that an activity failed."""
    while error.__cause__ is not None:
        error = error.__cause__
    return str(error)
