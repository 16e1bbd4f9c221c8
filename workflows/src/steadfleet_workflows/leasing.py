"""A lease around a piece of work: opened before the first create, renewed, and closed at its end."""

import asyncio
from contextlib import suppress
from typing import Self

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

from steadfleet_core.image.order import Build, Platform
from steadfleet_durable.options import QUICK, UNDO
from steadfleet_ports.lease import LeaseOrder, Leases, LeaseStatus, Left, Sweep, lease_id
from steadfleet_workflows.hosts import root_cause


class Leased:
    """
    Hold a lease while the block runs.

    Opening it fails the block before anything is made; closing it never does: what could not be
    closed stays open, and acts by itself at its term.
    """

    def __init__(self, order: LeaseOrder) -> None:
        self.order = order
        self.residue: tuple[Left, ...] = ()
        self.removed: tuple[Left, ...] = ()
        self.problem = ""
        self._renewing: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        status = await workflow.execute_activity_method(Leases.open_lease, self.order, **QUICK)
        self._renewing = asyncio.create_task(self._renew(status))
        return self

    async def __aexit__(self, _type: object, error: BaseException | None, _tb: object) -> None:
        if self._renewing is not None:
            self._renewing.cancel()
        if not ended(error):
            return  # a bug suspends the workflow: nothing of it may be taken away
        closing = asyncio.create_task(self._close())
        while not closing.done():
            with suppress(asyncio.CancelledError):  # a second abort must not leave it open
                await asyncio.shield(closing)

    async def _renew(self, status: LeaseStatus) -> None:
        """Say at every third of the term that the owner lives; a lease that is gone is not missed."""
        lease = workflow.get_external_workflow_handle(lease_id(self.order.sweep.run))
        while True:
            await workflow.sleep(status.term / 3)
            with suppress(ApplicationError):
                await lease.signal("renew")

    async def _close(self) -> None:
        try:
            residue = await workflow.execute_activity_method(Leases.close_lease, self.order, **UNDO)
        except ActivityError as error:
            self.problem = f"{lease_id(self.order.sweep.run)} could not be closed: {root_cause(error)}"
            workflow.logger.error("%s", self.problem)
        else:
            self.residue, self.removed = residue.left, residue.removed


def sweep_of(run: str, build: Build, *regions: str) -> Sweep:
    """Say what a build makes for a time, and where."""
    if build.platform is Platform.DOCKER:
        return Sweep(run=run, docker=True)
    return Sweep(run=run, regions=tuple(dict.fromkeys([build.region, *regions])), names=(build.image_name,))


def ended(error: BaseException | None) -> bool:
    if error is None or isinstance(error, asyncio.CancelledError):
        return True
    return isinstance(error, Exception) and workflow.is_failure_exception(error)
