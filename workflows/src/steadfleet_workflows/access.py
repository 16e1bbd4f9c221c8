"""A look at what workers may do; nothing is touched."""

import asyncio
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError
from temporalio.exceptions import TimeoutError as TimedOutError

from steadfleet_core.drill.order import QUEUE as DRILL_QUEUE
from steadfleet_core.model import Model
from steadfleet_durable.options import QUICK, Options, on_queue, within
from steadfleet_ports.access import Access, Accesses, AccessQuestion
from steadfleet_ports.lease import JANITOR_QUEUE, Janitor, Sweep
from steadfleet_workflows.hosts import root_cause
from steadfleet_workflows.naming import run_name

IMAGE_QUEUE = "image-build"
_LOOK = within(QUICK, timedelta(seconds=30), attempts=1)
# The engine may count a worker that has just ended among those that poll: its look goes nowhere,
# and must not take the others' with it.
_ELSEWHERE = Options(**{**_LOOK, "schedule_to_close_timeout": timedelta(seconds=35)})
_NOT_REGISTERED = "NotFoundError"
"""What the SDK says for a worker that has no such activity."""


class Look(Model):
    """What one worker found, or why it did not; one of an `earlier` release cannot look."""

    access: Access | None = None
    problem: str = ""
    earlier: bool = False


class AccessReport(Model):
    """What the campaign worker found, and what its janitor may not delete; a problem: the look failed.

    `builds` and `drills` are the looks of those workers, where they were asked.
    """

    access: Access | None = None
    access_problem: str = ""
    janitor_refused: tuple[str, ...] = ()
    janitor_problem: str = ""
    builds: Look | None = None
    drills: Look | None = None


@workflow.defn
class AccessInspection:
    """Ask the workers themselves: whoever asks may hold no credentials of the cloud at all."""

    @workflow.run
    async def run(self, question: AccessQuestion) -> AccessReport:
        own, builds, drills = await asyncio.gather(
            self._campaigns(question),
            self._look(question, IMAGE_QUEUE, asked=question.builds),
            self._look(question, DRILL_QUEUE, asked=question.drills),
        )
        return own.model_copy(update={"builds": builds, "drills": drills})

    async def _campaigns(self, question: AccessQuestion) -> AccessReport:
        try:
            access = await workflow.execute_activity_method(Accesses.inspect_access, question, **_LOOK)
        except ActivityError as error:
            return AccessReport(access_problem=root_cause(error))
        if not question.janitor:
            return AccessReport(access=access)
        sweep = Sweep(run=run_name("doctor", "rehearsal"), regions=(access.region,))
        try:
            refused = await workflow.execute_activity_method(
                Janitor.rehearse_sweep, sweep, **on_queue(_ELSEWHERE, JANITOR_QUEUE)
            )
        except ActivityError as error:
            return AccessReport(access=access, janitor_problem=_problem(error, JANITOR_QUEUE))
        return AccessReport(access=access, janitor_refused=tuple(refused))

    async def _look(self, question: AccessQuestion, queue: str, *, asked: bool) -> Look | None:
        if not asked:
            return None
        try:
            access = await workflow.execute_activity_method(
                Accesses.inspect_access, question, **on_queue(_ELSEWHERE, queue)
            )
        except ActivityError as error:
            cause = error.cause
            earlier = isinstance(cause, ApplicationError) and cause.type == _NOT_REGISTERED
            return Look(problem=_problem(error, queue), earlier=earlier)
        return Look(access=access)


def _problem(error: ActivityError, queue: str) -> str:
    if isinstance(error.cause, TimedOutError):
        return f"no worker of task queue {queue} answered in time"
    return root_cause(error)
