"""A fleet held around a piece of work, so that no campaign changes it meanwhile."""

from typing import Self

from temporalio import workflow
from temporalio.exceptions import ActivityError

from steadfleet_durable.options import QUICK, UNDO
from steadfleet_ports.reservation import Claim, Reservations
from steadfleet_workflows.hosts import root_cause
from steadfleet_workflows.leasing import ended
from steadfleet_workflows.refusal import refused


class Reserved:
    """
    Hold a fleet while the block runs; without a fleet there is nothing to hold.

    Raises a non-retryable `RefusedError` where somebody else holds it, or it is frozen. A fleet that
    could not be given back is no longer held once this workflow has closed.
    """

    def __init__(self, fleet: str | None) -> None:
        info = workflow.info()
        self._claim = fleet and Claim(
            fleet=fleet,
            holder=info.workflow_id,
            run=info.first_execution_run_id,
            task_queue=info.task_queue,
        )

    async def __aenter__(self) -> Self:
        if self._claim:
            grant = await workflow.execute_activity_method(Reservations.reserve_fleet, self._claim, **QUICK)
            if not grant.granted:
                raise refused(grant.reason)
        return self

    async def __aexit__(self, _type: object, error: BaseException | None, _tb: object) -> None:
        if not self._claim or not ended(error):
            return
        try:
            await workflow.execute_activity_method(Reservations.release_fleet, self._claim, **UNDO)
        except ActivityError as failure:
            workflow.logger.warning("fleet not given back: %s", root_cause(failure))
