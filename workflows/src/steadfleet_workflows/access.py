"""A look at what workers may do; nothing is touched."""

from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError

from steadfleet_core.model import Model
from steadfleet_durable.options import QUICK, on_queue, within
from steadfleet_ports.access import Access, Accesses, AccessQuestion
from steadfleet_ports.lease import JANITOR_QUEUE, Janitor, Sweep
from steadfleet_workflows.hosts import root_cause
from steadfleet_workflows.naming import run_name

_LOOK = within(QUICK, timedelta(seconds=30), attempts=1)


class AccessReport(Model):
    """What the campaign worker found, and what its janitor may not delete; a problem: the look failed."""

    access: Access | None = None
    access_problem: str = ""
    janitor_refused: tuple[str, ...] = ()
    janitor_problem: str = ""


@workflow.defn
class AccessInspection:
    """Ask the workers themselves: whoever asks may hold no credentials of the cloud at all."""

    @workflow.run
    async def run(self, question: AccessQuestion) -> AccessReport:
        try:
            access = await workflow.execute_activity_method(Accesses.inspect_access, question, **_LOOK)
        except ActivityError as error:
            return AccessReport(access_problem=root_cause(error))
        if not question.janitor:
            return AccessReport(access=access)
        sweep = Sweep(run=run_name("doctor", "rehearsal"), regions=(access.region,))
        try:
            refused = await workflow.execute_activity_method(
                Janitor.rehearse_sweep, sweep, **on_queue(_LOOK, JANITOR_QUEUE)
            )
        except ActivityError as error:
            return AccessReport(access=access, janitor_problem=root_cause(error))
        return AccessReport(access=access, janitor_refused=tuple(refused))
