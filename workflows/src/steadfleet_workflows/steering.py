"""How pause, resume, abort and advance travel down: campaign → wave → shard."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.exceptions import ApplicationError

from steadfleet_core.campaign.wave import Steering

_Result = TypeVar("_Result")


class Steered:
    """A workflow that its parent steers; a newer order replaces an older one."""

    steering: Steering

    @workflow.signal(description="A parent steers its child; pause the campaign itself instead.")
    def steer(self, steering: Steering) -> None:
        if steering.number > self.steering.number:
            self.steering = steering
            if steering.stop:
                self.on_stop()

    def stop(self) -> None:
        """Wind down: no new host; what a cancel of this workflow means."""
        self.steer(self.steering.model_copy(update={"number": self.steering.number + 1, "stop": True}))

    def on_stop(self) -> None:
        """Reach what is in flight; nothing by default."""


async def steer_child(
    child: workflow.ChildWorkflowHandle[Any, _Result], sent: Steering, now: Callable[[], Steering]
) -> _Result:
    """Await a child that began under `sent`, passing on each newer order."""
    while True:
        await workflow.wait_condition(lambda: child.done() or now().number > sent.number)
        if child.done():
            return await child
        sent = now()
        with suppress(ApplicationError):  # it has just closed
            await child.signal(Steered.steer, sent)


async def wind_down(work: Coroutine[Any, Any, _Result], on_cancel: Callable[[], None]) -> _Result:
    """Run `work` to its own end: a cancel of the workflow only asks it, by `on_cancel`, to end soon.

    Raises the cancellation when the work has ended, so that the workflow closes as cancelled.
    """
    task = asyncio.create_task(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            cancelled = error
            on_cancel()
    if cancelled is not None and not task.cancelled():
        task.result()
        raise cancelled
    return task.result()
